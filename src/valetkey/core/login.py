"""The one decision: may this login pass? Pure and total; every gate for every kind of credential is here."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from valetkey.core.account import Account, AccountKind, AccountState, is_spelt_out
from valetkey.core.app_password import AppPassword
from valetkey.core.limits import NO_LIMITS, Held, Limits, needed, permits_folder
from valetkey.core.network import Address, NamedNetworks, unmapped
from valetkey.core.policy import Policy
from valetkey.core.restriction import network_permits
from valetkey.core.scope import ALL_PROTOCOLS, MailProtocol, Permission, may_open

# Doors of what asks for one password and has no second field, at which the one-time code may follow the main password.
DOORS_WITH_CODE = frozenset({"radius", "saslauthd"})


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One try to log in, as a door saw it."""

    name: str  # as typed; normalised once, in service.login.check
    secret: str = field(repr=False)
    protocol: MailProtocol
    address: Address | None  # from the socket or a listed peer; None is unknown
    tls: bool
    door: str  # "gateway", "dovecot", "sasl" …
    client: str = ""  # IMAP ID or EHLO name: untrusted text, for the owner's eyes
    holds: frozenset[Held] = frozenset()  # what the session can be held to after the login, by the door or its server
    peer: str = ""  # the mail server that asks, as the configuration calls it
    keeps_name: bool = False  # the server opens the mailbox that is called as was typed: no alias may stand for another

    def __post_init__(self) -> None:
        if self.address is not None:
            object.__setattr__(self, "address", unmapped(self.address))
        if Held.SENDING in self.holds:
            object.__setattr__(self, "holds", self.holds | {Held.RECIPIENTS})

    def may_mean(self, account: Account, name: str) -> bool:
        """Whether the account may be logged in to here by this canonical name, which is its address or an alias.

        Where the server goes on with what was typed, that has to be this very name, but for the case of letters.
        """
        return not self.keeps_name or (name == account.address and is_spelt_out(self.name, name))


class Reason(StrEnum):
    """Why a login is refused; stored for the owner, told on the wire only after the secret is proven."""

    WRONG_SECRET = "wrong-secret"  # noqa: S105  (a word for a reason)
    WRONG_CODE = "wrong-code"  # the right main password, and behind it a one-time code that is wrong or was used
    ACCOUNT_DISABLED = "account-disabled"
    KIND_NOT_ALLOWED = "kind-not-allowed"  # a main password where only app passwords open mail
    REVOKED = "revoked"
    EXPIRED = "expired"
    IDLE = "idle"
    NETWORK = "network"
    PROTOCOL = "protocol"
    PERMISSION = "permission"  # the protocol is on, and nothing it offers is permitted
    TLS_NEEDED = "tls-needed"
    NOT_HELD = "not-held"  # it has limits that this mail server cannot hold it to
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Grant:
    """What holds for this login after account, policy and credential are intersected."""

    account_id: str
    address: str  # the account's primary address, for the upstream
    credential_id: str | None  # None: the main password
    protocol: MailProtocol
    permissions: frozenset[Permission]
    expires_at: datetime | None
    changed: int  # the account's change number that this grant was made from
    limits: Limits = NO_LIMITS
    with_code: bool = False  # the main password with a one-time code

    @property
    def must_hold(self) -> frozenset[Held]:
        """What the session has to be held to."""
        return needed(self.protocol, self.permissions, self.limits)

    @property
    def is_limited(self) -> bool:
        """Whether the session must be checked command by command."""
        return bool(self.must_hold)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The login passes, with this grant."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Refused:
    """The login does not pass. `proven` tells whether the secret was right, so whether the reason may be told."""

    reason: Reason
    proven: bool = False
    credential_id: str | None = None


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The store or another dependency failed: a temporary failure on the wire, never "wrong password"."""

    why: str


Verdict = Allowed | Refused | CannotTell


@dataclass(frozen=True, slots=True)
class Proven:
    """The account and credential that a secret was proven for."""

    account: Account
    app_password: AppPassword | None  # None: the main password
    with_code: bool = False  # and a one-time code behind it, used now or remembered


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the decision depends on beside attempt and credential."""

    policy: Policy
    networks: NamedNetworks
    now: datetime
    in_use: bool = False  # over a live session: what is in use is not idle


