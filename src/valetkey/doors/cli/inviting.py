"""The command that invites a person by a one-time link."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from typing import Annotated

import typer

from valetkey.doors.cli.output import note, say, show_json, when
from valetkey.doors.cli.running import Json, Running, told
from valetkey.service import invitations
from valetkey.service.ports import OPERATOR


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
        portal = told(lambda: running.front.portal_url(running.config))
        made = running.on_account(address, lambda ports, account_id: invitations.invite(ports, OPERATOR, account_id))
        link = portal + invitations.PATH + made.token
        if as_json:
            facts = {"account": made.address, "link": link, "expires_at": made.expires_at, "mailed_to": made.mailed_to}
            show_json(facts)
            return
        say(link)
        note(f"For {made.address}, until {when(made.expires_at)}. It works once.")
        if made.mailed_to:
            note(f"It is mailed to {made.mailed_to} as well.")
