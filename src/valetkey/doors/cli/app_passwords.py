"""Commands on app passwords: list, show, revoke; create and rotate for an account that one owns."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

import typer

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword, SecretFormat
from valetkey.core.restriction import NetworkRule, default_restrictions
from valetkey.core.scope import READY_MADE, ready_made
from valetkey.doors.cli.app_password_facts import expiry, facts, last_use, state, words
from valetkey.doors.cli.as_person import AsPerson, Code, Person, acting, ask_person
from valetkey.doors.cli.output import connections, note, say, show_facts, show_json, show_table
from valetkey.doors.cli.running import Json, PasswordStdin, Running, fail
from valetkey.service import accounts, app_passwords, rotation
from valetkey.service.app_passwords import Changed, Issued, Wanted
from valetkey.service.ports import OPERATOR, Ports
from valetkey.service.rotation import Rotated

_CHOICES = ", ".join(choice.key for choice in READY_MADE)
Address = Annotated[str, typer.Argument(help="The account's mail address or id.", show_default=False)]
_OVERLAPS = dict(zip(("none", "1h", "1d", "7d", "30d"), rotation.OVERLAPS, strict=True))
Id = Annotated[str, typer.Argument(help="The app password's id, such as ap_…", show_default=False)]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What `create` was asked for."""

    address: str
    person: Person | None
    wanted: Wanted


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="App passwords: see them, revoke them, make them for machines.", no_args_is_help=True)
    _add_looking(group, running)
    _add_revoke(group, running)
    _add_create(group, running)
    _add_rotate(group, running)
    return group


def _add_looking(group: typer.Typer, running: Running) -> None:
    @group.command("list")
    def list_app_passwords(
        address: Address,
        everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
        as_json: Json = False,
    ) -> None:
        """List the app passwords of an account.

        Example: [bold]valetkey app-password list alice@example.org --all[/bold]
        """
        found = running.on_account(
            address,
            lambda ports, account_id: app_passwords.of_account(ports, OPERATOR, account_id, live_only=not everything),
        )
        if as_json:
            show_json([facts(app_password) for app_password in found])
            return
        columns = ["ID", "NAME", "STATE", "LAST USED", "FROM", "EXPIRES"]
        rows = [[a.id, a.description, state(a), *last_use(a), expiry(a)] for a in found]
        show_table(columns, rows, empty=f"{address} has no app password in use.")

    @group.command()
    def show(credential: Id, as_json: Json = False) -> None:
        """Show one app password: what it may do, from where, until when, its last use and its last refusal.

        Example: [bold]valetkey app-password show ap_k3q7…[/bold]
        """

        async def look(ports: Ports) -> tuple[AppPassword, Account]:
            app_password = await app_passwords.get(ports, OPERATOR, credential)
            return app_password, await accounts.find(ports, OPERATOR, app_password.account_id)

        app_password, account = running.do(look)
        if as_json:
            show_json(facts(app_password) | {"address": account.address})
        else:
            show_facts(words(app_password, account))


def _add_revoke(group: typer.Typer, running: Running) -> None:
    @group.command()
    def revoke(
        what: Annotated[str, typer.Argument(help="The app password's id; with --all-of, an account.")],
        all_of: Annotated[bool, typer.Option("--all-of", help="Revoke every app password of the account.")] = False,
        reason: Annotated[str, typer.Option(help="For the history.")] = "",
        as_json: Json = False,
    ) -> None:
        """Revoke an app password. Its open connections are closed at once, everywhere.

        Examples:
          [bold]valetkey app-password revoke ap_k3q7… --reason "phone lost"[/bold]
          [bold]valetkey app-password revoke --all-of alice@example.org[/bold]
        """

        async def do(ports: Ports) -> tuple[Changed, ...]:
            if not all_of:
                return (await app_passwords.revoke(ports, OPERATOR, what, reason),)
            account = await accounts.find(ports, OPERATOR, what)
            return await app_passwords.revoke_all(ports, OPERATOR, account.id, reason)

        done = running.do(do)
        if as_json:
            show_json([facts(entry.app_password) | {"closed": entry.closed} for entry in done])
            return
        for entry in done:
            say(f"“{entry.app_password.description}” revoked, {connections(entry.closed)} closed.")
        if not done:
            note("There was none in use.")


