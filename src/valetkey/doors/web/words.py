"""Facts in people's words: times, permissions, reasons, browsers."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from valetkey.core.app_password import AppPassword
from valetkey.core.login import Reason
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import READY_MADE, MailProtocol, Permission, PermissionMode, Scope, describe

PROTOCOLS = {
    MailProtocol.IMAP: "IMAP",
    MailProtocol.POP3: "POP3",
    MailProtocol.SMTP: "SMTP",
    MailProtocol.SIEVE: "ManageSieve",
}

PROTOCOL_USES = {
    MailProtocol.IMAP: "Reading mail",
    MailProtocol.POP3: "Fetching mail",
    MailProtocol.SMTP: "Sending mail",
    MailProtocol.SIEVE: "Editing filters",
}

ENCRYPTIONS = {"tls": "SSL/TLS", "starttls": "STARTTLS", "none": "None (this machine only)"}

PERMISSIONS = {
    Permission.READ: ("Read", "Open folders and messages"),
    Permission.FLAG: ("Mark", "Set read, answered, important"),
    Permission.WRITE: ("Save and move", "Keep drafts, copy and move messages"),
    Permission.DELETE: ("Delete", "Remove messages for good"),
    Permission.FOLDERS: ("Folders", "Make, rename and remove folders"),
    Permission.SEND: ("Send", "Send mail as you"),
    Permission.FILTERS: ("Filters", "Change filters and forwarding"),
}

_SHORT = {  # the ready-made choices, for a table's cell
    "mail-app": "Reads, sorts and sends mail",
    "mail-app-read-only": "Reads mail, changes nothing",
    "send-only": "Sends mail, reads nothing",
    "filters": "Edits filters and forwarding",
    "everything": "All that the account may do",
}

_REASONS = {
    Reason.WRONG_SECRET: "wrong password",
    Reason.ACCOUNT_DISABLED: "the account is disabled",
    Reason.KIND_NOT_ALLOWED: "the main password does not open mail; it needs an app password",
    Reason.REVOKED: "it was revoked",
    Reason.EXPIRED: "it had expired",
    Reason.IDLE: "it had not been used for too long",
    Reason.NETWORK: "wrong network",
    Reason.PROTOCOL: "this protocol is off for it",
    Reason.PERMISSION: "nothing that this protocol does is permitted to it",
    Reason.TLS_NEEDED: "the connection was not encrypted",
    Reason.THROTTLED: "too many wrong tries from there",
}

_MENDS = {
    Reason.EXPIRED: "Make a new one and put it in its place.",
    Reason.IDLE: "Make a new one and put it in its place.",
    Reason.NETWORK: "If that was you, make a new one that may be used from there.",
    Reason.PROTOCOL: "Set the program to another protocol, or make a new app password for it.",
    Reason.PERMISSION: "If the program needs more, make a new app password for it.",
    Reason.TLS_NEEDED: "Switch on TLS (SSL) in the program’s account settings.",
}

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_RECENT_DAYS = 30
_SOON = timedelta(days=14)
_STALE = timedelta(days=90)


def reason(stored: str) -> str:
    """Say why a login was refused."""
    try:
        return _REASONS[Reason(stored)]
    except ValueError:
        return stored


def mend(stored: str) -> str:
    """Say what the owner can do about a refusal, or nothing."""
    try:
        return _MENDS.get(Reason(stored), "")
    except ValueError:
        return ""


def ago(then: datetime, now: datetime) -> str:
    """Say how long ago something was; after a month, on which day."""
    seconds = int((now - then).total_seconds())
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{count(seconds // _MINUTE, 'minute')} ago"
    if seconds < _DAY:
        return f"{count(seconds // _HOUR, 'hour')} ago"
    days = seconds // _DAY
    return f"{count(days, 'day')} ago" if days <= _RECENT_DAYS else f"on {day(then)}"


def ahead(then: datetime, now: datetime) -> str:
    """Say how far ahead something is; beyond a month, on which day."""
    seconds = int((then - now).total_seconds())
    if seconds < _MINUTE:
        return "now"
    if seconds < _HOUR:
        return f"in {count(seconds // _MINUTE, 'minute')}"
    if seconds < _DAY:
        return f"in {count(seconds // _HOUR, 'hour')}"
    days = round(seconds / _DAY)
    return f"in {count(days, 'day')}" if days <= _RECENT_DAYS else f"on {day(then)}"


def day(moment: datetime) -> str:
    """Give a date as people write it, in UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def stamp(moment: datetime) -> str:
    """Give date and time, in UTC."""
    return f"{day(moment)}, {moment.astimezone(UTC):%H:%M} UTC"


