"""Limits below the permissions: which folders, which senders and recipients, how much in a day; and who can hold them."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, assert_never

from valetkey.core.account import canonical_domain, canonical_login_name, canonical_or_nobodys
from valetkey.core.errors import InvalidInput
from valetkey.core.scope import MailProtocol, Permission, ReadyMade, is_limited

_MOST_ENTRIES = 50
_LONGEST_FOLDER = 200  # characters
_MOST = 1_000_000
_BENEATH = "/*"
_LEADS_ON = frozenset("%!")  # the routes of old: RFC 1123 5.2.16, and those of UUCP
_JOINERS = str.maketrans("", "", "\u200c\u200d")  # not seen, and part of how Persian and Indic names are written


class Held(StrEnum):
    """What whoever carries a session can hold it to, after the login was allowed."""

    PERMISSIONS = "permissions"  # reading without changing, and the like
    FOLDERS = "folders"
    SENDING = "sending"  # senders, recipients, and counts per day and message
    RECIPIENTS = "recipients"  # of one message, how many; who holds sending holds this too


EVERYTHING_HELD = frozenset(Held)
_NOTHING: frozenset[Held] = frozenset()
_ONLY_PERMISSIONS = frozenset({Held.PERMISSIONS})


class Overstep(StrEnum):
    """Which limit of sending is overstepped."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    RECIPIENTS_PER_MESSAGE = "recipients-per-message"
    MESSAGES_PER_DAY = "messages-per-day"
    RECIPIENTS_PER_DAY = "recipients-per-day"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one credential. What is empty or None limits nothing."""

    folders: tuple[str, ...] = ()  # mailbox names with "/" between levels; "Name/*" is what lies in Name
    senders: tuple[str, ...] = ()  # canonical addresses, or "@domain"
    recipients: tuple[str, ...] = ()  # the same
    messages_per_day: int | None = None  # of a day in UTC
    recipients_per_day: int | None = None
    recipients_per_message: int | None = None

    @property
    def limit_sending(self) -> bool:
        """Whether anything about sending is limited."""
        return self.limit_more_than_messages or self.recipients_per_message is not None

    @property
    def limit_more_than_messages(self) -> bool:
        """Whether sending is limited by more than the number of recipients of each message."""
        return bool(self.senders or self.recipients) or self.limit_days

    @property
    def limit_days(self) -> bool:
        """Whether what is sent in a day is limited, so that it has to be counted."""
        return self.messages_per_day is not None or self.recipients_per_day is not None

    @property
    def limit_counts(self) -> bool:
        """Whether each message has to be looked at for its number, or that of its recipients."""
        return self.limit_days or self.recipients_per_message is not None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a credential has sent today."""

    messages: int = 0
    recipients: int = 0


def needed(protocol: MailProtocol, permissions: frozenset[Permission], limits: Limits) -> frozenset[Held]:
    """Tell what a session of this protocol has to be held to after its login."""
    if limits is NO_LIMITS:  # as of nearly every login
        return _ONLY_PERMISSIONS if is_limited(protocol, permissions) else _NOTHING
    wanted = set()
    if is_limited(protocol, permissions):
        wanted.add(Held.PERMISSIONS)
    if protocol is MailProtocol.IMAP and limits.folders:
        wanted.add(Held.FOLDERS)
    if protocol is MailProtocol.SMTP and limits.limit_sending:
        wanted.add(Held.SENDING if limits.limit_more_than_messages else Held.RECIPIENTS)
    return frozenset(wanted)


def limits_of(protocol: MailProtocol, limits: Limits) -> Limits:
    """Give the part of limits that a session of this protocol has anything to do with."""
    match protocol:
        case MailProtocol.IMAP | MailProtocol.POP3:
            return Limits(folders=limits.folders)
        case MailProtocol.SMTP:
            return replace(limits, folders=())
        case MailProtocol.SIEVE:
            return NO_LIMITS
        case _:
            assert_never(protocol)


def permits_folder(limits: Limits, name: str) -> bool:
    """Tell whether a mailbox, written with "/" between its levels, may be used; INBOX in any case (RFC 9051 5.1)."""
    return not limits.folders or any(_covers(entry, _folder(name)) for entry in limits.folders)


def permits_sender(limits: Limits, address: str) -> bool:
    """Tell whether mail may be sent as this address; the empty one (RFC 5321 4.5.5) only where senders are not limited."""
    return not limits.senders or _is_named(address, limits.senders)


def permits_recipient(limits: Limits, address: str) -> bool:
    """Tell whether mail may be sent to this address.

    A domain in the list is not for what leads on from there to another (user%elsewhere@here, elsewhere!user@here):
    Postfix, as it comes, sends that on for whoever has logged in.
    """
    if not limits.recipients:
        return True
    leads_on = bool(_LEADS_ON.intersection(address))
    return _is_named(address, tuple(each for each in limits.recipients if not (leads_on and each.startswith("@"))))


