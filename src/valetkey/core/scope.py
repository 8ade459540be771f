"""What a credential may do: protocols, and permissions in people's words."""

from dataclasses import dataclass
from enum import StrEnum

from valetkey.core.errors import InvalidInput
from valetkey.core.sentence import Sentence, say


class MailProtocol(StrEnum):
    """The protocols a mail login can come through."""

    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    SIEVE = "sieve"


class Permission(StrEnum):
    """What may be done after login."""

    READ = "read"
    FLAG = "flag"
    WRITE = "write"  # append, copy, move
    DELETE = "delete"
    FOLDERS = "folders"
    SEND = "send"
    FILTERS = "filters"


ALL_PROTOCOLS = frozenset(MailProtocol)
ALL_PERMISSIONS = frozenset(Permission)

# Without one of these a protocol has nothing to offer, so the login is refused.
OPENS: dict[MailProtocol, frozenset[Permission]] = {
    MailProtocol.IMAP: frozenset({Permission.READ, Permission.WRITE}),
    MailProtocol.POP3: frozenset({Permission.READ}),
    MailProtocol.SMTP: frozenset({Permission.SEND}),
    MailProtocol.SIEVE: frozenset({Permission.FILTERS}),
}

# With all of these a session needs no command-by-command check.
UNLIMITED: dict[MailProtocol, frozenset[Permission]] = {
    MailProtocol.IMAP: frozenset(
        {Permission.READ, Permission.FLAG, Permission.WRITE, Permission.DELETE, Permission.FOLDERS}
    ),
    MailProtocol.POP3: frozenset({Permission.READ, Permission.FLAG, Permission.DELETE}),
    MailProtocol.SMTP: frozenset({Permission.SEND}),
    MailProtocol.SIEVE: frozenset({Permission.FILTERS}),
}


class PermissionMode(StrEnum):
    """How a credential's list stands to the account's rights."""

    INHERIT = "inherit"  # the account's
    RESTRICT = "restrict"  # the account's less the list
    REPLACE = "replace"  # the list


@dataclass(frozen=True, slots=True)
class Scope:
    """What a credential asks for; what it gets is `effective`, worked out again at each use."""

    mode: PermissionMode
    permissions: frozenset[Permission]
    protocols: frozenset[MailProtocol]

    def effective(self, rights: frozenset[Permission]) -> frozenset[Permission]:
        """Intersect with the account's rights as they are now, so that a scope never exceeds its account."""
        match self.mode:
            case PermissionMode.INHERIT:
                return rights
            case PermissionMode.RESTRICT:
                return rights - self.permissions
            case PermissionMode.REPLACE:
                return rights & self.permissions

    def is_within(self, other: "Scope") -> bool:
        """Tell whether this scope never gives more than another, whatever the account's rights are."""
        return self.protocols <= other.protocols and self.effective(ALL_PERMISSIONS) <= other.effective(ALL_PERMISSIONS)


def may_open(protocol: MailProtocol, permissions: frozenset[Permission]) -> bool:
    """Tell whether these permissions give a login through this protocol anything to do."""
    return bool(OPENS[protocol] & permissions)


def is_limited(protocol: MailProtocol, permissions: frozenset[Permission]) -> bool:
    """Tell whether a session must be checked command by command."""
    return not permissions >= UNLIMITED[protocol]


def check_scope(scope: Scope, rights: frozenset[Permission]) -> Scope:
    """Give a wanted scope back if a login could do anything with it.

    Raises:
        InvalidInput: No protocol, or none that these permissions give anything to do.
    """
    if not scope.protocols:
        raise InvalidInput("protocols", "Choose at least one protocol.")
    granted = scope.effective(rights)
    if not any(may_open(protocol, granted) for protocol in scope.protocols):
        raise InvalidInput("permissions", "With these permissions the app password could do nothing.")
    return scope


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A choice in the words of the person who makes an app password."""

    key: str
    title: Sentence
    sentence: Sentence  # what it can and cannot do
    scope: Scope
    needs_folders: bool = False  # it is for folders that have to be named (`core.limits`)


_MAIL = frozenset(
    {Permission.READ, Permission.FLAG, Permission.WRITE, Permission.DELETE, Permission.FOLDERS, Permission.SEND}
)
_CLIENT_PROTOCOLS = frozenset({MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP})

READY_MADE: tuple[ReadyMade, ...] = (
    ReadyMade(
        "mail-app",
        say("Mail app"),
        say("Reads, sorts and sends mail. Cannot change filters or forwarding."),
        Scope(PermissionMode.REPLACE, _MAIL, _CLIENT_PROTOCOLS),
    ),
    ReadyMade(
        "mail-app-read-only",
        say("Mail app, read only"),
        say("Reads mail in every folder and changes nothing. Cannot send, delete or mark anything."),
        Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset({MailProtocol.IMAP, MailProtocol.POP3})),
    ),
    ReadyMade(
        "send-only",
        say("Send only"),
        say("Sends mail, for a scanner, a website or an alarm. Cannot read a single message."),
        Scope(PermissionMode.REPLACE, frozenset({Permission.SEND}), frozenset({MailProtocol.SMTP})),
    ),
    ReadyMade(
        "named-folders",
        say("Archive or CRM"),
        say("Reads the folders that you name and changes nothing. Cannot send, delete or mark anything."),
        Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset({MailProtocol.IMAP})),
        needs_folders=True,
    ),
    ReadyMade(
        "filters",
        say("Filter editor"),
        say("Edits mail filters (Sieve), forwarding included. Cannot read or send mail."),
        Scope(PermissionMode.REPLACE, frozenset({Permission.FILTERS}), frozenset({MailProtocol.SIEVE})),
    ),
    ReadyMade(
        "everything",
        say("Everything"),
        say("Everything that your account may do, filters and forwarding included."),
        Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS),
    ),
)


def ready_made(key: str) -> ReadyMade | None:
    """Find a ready-made choice by its key."""
    return next((choice for choice in READY_MADE if choice.key == key), None)


# What each permission lets somebody do.
DOES = {
    Permission.READ: say("read mail"),
    Permission.FLAG: say("mark messages"),
    Permission.WRITE: say("save and move messages"),
    Permission.DELETE: say("delete messages"),
    Permission.FOLDERS: say("manage folders"),
    Permission.SEND: say("send mail"),
    Permission.FILTERS: say("change filters and forwarding"),
}


def describe(scope: Scope, rights: frozenset[Permission]) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """Say in words what a credential can do and what it cannot, given the account's rights now."""
    granted = scope.effective(rights)
    reachable = frozenset().union(*(UNLIMITED[p] for p in scope.protocols if may_open(p, granted)), frozenset())
    can = tuple(words for permission, words in DOES.items() if permission in granted & reachable)
    cannot = tuple(words for permission, words in DOES.items() if permission not in granted & reachable)
    return can, cannot