def clock(moment: datetime) -> str:
    """Give the time of day, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def machine_time(moment: datetime) -> str:
    """Give the form for a `datetime` attribute."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def count(number: int, noun: str) -> str:
    """Count things: 1 minute, 2 minutes."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(items: tuple[str, ...], joint: str = "and") -> str:
    """Join words as a sentence does: a, b and c."""
    if len(items) < 2:  # noqa: PLR2004  (one needs no joint)
        return "".join(items)
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"


@dataclass(frozen=True, slots=True)
class ScopeWords:
    """A scope as the list and the pages show it."""

    title: str  # the ready-made choice it is, or what it mainly does
    can: str
    cannot: str
    protocols: str
    short: str  # for a table's cell

    @property
    def sentence(self) -> str:
        """What it can and cannot do, in one sentence."""
        if not self.can:
            return "It can do nothing with the account’s rights as they are now."
        return f"It can {self.can}." if not self.cannot else f"It can {self.can}. It cannot {self.cannot}."


def scope_words(scope: Scope, rights: frozenset[Permission]) -> ScopeWords:
    """Say what an app password may do, given the account's rights now."""
    can, cannot = describe(scope, rights)
    ready = next((choice for choice in READY_MADE if choice.scope == scope), None)
    protocols = tuple(name for protocol, name in PROTOCOLS.items() if protocol in scope.protocols)
    # The ready-made words are only true while the account's rights give all that they name.
    is_whole = scope.mode is PermissionMode.INHERIT or scope.effective(rights) == scope.permissions
    short = _SHORT[ready.key] if ready and is_whole else listed(can).capitalize() or "Nothing"
    return ScopeWords(
        ready.title if ready else "Chosen one by one", listed(can), listed(cannot, "or"), listed(protocols), short
    )


def networks_words(restrictions: Restrictions) -> str:
    """Say from where an app password may be used."""
    match restrictions.network_rule:
        case NetworkRule.ANYWHERE:
            return "From anywhere"
        case NetworkRule.ALLOWED:
            return f"Only from {listed(restrictions.allowed_ips)}"
        case NetworkRule.PINNED if restrictions.pinned_network is None:
            return "Only from the network where it is first used"
        case NetworkRule.PINNED:
            return f"Only from {restrictions.pinned_network}, where it was first used"


@dataclass(frozen=True, slots=True)
class State:
    """How an app password stands, as a pill: a tone for its colour and a few words."""

    tone: str
    text: str


def state_of(app_password: AppPassword, now: datetime) -> State:
    """Say the one thing about an app password that its owner should know first."""
    expires_at = app_password.restrictions.expires_at
    if app_password.revoked_at is not None:
        return State("past", "Revoked")
    if app_password.lapsed_at is not None or (expires_at is not None and expires_at <= now):
        return State("past", "Expired")
    use, refusal = app_password.last_use, app_password.last_refusal
    if refusal is not None and (use is None or refusal.at > use.at):
        return State("bad", "Refused")
    if expires_at is not None and expires_at - now < _SOON:
        return State("warn", f"Expires {ahead(expires_at, now)}")
    if use is None:
        return State("new", "Never used")
    if now - use.at > _STALE:
        return State("warn", f"Unused for {(now - use.at).days} days")
    return State("good", "In use")


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser(user_agent: str) -> str:
    """Say which browser this is, roughly."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or "Unknown browser"


# Characters that turn the direction of text, or hide in it.
_TRICKS = {
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x061C, 0x180E, 0xFEFF, 0x115F, 0x1160,
    0x3164, 0xFFA0, *range(0xE0000, 0xE0080),
}  # fmt: skip


def harmless(text: str) -> str:
    """Give text without characters that cannot be seen or that change how other text is read."""
    return "".join(
        c for c in text if ord(c) not in _TRICKS and (c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs", "Co"})
    )
