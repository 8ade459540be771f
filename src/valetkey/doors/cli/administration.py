"""What commands ask for, whether the installation is on this machine or behind its API; both answer in the same values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from valetkey.core.account import Account, AccountKind
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword, SecretFormat
from valetkey.core.limits import NO_LIMITS, Limits, Sent
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.role import Role
from valetkey.core.scope import Permission, ReadyMade
from valetkey.service.app_passwords import Changed, RevokedAll
from valetkey.service.closing import NOTHING, Closed
from valetkey.service.policy import ShownRules
from valetkey.service.ports import AuditFault, LiveSession


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made."""

    address: str
    kind: AccountKind
    password: str | None = field(default=None, repr=False)
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor, without anything secret."""

    id: str
    kind: str  # passkey or authenticator
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountWithNames:
    """An account with everything around it."""

    account: Account
    aliases: tuple[str, ...]
    owners: tuple[str, ...]  # addresses, as those that it owns
    owned: tuple[str, ...]
    second_factors: tuple[Factor, ...]
    recovery_codes_left: int
    has_main_password: bool
    has_upstream_password: bool


@dataclass(frozen=True, slots=True)
class Invited:
    """A one-time link that was made."""

    address: str
    link: str = field(repr=False)
    expires_at: datetime
    mailed_to: str  # "" if it was not mailed


@dataclass(frozen=True, slots=True)
class NewAppPassword:
    """An app password to be made."""

    description: str
    choice: ReadyMade
    format: SecretFormat
    days: int | None = None  # None: what the policy gives
    networks: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS

    @property
    def is_restricted(self) -> bool:
        """Whether anything beside the policy's defaults is asked for."""
        return self.days is not None or bool(self.networks) or self.limits != NO_LIMITS

    def restrictions(self, usual: Restrictions, now: datetime) -> Restrictions:
        """Give the restrictions that it shall have, from those that it would have otherwise."""
        found = replace(usual, limits=self.limits)
        if self.days is not None:
            found = replace(found, expires_at=now + timedelta(days=self.days))
        if self.networks:
            found = replace(found, network_rule=NetworkRule.ALLOWED, allowed_ips=self.networks)
        return found


@dataclass(frozen=True, slots=True)
class Edit:
    """What shall be otherwise with an app password."""

    description: str | None = None  # None: as it is
    limits: Mapping[str, Any] = field(default_factory=dict)  # fields of `core.limits.Limits`; others as they are

    def restrictions(self, held: Restrictions) -> Restrictions | None:
        """Give the restrictions that it shall have; None: as they are."""
        return replace(held, limits=replace(held.limits, **self.limits)) if self.limits else None


@dataclass(frozen=True, slots=True)
class Shown:
    """A new app password, whose secret is shown this once, and the one that it replaces, if it does."""

    app_password: AppPassword
    secret: str = field(repr=False)
    replaced: AppPassword | None = None
    closed: Closed = NOTHING


@dataclass(frozen=True, slots=True)
class Sessions:
    """Open mail connections, and the addresses of their accounts by id."""

    sessions: tuple[LiveSession, ...]
    names: Mapping[str, str]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The recovery of a lost second factor that is under way."""

    address: str
    begun_at: datetime
    begun_from: str
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A record of the audit log."""

    number: int
    at: datetime
    actor: str
    actor_address: str
    account_id: str | None
    credential_id: str | None
    kind: str
    facts: Mapping[str, Any]
    said: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditLines:
    """Records of the audit log, and the addresses of accounts by id."""

    lines: tuple[AuditLine, ...]
    names: Mapping[str, str]


class Administration(Protocol):
    """An installation. Accounts are named by address, alias or id.

    Everything may raise `core.errors.ValetkeyError`; over the API also `client.ClientError`.
    """

    async def create_account(self, wanted: NewAccount) -> Account:
        """Make an account."""

    async def accounts(self, *, search: str, after: str, limit: int) -> tuple[Account, ...]:
        """List accounts in the order of their addresses."""

    async def details(self, name: str) -> AccountWithNames:
        """Give an account with everything around it."""

    async def disable(self, name: str) -> Closed:
        """Stop an account; gives what that closed."""

    async def enable(self, name: str) -> None:
        """Let an account log in again."""

    async def set_rights(self, name: str, rights: frozenset[Permission]) -> Closed:
        """Set what its app passwords may do at most; gives what that closed."""

    async def add_alias(self, name: str, alias: str) -> None:
        """Add an address that it logs in with."""

    async def remove_alias(self, name: str, alias: str) -> None:
        """Remove one."""

    async def add_owner(self, name: str, owner: str) -> None:
        """Let a person manage a shared account."""

    async def remove_owner(self, name: str, owner: str) -> None:
        """Take it away again."""

    async def invite(self, name: str) -> Invited:
        """Make a one-time link for a person."""

    async def app_passwords(self, name: str, *, live_only: bool) -> tuple[AppPassword, ...]:
        """List the app passwords of an account."""

    async def app_password(self, credential_id: str) -> tuple[AppPassword, Account]:
        """Give one, and its account."""

    async def revoke(self, credential_id: str, reason: str) -> Changed:
        """Revoke one."""

    async def revoke_all(self, name: str, reason: str) -> RevokedAll:
        """Revoke all of an account."""

    async def make_app_password(self, name: str, wanted: NewAppPassword) -> Shown:
        """Make one."""

    async def edit(self, credential_id: str, edit: Edit) -> AppPassword:
        """Change one."""

    async def sent_today(self, credential_id: str) -> Sent:
        """Give what one has sent today."""

    async def rotate(self, credential_id: str, overlap: timedelta) -> Shown:
        """Put a new one in the place of one."""

    async def sessions(self, name: str | None) -> Sessions:
        """List the open mail connections."""

    async def close(self, session_id: str) -> bool:
        """Close one; False if there is none."""

    async def close_all_of(self, credential_id: str) -> int:
        """Close all of an app password; gives how many."""

    async def audit(self, name: str | None, *, before: int | None, limit: int) -> AuditLines:
        """List records of the audit log, the newest first."""

    async def verify_audit(self) -> AuditFault | tuple[int, bytes]:
        """Check the chain: the first bad record, or how many there are and the last hash."""

    async def recoveries(self) -> tuple[UnderWay, ...]:
        """List the recoveries that are under way."""

    async def call_off_recovery(self, name: str) -> None:
        """Call off the recovery of an account."""

    async def rules(self) -> ShownRules:
        """Give policy and networks as they hold."""

    async def tokens(self, name: str | None, *, live_only: bool) -> tuple[tuple[ApiToken, str], ...]:
        """List API tokens, each with the address of its account; without a name everybody's."""

    async def revoke_token(self, token_id: str) -> ApiToken:
        """Revoke one."""


class Remote(Administration, Protocol):
    """An installation behind its API, where one acts by a token."""

    async def who(self) -> tuple[str, ApiToken]:
        """Give the address of the account for which the token acts, and the token."""
