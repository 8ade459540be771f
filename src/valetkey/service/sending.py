"""What a login may send: senders, recipients and counts of its app password; for our gateway and for Postfix.

A message is counted where it was accepted, once, by the same transaction that finds a place for it in the day's count:
two messages at the same time cannot both take the last one.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from valetkey.core.account import canonical_or_nobodys
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Unavailable
from valetkey.core.limits import (
    Limits,
    Overstep,
    Sent,
    overstep_of_message,
    permits_recipient,
    permits_sender,
)
from valetkey.core.login import CannotTell, Grant
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.tagged_name import tagged
from valetkey.service.ports import Ports, Reader, Writer
from valetkey.service.tallies import NotSent

STOPPED_FOR = timedelta(days=30)  # what limits stopped is told for so long
_MOST_OCTETS = 90_000  # of all owners of an address, with what stands between; Postfix takes 100,000
_EXTENSION = "+"  # as Debian sets up Postfix (recipient_delimiter), and as most others do
# Postfix takes the owners of an address for a list with commas or white space between.
_BETWEEN_OWNERS = frozenset(", \t\r\n")


@dataclass(frozen=True, slots=True)
class Stopped:
    """How often a limit stopped a message or a recipient of an app password, and when last."""

    why: Overstep
    count: int
    last_at: datetime


def judge_sender(limits: Limits, sender: str) -> Overstep | None:
    """Tell whether mail may be sent as this address; "" is the empty return path."""
    return None if permits_sender(limits, sender) else Overstep.SENDER


async def judge_recipient(
    ports: Ports, grant: Grant, sender: str, recipient: str, *, recipients: int = 1
) -> Overstep | CannotTell | None:
    """Tell whether a login may send from this address to that one, as far as can be told before the message. Counts nothing.

    Args:
        ports: What the verbs work with.
        grant: Of the login.
        sender: The return path; "" is the empty one.
        recipient: Whom to.
        recipients: How many recipients the message has with this one, as far as is known.

    Returns:
        The limit that it oversteps; None: it may pass.
    """
    if (overstep := judge_sender(grant.limits, sender)) is not None:
        return overstep
    if not permits_recipient(grant.limits, recipient):
        return Overstep.RECIPIENT
    return await judge_message(ports, grant, recipients)


async def judge_message(ports: Ports, grant: Grant, recipients: int) -> Overstep | CannotTell | None:
    """Tell whether one more message to so many recipients has its place today. Counts nothing."""
    if grant.credential_id is None or not grant.limits.limit_days:
        return overstep_of_message(grant.limits, Sent(), recipients)
    credential_id, day = grant.credential_id, today(ports)
    try:
        sent = await ports.store.read(lambda reader: reader.sent_on(credential_id, day))
    except Unavailable as fault:
        return CannotTell(str(fault))
    return overstep_of_message(grant.limits, sent, recipients)


async def count_message(
    ports: Ports, grant: Grant, recipients: int, *, day: date | None = None
) -> Overstep | CannotTell | None:
    """Take a place in the day's count for a message to so many recipients; one that has none counts nothing.

    Called once for each message, when it is there as a whole. Nothing is counted where no day is limited.

    Args:
        ports: What the verbs work with.
        grant: Of the login.
        recipients: How many recipients the message has.
        day: Of which the place is; None: today.

    Returns:
        The limit that it oversteps; None: it may be sent, and is counted.
    """
    if grant.credential_id is None or not grant.limits.limit_days:
        return overstep_of_message(grant.limits, Sent(), recipients)
    credential_id, counted = grant.credential_id, day or today(ports)

    def take(writer: Writer) -> Overstep | None:
        overstep = overstep_of_message(grant.limits, writer.sent_on(credential_id, counted), recipients)
        if overstep is None:
            writer.count_sent(credential_id, counted, recipients)
        return overstep

    try:
        return await ports.store.write(take)
    except Unavailable as fault:
        return CannotTell(str(fault))


async def uncount_message(ports: Ports, grant: Grant, recipients: int, day: date) -> None:
    """Give back the place of a message that was counted on a day and then not taken.

    What cannot be given back stays counted: less may be sent, never more.
    """
    credential_id = grant.credential_id
    if credential_id is None or not grant.limits.limit_days:
        return
    with suppress(Unavailable):
        await ports.store.write(lambda writer: writer.uncount_sent(credential_id, day, recipients))


async def owners_of(ports: Ports, address: str) -> tuple[str, ...]:
    """List the names of logins that may send as an address: its account's, with and without the tags of app passwords.

    An address is its account's if it is the primary one or an alias, or one of these with an extension behind a "+"
    (Postfix asks for the whole address alone). A limit of senders narrows that, and never gives an app password an
    address that its account has not. Who owns a shared account sends as it with an app password of the shared account.

    Raises:
        Unavailable: The store failed.
    """
    local, at, _ = address.rpartition("@")
    name = canonical_or_nobodys(address) if local and at else ""

    def look(reader: Reader) -> tuple[str, ...]:
        account = reader.account_by_address(name) or reader.account_by_address(_without_extension(name))
        if account is None or _BETWEEN_OWNERS & set(account.address):
            return ()
        found = reader.app_passwords(account.id, live_only=True)
        names = (tagged(account.address, each.id) for each in found if _may_send_as(each, account.rights, name))
        owners = (account.address, *names)  # the newest app passwords first
        return owners[: _MOST_OCTETS // max(len(f"{each},".encode()) for each in owners)]

    return await ports.store.read(look)


def _without_extension(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition(_EXTENSION)[0]}@{domain}"


def _may_send_as(app_password: AppPassword, rights: frozenset[Permission], address: str) -> bool:
    scope = app_password.scope
    may_send = MailProtocol.SMTP in scope.protocols and Permission.SEND in scope.effective(rights)
    return may_send and permits_sender(app_password.restrictions.limits, address)


def note_stopped(ports: Ports, credential_id: str | None, why: Overstep) -> None:
    """Count for the owner's eyes that a limit stopped a message or a recipient; written a few seconds later."""
    if credential_id is not None:
        ports.recorder.count(NotSent(credential_id, today(ports), why), ports.clock.now())


def stopped_in(reader: Reader, credential_id: str, now: datetime) -> tuple[Stopped, ...]:
    """Tell which limits of an app password stopped something in the last 30 days, the latest first."""
    found: dict[Overstep, Stopped] = {}
    for what, tally in reader.not_sent(credential_id, (now - STOPPED_FOR).date()).items():
        known = found.get(what.why, Stopped(what.why, 0, tally.last_at))
        found[what.why] = Stopped(what.why, known.count + tally.count, max(known.last_at, tally.last_at))
    return tuple(sorted(found.values(), key=lambda one: one.last_at, reverse=True))


def today(ports: Ports) -> date:
    """Give the day, in UTC, that is counted now."""
    return ports.clock.now().date()
