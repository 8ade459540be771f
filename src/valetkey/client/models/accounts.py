"""What is sent and answered: accounts."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from valetkey.client.models.me import Account, AccountKind, AccountState, NamedAccount, Permission, Role

SecondFactorFilter = Literal["with", "without"]  # Who has a second factor, as a filter.


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """A part of the accounts."""

    items: tuple[Account, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWithNames:
    """An account with everything around it."""

    id: str
    address: str
    kind: AccountKind
    state: AccountState
    role: Role | None  # In the console; null is none.
    rights: tuple[Permission, ...]  # What its app passwords may be given at most.
    has_second_factor: bool
    created_at: datetime
    aliases: tuple[str, ...]
    owners: tuple[NamedAccount, ...]  # Of a shared account.
    owned: tuple[NamedAccount, ...]  # Shared accounts that this person owns.
    has_main_password: bool
    has_upstream_password: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerClosed:
    """How many mail connections a mail server that was told has closed."""

    server: str
    closed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """How many mail connections that closed."""

    closed: int  # Mail connections that were closed, here and at mail servers that were told.
    servers: tuple[ServerClosed, ...] = ()  # Of these, those at mail servers that were told.
    not_told: tuple[str, ...] = ()  # Mail servers that could not be told yet. Valetkey goes on trying for a day.


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationMade:
    """A one-time link with which a person sets main password and second factor."""

    link: str | None = field(repr=False)  # Shown once; null in a repetition.
    address: str
    expires_at: datetime
    mailed_to: str  # Where it was mailed to; empty: nowhere, hand it over yourself.
    replayed: bool = False  # Whether this repeats an earlier answer.


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A second factor, without anything of its secret."""

    id: str
    kind: str  # totp or passkey
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactors:
    """The second factors of an account. They are changed in person only."""

    items: tuple[Factor, ...]
    recovery_codes_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A domain and what it holds."""

    domain: str
    people: int
    shared: int
    with_second_factor: int
    app_passwords: int  # In use.


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """A part of the domains of all accounts, by name."""

    items: tuple[Domain, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


RecoveryState = Literal["waiting", "cancelled", "done", "lapsed"]  # How a recovery stands.


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The recovery of a lost second factor that is under way."""

    id: str
    account: NamedAccount
    state: RecoveryState
    begun_at: datetime
    begun_from: str
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoveries:
    """A part of the recoveries that are under way, the one that opens first before the others."""

    items: tuple[Recovery, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.
