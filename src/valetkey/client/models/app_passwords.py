"""What is sent and answered: app passwords."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from valetkey.client.models.accounts import ServerClosed
from valetkey.client.models.me import MailProtocol, Permission, PermissionMode, Scope
from valetkey.client.unsaid import UNSAID, Unsaid

SecretFormat = Literal["default", "device"]  # How a secret is written.

NetworkRule = Literal["anywhere", "allowed", "pinned"]  # From where a credential may be used.


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What it may do only so far. What is empty or null is not limited."""

    folders: tuple[str, ...]  # Those that it sees through IMAP; Name/* is what lies in Name.
    senders: tuple[str, ...]  # As whom it sends through SMTP: addresses, or domains with @ in front.
    recipients: tuple[str, ...]  # To whom it sends, written like senders.
    messages_per_day: int | None  # Of a day in UTC.
    recipients_per_day: int | None  # Of a day in UTC.
    recipients_per_message: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """From where, until when and how far it works."""

    expires_at: datetime | None
    idle_for: int | None  # Seconds: unused for so long, it stops working.
    network_rule: NetworkRule
    allowed_ips: tuple[str, ...]
    pinned_network: str | None  # The network of the first login, for network_rule pinned.
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A login."""

    at: datetime
    address: str
    protocol: MailProtocol
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A login that was refused although the secret was right."""

    at: datetime
    address: str
    protocol: MailProtocol
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPassword:
    """An app password, without its secret."""

    id: str
    account_id: str
    description: str
    format: SecretFormat
    scope: Scope
    restrictions: Restrictions
    is_live: bool  # Neither revoked nor seen expired.
    ends_at: datetime | None  # When it ends under the policy that holds, which may be sooner; null: never.
    stops_unused_after: int | None  # Seconds, under the policy that holds; null: never.
    created_at: datetime
    created_by: str  # An account's id, a token's id, or cli.
    created_from: str
    lapsed_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_reason: str | None
    last_use: Use | None
    last_refusal: Refusal | None
    rotated_from: str | None  # In whose place it was put.


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordPage:
    """A part of one account's app passwords."""

    items: tuple[AppPassword, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeWanted:
    """What an app password shall be able to do."""

    mode: PermissionMode
    permissions: tuple[Permission, ...] = ()
    protocols: tuple[MailProtocol, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsWanted:
    """What it shall do only so far. A mail server that cannot hold it to its limits refuses it."""

    folders: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    messages_per_day: int | None = None
    recipients_per_day: int | None = None
    recipients_per_message: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionsWanted:
    """From where, until when and how far it shall work."""

    expires_at: datetime | None = None
    idle_for: int | None = None  # Seconds: unused for so long, it stops working.
    network_rule: NetworkRule = "anywhere"
    allowed_ips: tuple[str, ...] = ()
    limits: LimitsWanted | None = None  # null: none.


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordMade:
    """A new app password with its secret, which is never to be had again."""

    app_password: AppPassword
    secret: str | None = field(repr=False)  # Shown once; null in a repetition.
    replayed: bool = False  # Whether this repeats an earlier answer.


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordChanged:
    """An app password after it was revoked or changed."""

    closed: int  # Mail connections that were closed, here and at mail servers that were told.
    servers: tuple[ServerClosed, ...] = ()  # Of these, those at mail servers that were told.
    not_told: tuple[str, ...] = ()  # Mail servers that could not be told yet. Valetkey goes on trying for a day.
    app_password: AppPassword


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordsRevoked:
    """What was revoked. With each are those of its connections that were open here; `closed` is all together."""

    closed: int  # Mail connections that were closed, here and at mail servers that were told.
    servers: tuple[ServerClosed, ...] = ()  # Of these, those at mail servers that were told.
    not_told: tuple[str, ...] = ()  # Mail servers that could not be told yet. Valetkey goes on trying for a day.
    items: tuple[AppPasswordChanged, ...]


AppPasswordFilter = Literal[
    "live", "never-used", "unused-90-days", "no-expiry", "broad-scope", "refused", "revoked", "expired"
]  # Which app passwords the console lists.


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordOfAccount:
    """An app password with the address of its account."""

    app_password: AppPassword
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllAppPasswordPage:
    """A part of everybody's app passwords."""

    items: tuple[AppPasswordOfAccount, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyPlanned:
    """What revoking them would do."""

    app_passwords: int
    people: int
    connections: int | None  # null: it cannot be asked now.
    skipped: int  # Unknown, revoked already, or of somebody with a role that you have not.


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyRevoked:
    """What revoking them did."""

    closed: int  # Mail connections that were closed, here and at mail servers that were told.
    servers: tuple[ServerClosed, ...] = ()  # Of these, those at mail servers that were told.
    not_told: tuple[str, ...] = ()  # Mail servers that could not be told yet. Valetkey goes on trying for a day.
    revoked: int
    people: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsChange:
    """What of its limits shall be otherwise. What is left out stays; null or an empty list lifts it."""

    folders: Unsaid | tuple[str, ...] | None = UNSAID
    senders: Unsaid | tuple[str, ...] | None = UNSAID
    recipients: Unsaid | tuple[str, ...] | None = UNSAID
    messages_per_day: Unsaid | int | None = UNSAID
    recipients_per_day: Unsaid | int | None = UNSAID
    recipients_per_message: Unsaid | int | None = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionsChange:
    """What of from where, until when and how far shall be otherwise. What is left out stays; null lifts it."""

    expires_at: Unsaid | datetime | None = UNSAID
    idle_for: Unsaid | int | None = UNSAID  # Seconds: unused for so long, it stops working.
    network_rule: Unsaid | NetworkRule | None = UNSAID
    allowed_ips: Unsaid | tuple[str, ...] | None = UNSAID
    limits: Unsaid | LimitsChange | None = UNSAID  # null lifts them all.


Overstep = Literal[
    "sender", "recipient", "recipients-per-message", "messages-per-day", "recipients-per-day"
]  # Which limit of sending is overstepped.


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How often a limit stopped a message or a recipient."""

    why: Overstep
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What it has sent on a day, as far as a server counted that holds it to an amount."""

    day: str  # In UTC.
    messages: int
    recipients: int
    stopped: tuple[Stopped, ...] = ()  # What its limits stopped in the last 30 days.


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordRotated:
    """A new app password with its secret, and the one whose place it takes."""

    closed: int  # Mail connections that were closed, here and at mail servers that were told.
    servers: tuple[ServerClosed, ...] = ()  # Of these, those at mail servers that were told.
    not_told: tuple[str, ...] = ()  # Mail servers that could not be told yet. Valetkey goes on trying for a day.
    app_password: AppPassword
    secret: str | None = field(repr=False)  # Shown once; null in a repetition.
    replaced: AppPassword
    replayed: bool = False  # Whether this repeats an earlier answer.
