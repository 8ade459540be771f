"""What is sent and answered: policy."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from valetkey.client.models.accounts import ServerClosed
from valetkey.client.models.me import NamedAccount

Origin = Literal["file", "console"]  # Where rules come from.


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRead:
    """The policy as it holds, and where it comes from."""

    max_app_passwords: int
    default_lifetime: int | None
    max_lifetime: int | None
    default_idle_for: int | None
    max_idle_for: int | None
    main_password_opens_mail: bool
    require_tls: bool
    strict_hash: bool
    min_password_length: int
    recovery_wait: int
    password_with_code: bool
    password_with_code_for: int
    comes_from: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The site's policy. Durations are in seconds; null is no ceiling or no default."""

    max_app_passwords: int
    default_lifetime: int | None
    max_lifetime: int | None
    default_idle_for: int | None
    max_idle_for: int | None
    main_password_opens_mail: bool
    require_tls: bool
    strict_hash: bool
    min_password_length: int
    recovery_wait: int
    password_with_code: bool
    password_with_code_for: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of a change. Of connections at mail servers that it closes nothing is known yet."""

    closed: int  # Mail connections that were closed, here and at mail servers that were told.
    servers: tuple[ServerClosed, ...] = ()  # Of these, those at mail servers that were told.
    not_told: tuple[str, ...] = ()  # Mail servers that could not be told yet. Valetkey goes on trying for a day.
    proposal_id: str | None  # Not null: it waits for a second administrator and does not hold yet.


Effect = Literal["stops", "ends-earlier", "network", "main-password"]  # What a change does to somebody.


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Whom a change hits."""

    account: NamedAccount
    app_password_id: str | None  # null: the main password, or an API token.
    api_token_id: str | None
    description: str
    effect: Effect
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do."""

    changed: tuple[str, ...]
    weaker: tuple[str, ...]  # What of it permits more: then a second administrator is needed.
    needs_two: bool
    stops: int
    shortened: int
    elsewhere: int
    loses_mail: int
    people: int
    hits: tuple[Hit, ...]  # The first of them.


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworksRead:
    """The named networks as they are, and where they come from."""

    networks: dict[str, tuple[str, ...]]
    comes_from: Origin


ProposalKind = Literal[
    "lower-policy", "reset-second-factors", "reinvite", "export-everything"
]  # What needs two administrators.

ProposalState = Literal["open", "countersigned", "declined", "withdrawn", "lapsed"]  # How a proposal stands.


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing as it was and as it would be."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Something that takes effect only when a second administrator countersigns it, in person."""

    id: str
    kind: ProposalKind
    state: ProposalState
    account: NamedAccount | None  # Whom it is about.
    reason: str
    differences: tuple[Difference, ...]
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    other_administrators: int  # Who could countersign it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """A part of the proposals, the newest first."""

    items: tuple[Proposal, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalMade:
    """A proposal that was made."""

    id: str
    kind: ProposalKind
    expires_at: datetime  # It lapses then.
