"""Commands on open mail connections."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from collections.abc import Mapping
from typing import Annotated

import typer

from valetkey.doors.cli.output import connections, note, show_json, show_table, tell_done, when
from valetkey.doors.cli.running import Json, Running, fail
from valetkey.service.ports import LiveSession


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
        survey = running.on(lambda there: there.sessions(address))
        found = sorted(survey.sessions, key=lambda session: (session.opened_at, session.id))
        names = survey.names
        if not survey.is_complete:
            note("A part of the workers did not answer; connections may be missing.")
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
            closed = running.on(lambda there: there.close_all_of(session))
            tell_done(f"{connections(closed)} closed.", {"app_password": session, "closed": closed}, as_json=as_json)
            return
        if not running.on(lambda there: there.close(session)):
            fail("There is no such open connection.")
        tell_done("Closed.", {"session": session, "closed": 1}, as_json=as_json)


def _facts(session: LiveSession, names: Mapping[str, str]) -> dict[str, object]:
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