def _add_create(group: typer.Typer, running: Running) -> None:
    @group.command()
    def create(
        address: Address,
        description: Annotated[str, typer.Argument(help="A name that you will recognise.", show_default=False)],
        choice: Annotated[
            str,
            typer.Option("--for", help=f"What it may do: {_CHOICES}.", autocompletion=lambda: _CHOICES.split(", ")),
        ] = "mail-app",
        days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Expires after so many days.")] = None,
        network: Annotated[
            list[str] | None, typer.Option(help="Only from this address, network or named network; may be repeated.")
        ] = None,
        device: Annotated[bool, typer.Option("--device", help="20 symbols, for printers that take no more.")] = False,
        as_person: AsPerson = None,
        code: Code = "",
        password_stdin: PasswordStdin = False,
        as_json: Json = False,
    ) -> None:
        """Make an app password, shown this once.

        For a shared account it is made directly.
        A person's needs that person, signing in here with main password and code.

        Examples:
          [bold]valetkey app-password create scanner@example.org Scanner --for send-only[/bold]
          [bold]valetkey app-password create alice@example.org Laptop --as alice@example.org[/bold]
        """
        ready = ready_made(choice)
        if ready is None:
            fail(f"There is no “{choice}”. Choose one of: {_CHOICES}.", 2)
        form = SecretFormat.DEVICE if device else SecretFormat.DEFAULT
        person = ask_person(as_person, code, password_stdin=password_stdin)
        wish = _Wish(address, person, Wanted(description, ready.scope, None, form))
        issued = running.do(lambda ports: _create(ports, wish, days, tuple(network or ())))
        if as_json:
            show_json(facts(issued.app_password) | {"secret": issued.secret.shown})
        else:
            say(issued.secret.shown)
            note(f"This is shown once. {ready.sentence}")


async def _create(ports: Ports, wish: _Wish, days: int | None, networks: tuple[str, ...]) -> Issued:
    account = await accounts.find(ports, OPERATOR, wish.address)
    now = ports.clock.now()
    restrictions = default_restrictions(ports.policy, now)
    if days is not None:
        restrictions = replace(restrictions, expires_at=now + timedelta(days=days))
    if networks:
        restrictions = replace(restrictions, network_rule=NetworkRule.ALLOWED, allowed_ips=networks)
    wanted = Wanted(wish.wanted.description, wish.wanted.scope, restrictions, wish.wanted.format)
    async with acting(ports, wish.person, account) as actor:
        return await app_passwords.issue(ports, actor, account.id, wanted)


def _add_rotate(group: typer.Typer, running: Running) -> None:
    @group.command()
    def rotate(
        credential: Id,
        overlap: Annotated[str, typer.Option(help=f"How long the old one still works: {', '.join(_OVERLAPS)}.")] = "7d",
        as_person: AsPerson = None,
        code: Code = "",
        password_stdin: PasswordStdin = False,
        as_json: Json = False,
    ) -> None:
        """Put a new app password in the place of one; it is shown this once, and the old one works on for a while.

        Examples:
          [bold]valetkey app-password rotate ap_k3q7… --overlap 1d[/bold]
          [bold]valetkey app-password rotate ap_k3q7… --as alice@example.org[/bold]
        """
        if overlap not in _OVERLAPS:
            fail(f"There is no overlap “{overlap}”. Choose one of: {', '.join(_OVERLAPS)}.", 2)
        person = ask_person(as_person, code, password_stdin=password_stdin)

        async def do(ports: Ports) -> Rotated:
            old = await app_passwords.get(ports, OPERATOR, credential)
            account = await accounts.find(ports, OPERATOR, old.account_id)
            async with acting(ports, person, account) as actor:
                return await rotation.rotate(ports, actor, credential, _OVERLAPS[overlap])

        done = running.do(do)
        if as_json:
            shown = facts(done.app_password) | {"secret": done.secret.shown, "closed": done.closed}
            show_json(shown | {"replaced": facts(done.replaced)})
            return
        say(done.secret.shown)
        until = f"works until {expiry(done.replaced)}" if done.replaced.is_live else "has stopped working"
        note(f"This is shown once. The old one {until}.")
