"""Commands on accounts: create, invite, list, show, disable, enable, password, rights, aliases, owners, second factors."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

from typing import Annotated, Any

import typer

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.role import Role
from valetkey.core.scope import ALL_PERMISSIONS, Permission
from valetkey.doors.cli import inviting
from valetkey.doors.cli.administration import AccountWithNames, NewAccount
from valetkey.doors.cli.closed import closed_facts, closed_words
from valetkey.doors.cli.output import note, say, show_facts, show_json, show_table, tell_done, when
from valetkey.doors.cli.running import (
    Json,
    PasswordStdin,
    Running,
    ask_new_password,
    ask_password,
    fail,
)
from valetkey.service import accounts, second_factors, upstream_passwords
from valetkey.service.ports import OPERATOR

Address = Annotated[str, typer.Argument(help="The account's mail address, an alias, or its id.", show_default=False)]


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="Accounts: people, and shared mailboxes for machines.", no_args_is_help=True)
    _add_create(group, running)
    inviting.add_to(group, running)
    _add_looking(group, running)
    _add_state(group, running)
    _add_passwords(group, running)
    _add_rights(group, running)
    _add_role(group, running)
    group.add_typer(_alias_commands(running), name="alias")
    group.add_typer(_owner_commands(running), name="owner")
    return group


def _add_create(group: typer.Typer, running: Running) -> None:
    @group.command()
    def create(
        address: Annotated[str, typer.Argument(help="The mail address.", show_default=False)],
        shared: Annotated[
            bool, typer.Option("--shared", help="A mailbox of a machine or a team, with owners.")
        ] = False,
        admin: Annotated[bool, typer.Option("--admin", help="May see and revoke everybody's app passwords.")] = False,
        no_password: Annotated[bool, typer.Option("--no-password", help="Set the main password later.")] = False,
        password_stdin: PasswordStdin = False,
        as_json: Json = False,
    ) -> None:
        """Make an account. A person gets a main password for the portal, asked for here.

        Examples:
          [bold]valetkey account create alice@example.org[/bold]
          [bold]valetkey account create scanner@example.org --shared[/bold]
          [bold]valetkey account owner add scanner@example.org alice@example.org[/bold]
        """
        wants_password = not shared and not no_password and running.server is None
        password = ask_new_password(from_stdin=password_stdin) if wants_password else None
        kind = AccountKind.SHARED if shared else AccountKind.PERSON
        wanted = NewAccount(address, kind, password, Role.ADMIN if admin else None)
        account = running.on(lambda there: there.create_account(wanted))
        if as_json:
            show_json(_facts(account))
        else:
            say(f"{account.address} created ({kind.value}).")
            if shared:
                note(f"Give it an owner: valetkey account owner add {account.address} alice@example.org")
            elif running.server is not None:
                note(f"It has no main password yet: valetkey --server … account invite {account.address}")


def _add_looking(group: typer.Typer, running: Running) -> None:
    @group.command("list")
    def list_accounts(
        search: Annotated[str, typer.Option(help="Only addresses that contain this.")] = "",
        after: Annotated[str, typer.Option(help="Go on behind this address.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 1000,
        as_json: Json = False,
    ) -> None:
        """List accounts, in the order of their addresses.

        Example: [bold]valetkey account list --search example.org --json[/bold]
        """
        found = running.on(lambda there: there.accounts(search=search, after=after, limit=limit))
        if len(found) == limit:
            note(f"There may be more: --after {found[-1].address}")
        if as_json:
            show_json([_facts(account) for account in found])
            return
        rows = [[a.address, a.kind.value, a.state.value, "yes" if a.has_second_factor else "no", a.id] for a in found]
        show_table(
            ["ADDRESS", "KIND", "STATE", "2FA", "ID"], rows, empty="No accounts. Make one: valetkey account create"
        )

    @group.command()
    def show(address: Address, as_json: Json = False) -> None:
        """Show an account with its aliases, owners and second factors.

        Example: [bold]valetkey account show alice@example.org[/bold]
        """
        details = running.on(lambda there: there.details(address))
        if as_json:
            show_json(_all_facts(details))
        else:
            show_facts(_words(details))


def _add_state(group: typer.Typer, running: Running) -> None:
    @group.command()
    def disable(address: Address, as_json: Json = False) -> None:
        """Stop an account at once: no login anywhere, open connections are closed, portal sessions end.

        Example: [bold]valetkey account disable alice@example.org[/bold]
        """
        closed = running.on(lambda there: there.disable(address))
        facts = {"account": address, "state": AccountState.DISABLED} | closed_facts(closed)
        tell_done(f"{address} disabled, {closed_words(closed)}", facts, as_json=as_json)

    @group.command()
    def enable(address: Address, as_json: Json = False) -> None:
        """Let a disabled account log in again, with the app passwords it had.

        Example: [bold]valetkey account enable alice@example.org[/bold]
        """
        running.on(lambda there: there.enable(address))
        tell_done(f"{address} enabled.", {"account": address, "state": AccountState.ACTIVE}, as_json=as_json)

    @group.command("reset-2fa")
    def reset_second_factors(
        address: Address,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
        as_json: Json = False,
    ) -> None:
        """Remove all second factors and recovery codes of an account, whose owner lost them.

        Make sure by another way that it is the owner who asks. The next sign-in sets up a new one.

        Example: [bold]valetkey account reset-2fa alice@example.org[/bold]
        """
        running.must_be_here()
        if not yes:
            typer.confirm(f"Remove every second factor of {address}?", abort=True, err=True)
        running.on_account(address, lambda ports, account_id: second_factors.reset(ports, OPERATOR, account_id))
        facts = {"account": address, "has_second_factor": False}
        tell_done(f"The second factors of {address} are removed.", facts, as_json=as_json)


def _add_passwords(group: typer.Typer, running: Running) -> None:
    @group.command()
    def password(address: Address, password_stdin: PasswordStdin = False, as_json: Json = False) -> None:
        """Set the main password of a person. It is asked for, never an argument.

        Example: [bold]pass show alice | valetkey account password alice@example.org --password-stdin[/bold]
        """
        running.must_be_here()
        new = ask_new_password(from_stdin=password_stdin)
        running.on_account(
            address, lambda ports, account_id: accounts.set_main_password(ports, OPERATOR, account_id, new)
        )
        facts = {"account": address, "has_main_password": True}
        tell_done(f"The main password of {address} is set.", facts, as_json=as_json)

    @group.command("upstream-password")
    def upstream_password(
        address: Address,
        remove: Annotated[bool, typer.Option("--remove", help="Forget it.")] = False,
        password_stdin: PasswordStdin = False,
        as_json: Json = False,
    ) -> None:
        """Store the password that the gateway logs in to the mail server with (login = "stored-password").

        Example: [bold]valetkey account upstream-password alice@example.org[/bold]
        """
        running.must_be_here()
        new = None if remove else ask_password("Password at the mail server", from_stdin=password_stdin)
        running.on_account(
            address,
            lambda ports, account_id: upstream_passwords.set_upstream_password(ports, OPERATOR, account_id, new),
        )
        facts = {"account": address, "has_upstream_password": not remove}
        tell_done(f"The upstream password of {address} is {'removed' if remove else 'stored'}.", facts, as_json=as_json)


def _add_rights(group: typer.Typer, running: Running) -> None:
    @group.command()
    def rights(
        address: Address,
        granted: Annotated[
            list[str] | None,
            typer.Argument(
                help=f"From: {', '.join(sorted(ALL_PERMISSIONS))}; or all, or none.",
                autocompletion=lambda: sorted([*ALL_PERMISSIONS, "all", "none"]),
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Set what an account's app passwords may do at most; open connections that lose a right are closed.

        Example: [bold]valetkey account rights scanner@example.org send[/bold]
        """
        wanted = _permissions(granted or [])
        closed = running.on(lambda there: there.set_rights(address, wanted))
        sentence = f"{address} may: {', '.join(sorted(wanted)) or 'nothing'}. {closed_words(closed)}"
        tell_done(sentence, {"account": address, "rights": wanted} | closed_facts(closed), as_json=as_json)