def permits_message(limits: Limits, sent: Sent, recipients: int) -> bool:
    """Tell whether one more message to so many recipients may be sent today."""
    return overstep_of_message(limits, sent, recipients) is None


def overstep_of_message(limits: Limits, sent: Sent, recipients: int) -> Overstep | None:
    """Give the first limit that one more message to so many recipients today would overstep."""
    if not _fits(recipients, limits.recipients_per_message):
        return Overstep.RECIPIENTS_PER_MESSAGE
    if not _fits(sent.messages + 1, limits.messages_per_day):
        return Overstep.MESSAGES_PER_DAY
    if not _fits(sent.recipients + recipients, limits.recipients_per_day):
        return Overstep.RECIPIENTS_PER_DAY
    return None


def check_limits(wanted: Limits) -> Limits:
    """Give wanted limits as they are stored.

    Raises:
        InvalidInput: A name, an address or a number that cannot be.
    """
    for field in ("messages_per_day", "recipients_per_day", "recipients_per_message"):
        _check_count(field, getattr(wanted, field))
    return Limits(
        _checked("folders", wanted.folders, _check_folder),
        _checked("senders", wanted.senders, _check_address),
        _checked("recipients", wanted.recipients, _check_address),
        wanted.messages_per_day,
        wanted.recipients_per_day,
        wanted.recipients_per_message,
    )


def check_choice(choice: ReadyMade, limits: Limits) -> None:
    """Let pass limits that have what a ready-made choice is made for.

    Raises:
        InvalidInput: It is for named folders, and none is named.
    """
    if choice.needs_folders and not limits.folders:
        raise InvalidInput("folders", "Name at least one folder that it may read.")


def limit_facts(limits: Limits) -> dict[str, Any]:
    """Give those limits that limit anything, in values that JSON has."""
    found = {each.name: getattr(limits, each.name) for each in fields(limits)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value}


def limits_within(new: Limits, old: Limits) -> bool:
    """Tell whether new limits surely never permit what the old ones do not."""
    return (
        (not old.folders or (bool(new.folders) and all(_folder_within(each, old) for each in new.folders)))
        and (not old.senders or (bool(new.senders) and all(_is_listed(each, old.senders) for each in new.senders)))
        and (
            not old.recipients
            or (bool(new.recipients) and all(_is_listed(each, old.recipients) for each in new.recipients))
        )
        and _not_more(new.messages_per_day, old.messages_per_day)
        and _not_more(new.recipients_per_day, old.recipients_per_day)
        and _not_more(new.recipients_per_message, old.recipients_per_message)
    )


def _covers(entry: str, name: str) -> bool:
    if entry.endswith(_BENEATH):
        return name.startswith(entry[:-1])
    return name == entry


def _folder(name: str) -> str:
    first, slash, rest = name.partition("/")
    # Only its ASCII letters have two cases here: there are others that become an I when they are made large.
    return "INBOX" + slash + rest if first.isascii() and first.upper() == "INBOX" else name


def _folder_within(entry: str, old: Limits) -> bool:
    return entry in old.folders or any(each.endswith(_BENEATH) and entry.startswith(each[:-1]) for each in old.folders)


def _is_named(address: str, entries: tuple[str, ...]) -> bool:
    canonical = canonical_or_nobodys(address)
    return bool(canonical) and _is_listed(canonical, entries)


def _is_listed(entry: str, entries: tuple[str, ...]) -> bool:
    return entry in entries or entry[entry.rfind("@") :] in entries


def _fits(count: int, most: int | None) -> bool:
    return most is None or count <= most


def _not_more(new: int | None, old: int | None) -> bool:
    return old is None or (new is not None and new <= old)


def _check_count(field: str, count: int | None) -> None:
    if count is not None and not 0 < count <= _MOST:
        raise InvalidInput(field, "Choose a number between 1 and 1,000,000.")


def _checked(field: str, entries: Iterable[str], check: Callable[[str, str], str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(check(field, entry.strip()) for entry in entries if entry.strip()))
    if len(found) > _MOST_ENTRIES:
        raise InvalidInput(field, "List 50 entries at most.")
    return found


def _check_folder(field: str, entry: str) -> str:
    name = unicodedata.normalize("NFC", entry)
    plain = name.removesuffix(_BENEATH)
    can_be_shown = len(name) <= _LONGEST_FOLDER and name.translate(_JOINERS).isprintable()
    if not can_be_shown or "" in plain.split("/") or "*" in plain or "%" in plain:
        raise InvalidInput(field, "Write the name of a folder, such as Archive, or Archive/* for what lies in it.")
    return _folder(name)


def _check_address(field: str, entry: str) -> str:
    local, at, domain = entry.rpartition("@")
    try:
        return canonical_login_name(entry) if local or not at else f"@{canonical_domain(domain)}"
    except InvalidInput:
        text = "Write an address such as anna@example.org, or @example.org for all of a domain."
        raise InvalidInput(field, text) from None
