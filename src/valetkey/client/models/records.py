"""What is sent and answered: records."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from valetkey.client.models.app_passwords import AppPassword
from valetkey.client.models.me import Audit, MailProtocol

Kind = Literal["logins", "refusals", "changes"]  # What a list shows.

Reason = Literal[
    "wrong-secret",
    "wrong-code",
    "account-disabled",
    "kind-not-allowed",
    "revoked",
    "expired",
    "idle",
    "network",
    "protocol",
    "permission",
    "tls-needed",
    "not-held",
    "throttled",
]  # Why a login is refused; stored for the owner, told on the wire only after the secret is proven.


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login or a refusal; the same thing again only counts up."""

    credential_id: str | None
    protocol: MailProtocol
    address: str
    client: str
    result: str  # allowed, or why not.
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened: a login or a change."""

    at: datetime
    login: Login | None = None
    change: Audit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPage:
    """A part of what happened with an account, the newest first."""

    items: tuple[Entry, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.
    dropped: int = 0  # Logins that are kept no more.


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Logins of one day with one outcome."""

    day: str
    protocol: MailProtocol
    result: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordHistory:
    """What happened with one app password."""

    app_password: AppPassword
    successor_id: str | None
    predecessor_id: str | None
    days: tuple[Day, ...]
    items: tuple[Entry, ...]
    is_complete: bool  # False: there is more; ask the account's activity for it.


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A part of the audit log, the newest first."""

    items: tuple[Audit, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Whether the audit log's chain is whole."""

    is_whole: bool
    records: int | None = None
    last_hash: str | None = None
    bad_record: int | None = None
    what: str | None = None


ExportFormat = Literal["jsonl", "csv"]  # How records are written.


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Logins of one hour with one outcome."""

    hour: datetime
    protocol: MailProtocol
    result: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Logins by the hour."""

    items: tuple[Hour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How many active people there were on a day, and how many of them with a second factor."""

    day: str
    people: int
    with_second_factor: int
    with_passkey: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionAnswer:
    """Who has a second factor: now, and day by day."""

    now: Adoption
    days: tuple[Adoption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Logins and refusals of the running and the last whole hour."""

    logins: int
    refusals: int
    usual_refusals: float
    is_unusual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How the house stands. What the role does not permit to see is null."""

    adoption: Adoption | None
    app_passwords: dict[str, int] | None
    refusals: Refusals | None
    open_proposals: int | None
    waiting_recoveries: int | None
    last_record: Audit | None
