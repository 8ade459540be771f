"""Commands on API tokens: list, revoke, and what the one that is shown may do. They are made in the portal, by people."""

# ruff: noqa: FBT002  (typer takes a command's options from its parameters)

from typing import Annotated, Any

import typer

from valetkey.core.api_token import ApiToken
from valetkey.doors.cli.output import show_facts, show_json, show_table, tell_done, when
from valetkey.doors.cli.running import Json, Running


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="API tokens: see them and revoke them.", no_args_is_help=True)

    @group.command("list")
    def list_tokens(
        address: Annotated[str | None, typer.Argument(help="Of this account only.", show_default=False)] = None,
        everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
        as_json: Json = False,
    ) -> None:
        """List API tokens, of all accounts or of one.

        Example: [bold]valetkey token list alice@example.org[/bold]
        """
        found = running.on(lambda there: there.tokens(address, live_only=not everything))
        if as_json:
            show_json([_facts(token, owner) for token, owner in found])
            return
        rows = [
            [
                token.id,
                owner,
                token.name,
                " ".join(sorted(token.actions)),
                ", ".join(token.allowed_ips) or "anywhere",
                when(token.last_used_at),
                when(token.revoked_at or token.expires_at),
            ]
            for token, owner in found
        ]
        columns = ["ID", "ACCOUNT", "NAME", "MAY DO", "FROM", "LAST USED", "ENDS"]
        show_table(columns, rows, empty="No API token.")

    @group.command()
    def revoke(
        token: Annotated[str, typer.Argument(help="The token's id, such as at_…", show_default=False)],
        as_json: Json = False,
    ) -> None:
        """Revoke an API token. It is refused from the next request on.

        Example: [bold]valetkey token revoke at_k3q7…[/bold]
        """
        revoked = running.on(lambda there: there.revoke_token(token))
        tell_done(f"“{revoked.name}” revoked.", {"id": revoked.id, "revoked_at": revoked.revoked_at}, as_json=as_json)

    return group


def add_to(app: typer.Typer, running: Running) -> None:
    """Add the command that tells who one is."""

    @app.command(rich_help_panel="Over the API (--server)")
    def whoami(as_json: Json = False) -> None:
        """Show for whom the token acts and what it may do.

        Example: [bold]valetkey --server https://mail.example.org whoami[/bold]
        """
        address, token = running.remotely(lambda there: there.who())
        if as_json:
            show_json(_facts(token, address))
            return
        facts = {
            "Account": address,
            "Token": f"{token.name} ({token.id})",
            "May do": " ".join(sorted(token.actions)),
            "From": ", ".join(token.allowed_ips) or "anywhere",
            "Ends": when(token.expires_at),
        }
        show_facts(facts)


def _facts(token: ApiToken, address: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "account_id": token.account_id,
        "address": address,
        "name": token.name,
        "actions": token.actions,
        "allowed_ips": token.allowed_ips,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "last_used_from": token.last_used_address,
        "revoked_at": token.revoked_at,
    }