def _add_role(group: typer.Typer, running: Running) -> None:
    @group.command()
    def role(
        address: Address,
        wanted: Annotated[
            str,
            typer.Argument(
                metavar="ROLE",
                help=f"{', '.join(Role)}; or none.",
                autocompletion=lambda: [*Role, "none"],
                show_default=False,
            ),
        ],
        as_json: Json = False,
    ) -> None:
        """Set what a person is in the console: admin, helpdesk, auditor, or none.

        Example: [bold]valetkey account role bob@example.org helpdesk[/bold]
        """
        if wanted not in {*Role, "none"}:
            fail(f"Name a role: {', '.join(Role)}; or none.", 2)
        new = None if wanted == "none" else Role(wanted)
        running.on_account(address, lambda ports, account_id: accounts.set_role(ports, OPERATOR, account_id, new))
        sentence = f"{address} is {new.value} in the console." if new else f"{address} has no role in the console."
        tell_done(sentence, {"account": address, "role": new}, as_json=as_json)


def _permissions(names: list[str]) -> frozenset[Permission]:
    words = [word for name in names for word in name.split(",") if word]
    if words == ["all"]:
        return ALL_PERMISSIONS
    if words == ["none"]:
        return frozenset()
    unknown = [word for word in words if word not in set(ALL_PERMISSIONS)]
    if unknown or not words:
        fail(f"Name what it may do: {', '.join(sorted(ALL_PERMISSIONS))}; or all, or none.", 2)
    return frozenset(Permission(word) for word in words)


