"""What is sent and answered: me."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

AccountKind = Literal["person", "shared"]  # Who is behind an account.

AccountState = Literal["active", "disabled"]  # Whether an account may log in at all.

Role = Literal["admin", "helpdesk", "auditor"]  # What somebody is in the console. Most people are nothing there.

Permission = Literal["read", "flag", "write", "delete", "folders", "send", "filters"]  # What may be done after login.


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account."""

    id: str
    address: str
    kind: AccountKind
    state: AccountState
    role: Role | None  # In the console; null is none.
    rights: tuple[Permission, ...]  # What its app passwords may be given at most.
    has_second_factor: bool
    created_at: datetime


Action = Literal[
    "own:read",
    "own:make",
    "own:revoke",
    "accounts:read",
    "accounts:create",
    "accounts:invite",
    "accounts:disable",
    "accounts:change",
    "roles:set",
    "app-passwords:read",
    "app-passwords:revoke",
    "connections:read",
    "connections:close",
    "logins:read",
    "policy:read",
    "policy:change",
    "audit:read",
    "audit:export",
    "tokens:read",
    "tokens:revoke",
    "servers:read",
    "second-factors:reset",
    "proposals:countersign",
]  # One thing that a role or an API token may permit. What is not listed is not permitted.


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token, without its secret."""

    id: str
    account_id: str
    name: str
    actions: tuple[Action, ...]  # What it may do, as long as its account may.
    allowed_ips: tuple[str, ...]  # From where; empty is anywhere.
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_address: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who a token acts for, and what it may do."""

    account: Account
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAccount:
    """An account, named."""

    id: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccount:
    """A shared account that one owns."""

    account: Account
    owners: tuple[NamedAccount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccounts:
    """The shared accounts that one owns."""

    items: tuple[SharedAccount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that is signed in to the portal, without anything that opens it."""

    id: str  # Its name; nothing is opened with it.
    client: str  # What the browser called itself.
    address: str
    created_at: datetime
    seen_at: datetime
    is_complete: bool  # False: the main password was right, the second factor is not given yet.


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """A part of the browsers that are signed in."""

    items: tuple[Session, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One record of the audit log."""

    number: int
    at: datetime
    actor: str  # An account's id, a token's id, cli or system.
    actor_address: str
    account_id: str | None
    credential_id: str | None
    kind: str
    said: str  # In a sentence.
    facts: dict[str, Any]
    hash: str  # Hexadecimal; each record's holds that of the one before.


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSignIn:
    """Sign-ins from one network with a wrong main password."""

    network: str
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """A part of the history of sign-ins, the newest first."""

    items: tuple[Audit, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.
    refused: tuple[
        RefusedSignIn, ...
    ]  # With a wrong main password, by network, the latest first; on the first page only.


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeAddress:
    """Where notices go beside the mailbox. It is changed in person only."""

    address: str | None  # null: to the mailbox alone.
    confirmed_at: datetime | None
    pending: str | None  # An address that waits to be confirmed.
    can_mail: bool  # Whether this site sends mail at all.


PermissionMode = Literal["inherit", "restrict", "replace"]  # How a credential's list stands to the account's rights.

MailProtocol = Literal["imap", "pop3", "smtp", "sieve"]  # The protocols a mail login can come through.


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an app password may do."""

    mode: PermissionMode  # inherit: all that the account may; restrict: less the list; replace: the list.
    permissions: tuple[Permission, ...]
    protocols: tuple[MailProtocol, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyMade:
    """A ready-made choice."""

    key: str
    title: str
    sentence: str
    scope: Scope
    needs_folders: bool  # It is for folders that have to be named, in restrictions.limits.


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyMadeList:
    """The ready-made choices."""

    items: tuple[ReadyMade, ...]
