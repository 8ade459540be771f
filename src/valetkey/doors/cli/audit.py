"""Commands on the audit log."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from collections.abc import Mapping
from typing import Annotated

import typer

from valetkey.doors.cli.administration import AuditLine
from valetkey.doors.cli.output import say, show_json, show_table
from valetkey.doors.cli.running import Json, Running, fail
from valetkey.service.ports import AuditFault


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(
        help="The audit log, in which each record carries the hash of the one before.", no_args_is_help=True
    )

    @group.command("list")
    def list_records(
        address: Annotated[str | None, typer.Argument(help="Of this account only.", show_default=False)] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 100,
        before: Annotated[int | None, typer.Option(help="Only records before this number.")] = None,
        as_json: Json = False,
    ) -> None:
        """List what was changed, when, and by whom.

        Example: [bold]valetkey audit list alice@example.org --limit 20[/bold]
        """
        found = running.on(lambda there: there.audit(address, before=before, limit=limit))
        names = found.names
        ordered = sorted(found.lines, key=lambda line: line.number)
        if as_json:
            show_json([_facts(record, names) for record in ordered])
            return
        rows = [
            [
                str(r.number),
                f"{r.at:%Y-%m-%d %H:%M:%S}",
                names.get(r.account_id or "", ""),
                _who(r, names),
                r.said,
            ]
            for r in ordered
        ]
        show_table(["NO", "WHEN (UTC)", "ACCOUNT", "BY", "WHAT"], rows, empty="Nothing has happened yet.")

    @group.command()
    def verify(as_json: Json = False) -> None:
        """Check the chain of the whole log, and name the first bad record.

        Example: [bold]valetkey audit verify[/bold]
        """
        result = running.on(lambda there: there.verify_audit())
        if isinstance(result, AuditFault):
            if as_json:
                show_json({"is_intact": False, "first_bad_record": result.number, "what": str(result.what)})
            fail(f"Record {result.number} is bad: {result.what} Compare with a backup made before it.")
        count, last = result
        if as_json:
            show_json({"is_intact": True, "records": count, "last_hash": last})
        else:
            say(f"{count} records, unbroken. Last hash: {last.hex()}")

    return group


def _who(record: AuditLine, names: Mapping[str, str]) -> str:
    by = names.get(record.actor, record.actor)
    return f"{by} ({record.actor_address})" if record.actor_address else by


def _facts(record: AuditLine, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "number": record.number,
        "at": record.at,
        "actor": record.actor,
        "from": record.actor_address,
        "account_id": record.account_id,
        "address": names.get(record.account_id or ""),
        "app_password": record.credential_id,
        "kind": record.kind,
        "facts": record.facts,
        "what": record.said,
        "hash": record.hash,
    }
