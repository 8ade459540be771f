"""Commands on app passwords: list, show, revoke; create, edit and rotate for an account that one owns."""

# ruff: noqa: FBT002, PLR0917  (typer takes a command's options from its parameters)

from dataclasses import replace
from typing import Annotated

import typer

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword, SecretFormat
from valetkey.core.limits import Limits, Sent
from valetkey.core.scope import READY_MADE, ready_made
from valetkey.doors.cli.administration import Administration, Edit, NewAppPassword
from valetkey.doors.cli.app_password_facts import expiry, facts, last_use, state, words
from valetkey.doors.cli.as_person import AsPerson, Code, SigningIn, acting_on
from valetkey.doors.cli.closed import closed_facts, closed_words
from valetkey.doors.cli.limit_options import (
    UNLIMITED,
    Folders,
    MessagesPerDay,
    Recipients,
    RecipientsPerDay,
    RecipientsPerMessage,
    Senders,
    given,
)
from valetkey.doors.cli.output import note, say, show_facts, show_json, show_table, tell_done
from valetkey.doors.cli.running import Json, PasswordStdin, Running, fail
from valetkey.service import rotation
from valetkey.service.app_passwords import RevokedAll

_CHOICES = ", ".join(choice.key for choice in READY_MADE)
Address = Annotated[str, typer.Argument(help="The account's mail address or id.", show_default=False)]
_OVERLAPS = dict(zip(("none", "1h", "1d", "7d", "30d"), rotation.OVERLAPS, strict=True))
Id = Annotated[str, typer.Argument(help="The app password's id, such as ap_…", show_default=False)]


def commands(running: Running) -> typer.Typer:
    """Build the commands."""
    group = typer.Typer(help="App passwords: see them, revoke them, make them for machines.", no_args_is_help=True)
    _add_looking(group, running)
    _add_revoke(group, running)
    _add_create(group, running)
    _add_edit(group, running)
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
        found = running.on(lambda there: there.app_passwords(address, live_only=not everything))
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

        async def look(there: Administration) -> tuple[AppPassword, Account, Sent]:
            one, account = await there.app_password(credential)
            return one, account, await there.sent_today(credential) if one.restrictions.limits.limit_days else Sent()

        app_password, account, sent = running.on(look)
        if as_json:
            today = {"messages": sent.messages, "recipients": sent.recipients}
            counted = {"sent_today": today} if app_password.restrictions.limits.limit_days else {}
            show_json(facts(app_password) | {"address": account.address} | counted)
        else:
            show_facts(words(app_password, account, sent))


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
        if all_of:
            every = running.on(lambda there: there.revoke_all(what, reason))
            done = every.app_passwords
        else:
            done = (running.on(lambda there: there.revoke(what, reason)),)
            every = RevokedAll(done, done[0].closed)
        missed = every.closed.not_told
        if as_json:
            show_json([facts(a.app_password) | closed_facts(replace(a.closed, not_told=missed)) for a in done])
            return
        for entry in done:
            say(f"“{entry.app_password.description}” revoked, {closed_words(entry.closed)}")
        if all_of and (every.closed.servers or missed):
            say(f"All together: {closed_words(every.closed)}")
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
        folder: Folders = None,
        sender: Senders = None,
        recipient: Recipients = None,
        messages_per_day: MessagesPerDay = None,
        recipients_per_day: RecipientsPerDay = None,
        recipients_per_message: RecipientsPerMessage = None,
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
          [bold]valetkey app-password create sales@example.org CRM --for named-folders --folder Customers[/bold]
        """
        ready = ready_made(choice)
        if ready is None:
            fail(f"There is no “{choice}”. Choose one of: {_CHOICES}.", 2)
        if ready.needs_folders and not folder:
            fail("Name the folders that it may read with --folder.", 2)
        limits = given(
            folders=folder,
            senders=sender,
            recipients=recipient,
            messages_per_day=messages_per_day,
            recipients_per_day=recipients_per_day,
            recipients_per_message=recipients_per_message,
        )
        form = SecretFormat.DEVICE if device else SecretFormat.DEFAULT
        wanted = NewAppPassword(description, ready, form, days, tuple(network or ()), Limits(**limits))
        signing_in = SigningIn(as_person, code, password_stdin)
        made = acting_on(running, signing_in, lambda there: there.make_app_password(address, wanted))
        if as_json:
            show_json(facts(made.app_password) | {"secret": made.secret})
        else:
            say(made.secret)
            note(f"This is shown once. {ready.sentence}")


def _add_edit(group: typer.Typer, running: Running) -> None:
    @group.command()
    def edit(
        credential: Id,
        name: Annotated[str | None, typer.Option(help="Another name.")] = None,
        folder: Folders = None,
        sender: Senders = None,
        recipient: Recipients = None,
        messages_per_day: MessagesPerDay = None,
        recipients_per_day: RecipientsPerDay = None,
        recipients_per_message: RecipientsPerMessage = None,
        lift: Annotated[
            list[str] | None, typer.Option(help=f"Lift a limit: {', '.join(UNLIMITED)}. May be repeated.")
        ] = None,
        as_person: AsPerson = None,
        code: Code = "",
        password_stdin: PasswordStdin = False,
        as_json: Json = False,
    ) -> None:
        """Rename an app password or change its limits; what is given takes the place of what was, the rest stays.

        Connections that may no longer do what they do are closed.

        Examples:
          [bold]valetkey app-password edit ap_k3q7… --name "Scanner, second floor" --messages-per-day 50[/bold]
          [bold]valetkey app-password edit ap_k3q7… --folder Archive --folder "Archive/*" --as alice@example.org[/bold]
          [bold]valetkey app-password edit ap_k3q7… --lift recipients[/bold]
        """
        limits = given(
            folders=folder,
            senders=sender,
            recipients=recipient,
            messages_per_day=messages_per_day,
            recipients_per_day=recipients_per_day,
            recipients_per_message=recipients_per_message,
        )
        for each in lift or ():
            if each not in UNLIMITED:
                fail(f"There is no limit “{each}”. Choose one of: {', '.join(UNLIMITED)}.", 2)
            field, nothing = UNLIMITED[each]
            limits[field] = nothing
        if name is None and not limits:
            fail("Say what shall be otherwise: --name, a limit, or --lift.", 2)
        wanted = Edit(name, limits)
        done = acting_on(
            running, SigningIn(as_person, code, password_stdin), lambda there: there.edit(credential, wanted)
        )
        tell_done(f"“{done.description}” changed.", facts(done), as_json=as_json)


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
        signing_in = SigningIn(as_person, code, password_stdin)
        done = acting_on(running, signing_in, lambda there: there.rotate(credential, _OVERLAPS[overlap]))
        replaced = done.replaced or done.app_password
        if as_json:
            shown = facts(done.app_password) | {"secret": done.secret} | closed_facts(done.closed)
            show_json(shown | {"replaced": facts(replaced)})
            return
        say(done.secret)
        until = f"works until {expiry(replaced)}" if replaced.is_live else "has stopped working"
        note(f"This is shown once. The old one {until}.")