def _alias_commands(running: Running) -> typer.Typer:
    group = typer.Typer(help="Further addresses that an account logs in with.", no_args_is_help=True)

    @group.command()
    def add(
        address: Address,
        alias: Annotated[str, typer.Argument(help="The further address.", show_default=False)],
        as_json: Json = False,
    ) -> None:
        """Add an alias.

        Example: [bold]valetkey account alias add alice@example.org al@example.org[/bold]
        """
        running.on(lambda there: there.add_alias(address, alias))
        tell_done(f"{address} can also log in as {alias}.", {"account": address, "alias": alias}, as_json=as_json)

    @group.command()
    def remove(
        address: Address,
        alias: Annotated[str, typer.Argument(help="The further address.", show_default=False)],
        as_json: Json = False,
    ) -> None:
        """Remove an alias.

        Example: [bold]valetkey account alias remove alice@example.org al@example.org[/bold]
        """
        running.on(lambda there: there.remove_alias(address, alias))
        tell_done(
            f"{address} can no longer log in as {alias}.", {"account": address, "removed": alias}, as_json=as_json
        )

    return group


def _owner_commands(running: Running) -> typer.Typer:
    group = typer.Typer(help="Who manages the app passwords of a shared account.", no_args_is_help=True)

    @group.command()
    def add(
        address: Address,
        owner: Annotated[str, typer.Argument(help="The person.", show_default=False)],
        as_json: Json = False,
    ) -> None:
        """Add an owner.

        Example: [bold]valetkey account owner add scanner@example.org alice@example.org[/bold]
        """
        running.on(lambda there: there.add_owner(address, owner))
        tell_done(f"{owner} owns {address}.", {"account": address, "owner": owner}, as_json=as_json)

    @group.command()
    def remove(
        address: Address,
        owner: Annotated[str, typer.Argument(help="The person.", show_default=False)],
        as_json: Json = False,
    ) -> None:
        """Remove an owner.

        Example: [bold]valetkey account owner remove scanner@example.org alice@example.org[/bold]
        """
        running.on(lambda there: there.remove_owner(address, owner))
        tell_done(f"{owner} no longer owns {address}.", {"account": address, "removed": owner}, as_json=as_json)

    return group


def _facts(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "address": account.address,
        "kind": account.kind,
        "state": account.state,
        "rights": account.rights,
        "has_second_factor": account.has_second_factor,
        "role": account.role.value if account.role else None,
        "is_admin": account.role is Role.ADMIN,  # what 0.1 said in place of a role
        "created_at": account.created_at,
    }


def _all_facts(details: AccountWithNames) -> dict[str, Any]:
    return {
        **_facts(details.account),
        "aliases": details.aliases,
        "owners": details.owners,
        "owned": details.owned,
        "second_factors": [
            {
                "id": one.id,
                "name": one.name,
                "created_at": one.created_at,
                "last_used_at": one.last_used_at,
                "kind": one.kind,
            }
            for one in details.second_factors
        ],
        "recovery_codes_left": details.recovery_codes_left,
        "has_main_password": details.has_main_password,
        "has_upstream_password": details.has_upstream_password,
    }


def _words(details: AccountWithNames) -> dict[str, str]:
    account = details.account
    return {
        "Address": account.address,
        "Id": account.id,
        "Kind": account.kind.value + (f", {account.role.value}" if account.role else ""),
        "State": account.state.value,
        "May at most": ", ".join(sorted(account.rights)) or "nothing",
        "Aliases": ", ".join(details.aliases) or "none",
        "Owners": ", ".join(details.owners) or "none",
        "Owns": ", ".join(details.owned) or "nothing",
        "Second factors": ", ".join(one.name for one in details.second_factors) or "none",
        "Recovery codes": f"{details.recovery_codes_left} left",
        "Main password": "set" if details.has_main_password else "not set",
        "Upstream password": "stored" if details.has_upstream_password else "not stored",
        "Created": when(account.created_at),
    }