def decide(attempt: LoginAttempt, proven: Proven | None, given: Conditions) -> Allowed | Refused:
    """Decide a login. The order of the gates is the order of the answers that the owner gets.

    Args:
        attempt: The try.
        proven: Whose secret it was, or None if it was nobody's.
        given: Policy, named networks and the time.
    """
    if proven is None:
        return Refused(Reason.WRONG_SECRET)
    permissions, limits = _permissions(proven), _limits(proven)
    reason = _first_refusal(attempt, proven, given, permissions, limits)
    credential = proven.app_password
    if reason is not None:
        return Refused(reason, proven=_may_be_told(reason), credential_id=credential.id if credential else None)
    return Allowed(
        Grant(
            account_id=proven.account.id,
            address=proven.account.address,
            credential_id=credential.id if credential else None,
            protocol=attempt.protocol,
            permissions=permissions,
            expires_at=end_of(credential, given.policy) if credential else None,
            changed=proven.account.changed,
            limits=limits,
            with_code=proven.with_code,
        )
    )


def _first_refusal(
    attempt: LoginAttempt, proven: Proven, given: Conditions, permissions: frozenset[Permission], limits: Limits
) -> Reason | None:
    account, credential = proven.account, proven.app_password
    if account.state is not AccountState.ACTIVE:
        return Reason.ACCOUNT_DISABLED
    if credential is None and not _main_password_opens(attempt, proven, given.policy):
        return Reason.KIND_NOT_ALLOWED
    if credential is not None:
        reason = _credential_refusal(attempt, credential, given)
        if reason is not None:
            return reason
    if attempt.protocol not in (credential.scope.protocols if credential else ALL_PROTOCOLS):
        return Reason.PROTOCOL
    if not _has_something_to_do(attempt.protocol, permissions, limits):
        return Reason.PERMISSION
    if given.policy.require_tls and not attempt.tls:
        return Reason.TLS_NEEDED
    if not needed(attempt.protocol, permissions, limits) <= attempt.holds:
        return Reason.NOT_HELD
    return None


def _main_password_opens(attempt: LoginAttempt, proven: Proven, policy: Policy) -> bool:
    """Alone only until there is a second factor; with a one-time code only where it can be asked for no other way."""
    account = proven.account
    if not proven.with_code:
        return policy.main_password_opens_mail and not account.has_second_factor
    is_persons = account.kind is AccountKind.PERSON and account.has_second_factor
    return policy.password_with_code and attempt.door in DOORS_WITH_CODE and is_persons


def _has_something_to_do(protocol: MailProtocol, permissions: frozenset[Permission], limits: Limits) -> bool:
    if protocol is MailProtocol.POP3 and not permits_folder(limits, "INBOX"):
        return False  # it knows no other folder
    return may_open(protocol, permissions)


def _credential_refusal(attempt: LoginAttempt, credential: AppPassword, given: Conditions) -> Reason | None:
    if credential.revoked_at is not None:
        return Reason.REVOKED
    if is_expired(credential, given.policy, given.now):
        return Reason.EXPIRED
    if not given.in_use and is_idle(credential, given.policy, given.now):
        return Reason.IDLE
    if not network_permits(credential.restrictions, attempt.address, given.networks):
        return Reason.NETWORK
    return None


def end_of(credential: AppPassword, policy: Policy) -> datetime | None:
    """Give when a credential's time is over: its own end, or that of the policy's ceiling if this comes earlier."""
    own = credential.restrictions.expires_at
    if policy.max_lifetime is None:
        return own
    latest = credential.created_at + policy.max_lifetime
    return latest if own is None or latest < own else own


def idle_limit(credential: AppPassword, policy: Policy) -> timedelta | None:
    """Give how long a credential may be unused: its own limit, or the policy's ceiling if this is shorter."""
    own, ceiling = credential.restrictions.idle_for, policy.max_idle_for
    if own is None or ceiling is None:
        return ceiling if own is None else own
    return min(own, ceiling)


def is_expired(credential: AppPassword, policy: Policy, now: datetime) -> bool:
    """Tell whether a credential's time is over; once seen lapsed it stays so, whatever the clock says later."""
    end = end_of(credential, policy)
    return credential.lapsed_at is not None or (end is not None and now >= end)


def is_idle(credential: AppPassword, policy: Policy, now: datetime) -> bool:
    """Tell whether a credential was unused for longer than it may be."""
    limit = idle_limit(credential, policy)
    if limit is None:
        return False
    last = credential.last_use.at if credential.last_use else credential.created_at
    return now - last > limit


def _permissions(proven: Proven) -> frozenset[Permission]:
    rights = proven.account.rights
    return proven.app_password.scope.effective(rights) if proven.app_password else rights


def _limits(proven: Proven) -> Limits:
    return proven.app_password.restrictions.limits if proven.app_password else NO_LIMITS


def _may_be_told(reason: Reason) -> bool:
    # Disabled and revoked look like a wrong secret (`doors.replies`); so does a main password that opens no mail.
    return reason not in {Reason.ACCOUNT_DISABLED, Reason.REVOKED, Reason.KIND_NOT_ALLOWED}
