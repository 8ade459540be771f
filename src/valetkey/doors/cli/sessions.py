"""Commands on open mail connections."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from typing import Annotated

import typer

from valetkey.doors.cli.output import connections, note, show_json, show_table, tell_done, when
from valetkey.doors.cli.running import Json, Running, addresses_of, fail
from valetkey.service import accounts, live
from valetkey.service.ports import OPERATOR, LiveSession, LiveSurvey, Ports


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="Open mail connections.", no_args_is_help=True)
    _add_list(group, running)
    _add_close(group, running)
    return group


def _add_list(group: typer.Typer, running: Running) -> None:
    @group.command("list")
    def list_sessions(
        address: Annotated[str | None, typer.Argument(help="Of this account only.", show_default=False)] = None,
        as_json: Json = False,
    ) -> None:
        """List the open connections, of all accounts or of one.

        Example: [bold]valetkey sessions list alice@example.org[/bold]
        """

        async def look(ports: Ports) -> tuple[LiveSurvey, dict[str, str]]:
            account = await accounts.find(ports, OPERATOR, address) if address else None
            found = await live.survey(ports, OPERATOR, account.id if account else None)
            return found, await addresses_of(ports, (session.account_id for session in found.sessions))

        survey, names = running.do(look)
        found = survey.sessions
        if survey.silent:
            note(f"{survey.silent} of the workers did not answer; connections may be missing.")
        if as_json:
            show_json([_facts(session, names) for session in found])
            return
        rows = [
            [
                s.id,
                names[s.account_id],
                s.protocol.value,
                s.address,
                s.client,
                when(s.opened_at),
                s.credential_id or "main",
            ]
            for s in found
        ]
        columns = ["ID", "ACCOUNT", "PROTOCOL", "FROM", "CLIENT", "SINCE", "APP PASSWORD"]
        show_table(columns, rows, empty="No open connection.")


def _add_close(group: typer.Typer, running: Running) -> None:
    @group.command()
    def close(
        session: Annotated[
            str, typer.Argument(help="The connection's id, as listed; with --all-of, an app password's.")
        ],
        all_of: Annotated[bool, typer.Option("--all-of", help="Close every connection of the app password.")] = False,
        as_json: Json = False,
    ) -> None:
        """Close a connection. Its app password stays valid: to keep it out, revoke that.

        Examples:
          [bold]valetkey sessions close s4fQ…[/bold]
          [bold]valetkey sessions close --all-of ap_k3q7…[/bold]
        """
        if all_of:
            closed = running.do(lambda ports: live.close_all_of(ports, OPERATOR, session))
            tell_done(f"{connections(closed)} closed.", {"app_password": session, "closed": closed}, as_json=as_json)
            return

        async def end(ports: Ports) -> bool:
            return await live.close(ports, OPERATOR, session)

        if not running.do(end):
            fail("There is no such open connection.")
        tell_done("Closed.", {"session": session, "closed": 1}, as_json=as_json)


def _facts(session: LiveSession, names: dict[str, str]) -> dict[str, object]:
    return {
        "id": session.id,
        "account_id": session.account_id,
        "address": names[session.account_id],
        "app_password": session.credential_id,
        "protocol": session.protocol,
        "from": session.address,
        "client": session.client,
        "opened_at": session.opened_at,
        "worker": session.worker,
    }
