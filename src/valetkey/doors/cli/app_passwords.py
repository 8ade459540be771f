"""Commands on app passwords: list, show, revoke, and create for an account that one owns."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from valetkey.core.account import Account, AccountKind
from valetkey.core.app_password import AppPassword, SecretFormat
from valetkey.core.errors import PolicyForbids
from valetkey.core.restriction import NetworkRule, default_restrictions
from valetkey.core.scope import READY_MADE, describe, ready_made
from valetkey.doors.cli.output import connections, note, say, show_facts, show_json, show_table, when
from valetkey.doors.cli.running import Json, PasswordStdin, Running, ask_password, fail
from valetkey.service import accounts, app_passwords, portal_sessions, sign_in
from valetkey.service.app_passwords import Changed, Issued, Wanted
from valetkey.service.ports import OPERATOR, Actor, Ports
from valetkey.service.sign_in import NextStep

_CHOICES = ", ".join(choice.key for choice in READY_MADE)
Address = Annotated[str, typer.Argument(help="The account's mail address or id.", show_default=False)]
Id = Annotated[str, typer.Argument(help="The app password's id, such as ap_…", show_default=False)]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What `create` was asked for."""

    address: str
    as_person: str | None
    password: str | None = field(repr=False)
    code: str
    wanted: Wanted


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="App passwords: see them, revoke them, make them for machines.", no_args_is_help=True)
    _add_looking(group, running)
    _add_revoke(group, running)
    _add_create(group, running)
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
            show_json([_facts(app_password) for app_password in found])
            return
        columns = ["ID", "NAME", "STATE", "LAST USED", "FROM", "EXPIRES"]
        rows = [[a.id, a.description, _state(a), *_last_use(a), _expiry(a)] for a in found]
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
            show_json(_facts(app_password) | {"address": account.address})
        else:
            show_facts(_words(app_password, account))


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
            show_json([_facts(entry.app_password) | {"closed": entry.closed} for entry in done])
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
        as_person: Annotated[
            str | None, typer.Option("--as", help="Sign in as this person, for an account that is theirs.")
        ] = None,
        code: Annotated[str, typer.Option(help="The code of that person's authenticator; asked for otherwise.")] = "",
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
        password = ask_password(f"Main password of {as_person}", from_stdin=password_stdin) if as_person else None
        typed = (code or typer.prompt("Code of the authenticator", err=True)) if as_person else ""
        wish = _Wish(address, as_person, password, typed, Wanted(description, ready.scope, None, form))
        issued = running.do(lambda ports: _create(ports, wish, days, tuple(network or ())))
        if as_json:
            show_json(_facts(issued.app_password) | {"secret": issued.secret.shown})
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
    if wish.as_person is None:
        if account.kind is AccountKind.PERSON:
            raise PolicyForbids(
                f"{account.address} is a person's account: only that person can make an app password for it, "
                f"in the portal or here with --as {account.address}."
            )
        return await app_passwords.issue(ports, OPERATOR, account.id, wanted)
    actor, token = await _sign_in(ports, wish)
    try:
        return await app_passwords.issue(ports, actor, account.id, wanted)
    finally:
        await portal_sessions.sign_out(ports, token)


async def _sign_in(ports: Ports, wish: _Wish) -> tuple[Actor, str]:
    name, password = wish.as_person or "", wish.password or ""
    started = await sign_in.start(ports, name, password, address="", client="valetkey command line")
    if started.next is NextStep.SECOND_FACTOR:
        started = await sign_in.prove_code(ports, started.token, wish.code, address="")
    signed_in = await sign_in.current(ports, started.token)
    if signed_in is None:
        raise PolicyForbids("The sign-in did not hold; try again.")
    return sign_in.actor_of(signed_in, ""), started.token


def _state(app_password: AppPassword) -> str:
    if app_password.revoked_at is not None:
        return "revoked"
    return "expired" if app_password.lapsed_at is not None else "in use"


def _last_use(app_password: AppPassword) -> tuple[str, str]:
    use = app_password.last_use
    return (when(use.at), f"{use.address} {use.protocol}") if use else ("never", "")


def _expiry(app_password: AppPassword) -> str:
    return when(app_password.restrictions.expires_at)


def _facts(app_password: AppPassword) -> dict[str, Any]:
    use, refusal, limits = app_password.last_use, app_password.last_refusal, app_password.restrictions
    return {
        "id": app_password.id,
        "account_id": app_password.account_id,
        "description": app_password.description,
        "state": _state(app_password).replace(" ", "-"),
        "format": app_password.format,
        "mode": app_password.scope.mode,
        "permissions": app_password.scope.permissions,
        "protocols": app_password.scope.protocols,
        "expires_at": limits.expires_at,
        "idle_seconds": int(limits.idle_for.total_seconds()) if limits.idle_for else None,
        "network_rule": limits.network_rule,
        "allowed_ips": limits.allowed_ips,
        "pinned_network": str(limits.pinned_network) if limits.pinned_network else None,
        "created_at": app_password.created_at,
        "created_by": app_password.created_by,
        "lapsed_at": app_password.lapsed_at,
        "revoked_at": app_password.revoked_at,
        "revoked_by": app_password.revoked_by,
        "revoked_reason": app_password.revoked_reason,
        "last_use": {"at": use.at, "from": use.address, "protocol": use.protocol, "client": use.client} if use else None,
        "last_refusal": {
            "at": refusal.at, "from": refusal.address, "protocol": refusal.protocol, "reason": refusal.reason
        } if refusal else None,
    }  # fmt: skip


def _words(app_password: AppPassword, account: Account) -> dict[str, str]:
    can, cannot = describe(app_password.scope, account.rights)
    limits, refusal = app_password.restrictions, app_password.last_refusal
    maker = account.address if app_password.created_by == account.id else app_password.created_by
    networks = {
        NetworkRule.ANYWHERE: "anywhere",
        NetworkRule.ALLOWED: ", ".join(limits.allowed_ips),
        NetworkRule.PINNED: str(limits.pinned_network or "the network of the first login"),
    }
    return {
        "Name": app_password.description,
        "Id": app_password.id,
        "Account": account.address,
        "State": _state(app_password),
        "Protocols": ", ".join(sorted(app_password.scope.protocols)) or "none",
        "Can": ", ".join(map(str, can)) or "nothing",
        "Cannot": ", ".join(map(str, cannot)) or "–",
        "From": networks[limits.network_rule],
        "Expires": when(limits.expires_at),
        "Created": f"{when(app_password.created_at)} by {maker}",
        "Last used": " from ".join(_last_use(app_password)) if app_password.last_use else "never",
        "Last refused": f"{when(refusal.at)} from {refusal.address}: {refusal.reason}" if refusal else "never",
        "Revoked": f"{when(app_password.revoked_at)} ({app_password.revoked_reason or 'no reason given'})"
        if app_password.revoked_at
        else "no",
    }
