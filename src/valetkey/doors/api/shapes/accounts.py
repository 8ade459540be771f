"""The forms of accounts, of who one is, and of second factors."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.role import Role
from valetkey.core.scope import Permission
from valetkey.doors.api.paging import Page, Paged
from valetkey.doors.api.shapes.fields import Address, Id, ReasonText, Shape
from valetkey.doors.api.shapes.tokens import TokenShape
from valetkey.service.accounts import AccountDetails
from valetkey.service.store_parts import DomainCount, Recovery, RecoveryState, SecondFactorFilter

Search = Annotated[str, StringConstraints(max_length=100), Field(description="Part of a name or an address.")]


class AccountShape(Shape):
    """An account."""

    id: str = Field(examples=["ac_wq7xk3v5m2abcdef"])
    address: str = Field(examples=["alice@example.org"])
    kind: AccountKind
    state: AccountState
    role: Role | None = Field(description="In the console; null is none.")
    rights: list[Permission] = Field(description="What its app passwords may be given at most.")
    has_second_factor: bool
    created_at: datetime


class NamedAccount(Shape):
    """An account, named."""

    id: str
    address: str


class AccountWithNames(AccountShape):
    """An account with everything around it."""

    aliases: list[str]
    owners: list[NamedAccount] = Field(description="Of a shared account.")
    owned: list[NamedAccount] = Field(description="Shared accounts that this person owns.")
    has_main_password: bool
    has_upstream_password: bool


class Me(Shape):
    """Who a token acts for, and what it may do."""

    account: AccountShape
    token: TokenShape


class AccountPage(Page[AccountShape]):
    """A part of the accounts."""


class AccountsAsked(Paged):
    """Which accounts are listed."""

    search: Search = ""
    kind: AccountKind | None = None
    state: AccountState | None = None
    domain: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    role: Role | None = None
    second_factor: SecondFactorFilter | None = None


class NewAccount(Shape):
    """An account to be made."""

    address: Address
    kind: AccountKind = AccountKind.PERSON
    rights: Annotated[list[Permission], Field(max_length=20)] = Field(
        default=list(Permission), description="What its app passwords may be given at most."
    )


class RightsWanted(Shape):
    """The rights that an account shall have."""

    rights: Annotated[list[Permission], Field(max_length=20)]


class AliasWanted(Shape):
    """One more address to log in with."""

    address: Address


class OwnerWanted(Shape):
    """A person who shall own a shared account."""

    owner_id: Id


class InvitationMade(Shape):
    """A one-time link with which a person sets main password and second factor."""

    link: str | None = Field(description="Shown once; null in a repetition.")
    address: str
    expires_at: datetime
    mailed_to: str = Field(description="Where it was mailed to; empty: nowhere, hand it over yourself.")
    replayed: bool = Field(default=False, description="Whether this repeats an earlier answer.")


class FactorShape(Shape):
    """A second factor, without anything of its secret."""

    id: str
    kind: str = Field(description="totp or passkey", examples=["totp"])
    name: str
    created_at: datetime
    last_used_at: datetime | None


class SecondFactors(Shape):
    """The second factors of an account. They are changed in person only."""

    items: list[FactorShape]
    recovery_codes_left: int


class SharedAccountShape(Shape):
    """A shared account that one owns."""

    account: AccountShape
    owners: list[NamedAccount]


class SharedAccounts(Shape):
    """The shared accounts that one owns."""

    items: list[SharedAccountShape]


class DomainShape(Shape):
    """A domain and what it holds."""

    domain: str
    people: int
    shared: int
    with_second_factor: int
    app_passwords: int = Field(description="In use.")


class Domains(Page[DomainShape]):
    """A part of the domains of all accounts, by name."""


class RecoveryShape(Shape):
    """The recovery of a lost second factor that is under way."""

    id: str
    account: NamedAccount
    state: RecoveryState
    begun_at: datetime
    begun_from: str
    opens_at: datetime
    closes_at: datetime


class Recoveries(Page[RecoveryShape]):
    """A part of the recoveries that are under way, the one that opens first before the others."""


class WithReason(Shape):
    """Why something is done."""

    reason: ReasonText = ""


def account_shape(account: Account) -> AccountShape:
    """Give the form of an account."""
    return AccountShape(**_facts(account))


def details_shape(details: AccountDetails) -> AccountWithNames:
    """Give the form of an account with everything around it."""
    return AccountWithNames(
        **_facts(details.account),
        aliases=list(details.aliases),
        owners=[named(each) for each in details.owners],
        owned=[named(each) for each in details.owned],
        has_main_password=details.has_main_password,
        has_upstream_password=details.has_upstream_password,
    )


def factors_shape(details: AccountDetails) -> SecondFactors:
    """Give the form of an account's second factors."""
    kinds = [("totp", each) for each in details.totps], [("passkey", each) for each in details.passkeys]
    items = [
        FactorShape(id=one.id, kind=kind, name=one.name, created_at=one.created_at, last_used_at=one.last_used_at)
        for each in kinds
        for kind, one in each
    ]
    return SecondFactors(items=items, recovery_codes_left=details.recovery_codes_left)


def named(account: Account) -> NamedAccount:
    """Give an account by its id and address alone."""
    return NamedAccount(id=account.id, address=account.address)


def domain_shape(count: DomainCount) -> DomainShape:
    """Give the form of a domain."""
    return DomainShape(
        domain=count.domain,
        people=count.people,
        shared=count.shared,
        with_second_factor=count.with_second_factor,
        app_passwords=count.app_passwords,
    )


def recovery_shape(recovery: Recovery, address: str) -> RecoveryShape:
    """Give the form of a recovery."""
    return RecoveryShape(
        id=recovery.id,
        account=NamedAccount(id=recovery.account_id, address=address),
        state=recovery.state,
        begun_at=recovery.begun_at,
        begun_from=recovery.begun_from,
        opens_at=recovery.opens_at,
        closes_at=recovery.closes_at,
    )


def _facts(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "address": account.address,
        "kind": account.kind,
        "state": account.state,
        "role": account.role,
        "rights": sorted(account.rights),
        "has_second_factor": account.has_second_factor,
        "created_at": account.created_at,
    }
