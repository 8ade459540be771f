"""Commands on recoveries of lost second factors."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from typing import Annotated

import typer

from valetkey.doors.cli.output import show_json, show_table, tell_done, when
from valetkey.doors.cli.running import Json, Running


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="Recoveries of lost second factors.", no_args_is_help=True)

    @group.command("list")
    def list_recoveries(as_json: Json = False) -> None:
        """List the recoveries that are under way, the one that opens first before the others.

        Example: [bold]valetkey recovery list[/bold]
        """
        found = running.on(lambda there: there.recoveries())
        if as_json:
            show_json(
                [
                    {
                        "account": recovery.address,
                        "begun_at": recovery.begun_at,
                        "begun_from": recovery.begun_from,
                        "opens_at": recovery.opens_at,
                        "closes_at": recovery.closes_at,
                    }
                    for recovery in found
                ]
            )
            return
        rows = [
            [one.address, when(one.begun_at), one.begun_from, when(one.opens_at), when(one.closes_at)] for one in found
        ]
        show_table(["ACCOUNT", "BEGUN", "FROM", "OPENS", "CLOSES"], rows, empty="No recovery is under way.")

    @group.command()
    def cancel(
        address: Annotated[
            str, typer.Argument(help="The account's mail address, an alias, or its id.", show_default=False)
        ],
        as_json: Json = False,
    ) -> None:
        """Call a recovery off. The second factors stay, and the owner is told.

        Example: [bold]valetkey recovery cancel alice@example.org[/bold]
        """
        running.on(lambda there: there.call_off_recovery(address))
        tell_done(
            f"The recovery of {address} is called off.", {"account": address, "state": "cancelled"}, as_json=as_json
        )

    return group
