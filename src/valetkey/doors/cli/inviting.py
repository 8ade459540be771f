"""The command that invites a person by a one-time link."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from typing import Annotated

import typer

from valetkey.doors.cli.output import note, say, show_json, when
from valetkey.doors.cli.running import Json, Running


def add_to(group: typer.Typer, running: Running) -> None:
    """Add the command to those on accounts."""

    @group.command()
    def invite(
        address: Annotated[
            str, typer.Argument(help="The account's mail address, an alias, or its id.", show_default=False)
        ],
        as_json: Json = False,
    ) -> None:
        """Make a one-time link with which a person sets the main password, and then a second factor.

        The link is shown here and nowhere again; give it to the person yourself. An earlier one ends.

        Example: [bold]valetkey account invite alice@example.org[/bold]
        """
        made = running.on(lambda there: there.invite(address))
        if as_json:
            facts = {
                "account": made.address,
                "link": made.link,
                "expires_at": made.expires_at,
                "mailed_to": made.mailed_to,
            }
            show_json(facts)
            return
        say(made.link)
        note(f"For {made.address}, until {when(made.expires_at)}. It works once.")
        if made.mailed_to:
            note(f"It is mailed to {made.mailed_to} as well.")
