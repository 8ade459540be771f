"""What the verbs need from outside, as Protocols; adapters fulfil them.

The store runs a verb's transaction as one plain function: `await store.write(work)` calls `work(writer)` in the
store's own thread, inside one transaction that commits when `work` returns and is undone when it raises. `work`
may be called again if the store was busy, so it has no effects of its own. Every store call raises
`core.errors.Unavailable` when the store is locked, full, read-only, corrupt or gone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from valetkey.core.account import Account, AccountState
from valetkey.core.app_password import AppPassword, Proof
from valetkey.core.event import Event
from valetkey.core.network import NamedNetworks, Network
from valetkey.core.policy import Policy
from valetkey.core.restriction import Restrictions
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, Permission, Scope
from valetkey.core.sentence import Sentence
from valetkey.core.throttle import ThrottleCounts, ThrottleLimits
from valetkey.service.closing_parts import NoServers, ServerSessions
from valetkey.service.mail_parts import Mailer
from valetkey.service.server_parts import MailDoor, MailServers
from valetkey.service.sign_in_parts import Passkeys, PasswordGauge
from valetkey.service.store_parts import (
    ConsoleReader,
    ConsoleWriter,
    CountReader,
    CountWriter,
    DoorReader,
    DoorWriter,
    LinkReader,
    LinkWriter,
    LoginFilter,
    PasskeyReader,
    PasskeyWriter,
    RefusedSignInReader,
    RefusedSignInWriter,
    SavedRules,
)
from valetkey.service.tallies import Counted

T = TypeVar("T")


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Give the time now, aware, UTC."""


class Entropy(Protocol):
    """Chance, from a cryptographic generator."""

    def choose(self, symbols: str) -> str:
        """Pick one symbol, each as likely as the others."""

    def octets(self, count: int) -> bytes:
        """Draw random octets."""

    def new_id(self, prefix: str) -> str:
        """Draw a public id such as `ap_…`, never reused."""


class Hasher(Protocol):
    """Slow hashes for what people choose (Argon2id). Runs outside the event loop, bounded in parallel."""

    async def hash(self, password: str) -> str:
        """Hash a password."""

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Compare in constant time; None costs the same and is False, so that an unknown account is not faster."""


class KeyPurpose(StrEnum):
    """What a key is derived for; one root key serves all, each purpose has its own derived key."""

    INDEX = "index"
    TAG = "tag"
    THROTTLE = "throttle"
    RECOVERY = "recovery"
    SESSION = "session"
    SEAL = "seal"


class Keys(Protocol):
    """The numbered keys of the key file."""

    @property
    def current(self) -> int:
        """The number of the key that new secrets are made under."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All usable key numbers, the current one first."""

    def derive(self, purpose: KeyPurpose, number: int) -> bytes:
        """Give the 32 octets for a purpose.

        Raises:
            KeyError: There is no such key.
        """

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt and authenticate (AES-256-GCM) under the current key; `context` is bound to it."""

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Open what was sealed for this context, under whichever key.

        Raises:
            core.errors.Unavailable: Wrong context, damaged, or a key that is no longer there.
        """


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A mail connection that a verdict opened."""

    id: str
    account_id: str
    credential_id: str | None
    protocol: MailProtocol
    address: str
    client: str
    opened_at: datetime
    worker: str


@dataclass(frozen=True, slots=True)
class LiveSurvey:
    """Open mail connections, and how many workers did not say in time which ones they have."""

    sessions: tuple[LiveSession, ...]
    silent: int = 0


class LiveSessions(Protocol):
    """The open mail connections on every worker of this machine."""

    async def apply_changes(self, account_id: str | None) -> int:
        """Have every worker decide again over the live sessions, of an account or of all; close what no longer passes.

        Returns:
            How many were closed. Workers that do not answer within a second close theirs by following the change feed.
        """

    async def list(self, account_id: str | None) -> tuple[LiveSession, ...]:
        """List the open connections, of one account or of all, as far as workers answer."""

    async def survey(self, account_id: str | None) -> LiveSurvey:
        """List them too, and tell how many workers did not answer within a second."""

    async def close(self, session_id: str) -> bool:
        """Close one; False if it is not open."""


class ActorKind(StrEnum):
    """Who acts."""

    ACCOUNT = "account"  # a person, signed in
    TOKEN = "token"  # noqa: S105  (no secret) a machine, with an API token of an account
    OPERATOR = "operator"  # the command line on the server
    SYSTEM = "system"  # Valetkey itself, such as an expiry


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, from where. `proven_at` is when a person last proved identity with a second factor."""

    kind: ActorKind
    account_id: str | None = None
    address: str = ""
    proven_at: datetime | None = None
    session: bytes | None = field(default=None, repr=False)  # the id hash of the portal session that is acted through
    token_id: str | None = None  # the API token that is acted through

    @property
    def name(self) -> str:
        """The form stored in records."""
        return self.token_id or self.account_id or self.kind.value


OPERATOR = Actor(ActorKind.OPERATOR)
SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One link of the audit chain."""

    number: int
    at: datetime
    actor: str
    actor_address: str
    account_id: str | None
    credential_id: str | None
    kind: str
    event: Event
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditFault:
    """The first bad record of the audit chain."""

    number: int
    what: Sentence


@dataclass(frozen=True, slots=True)
class Change:
    """One position of the change feed: this account or one of its credentials changed."""

    number: int
    account_id: str | None  # None: what all logins stand on, such as the policy; "": nothing that a login stands on


@dataclass(frozen=True, slots=True)
class LoginEvent:
    """A login or a refusal, coalesced: the same thing again only counts up."""

    account_id: str | None  # None: no account has this name; such events share one bounded list
    credential_id: str | None
    protocol: MailProtocol
    network: str  # the address for proven logins, the throttle network for others
    client: str
    result: str  # "allowed" or a core.login.Reason
    first_at: datetime
    last_at: datetime
    count: int = 1

    @property
    def key(self) -> tuple[str | None, ...]:
        """What two events have in common that are the same thing again."""
        return (self.account_id, self.credential_id, self.protocol, self.network, self.client, self.result)

    def joined(self, other: "LoginEvent") -> "LoginEvent":
        """Give one event for this one and another of the same key."""
        return LoginEvent(  # as `dataclasses.replace` does, which costs twice as much
            self.account_id,
            self.credential_id,
            self.protocol,
            self.network,
            self.client,
            self.result,
            min(self.first_at, other.first_at),
            max(self.last_at, other.last_at),
            self.count + other.count,
        )


@dataclass(frozen=True, slots=True)
class FoundLogin:
    """What the one look-up of a login gives."""

    account: Account
    app_password: AppPassword
    proof: Proof
    is_named: bool  # the name that was typed belongs to this account
    number: int  # the newest change at that moment


@dataclass(frozen=True, slots=True)
class Totp:
    """An authenticator app of an account."""

    id: str
    account_id: str
    name: str
    sealed_seed: bytes = field(repr=False)
    last_step: int
    wrong_codes: int  # consecutive
    wrong_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortalSession:
    """A browser session. `proven_at` None is a half-finished sign-in: main password given, second factor not yet."""

    id_hash: bytes = field(repr=False)
    account_id: str
    csrf: str = field(repr=False)
    created_at: datetime
    seen_at: datetime
    proven_at: datetime | None  # when identity was last proven completely
    has_second_factor: bool  # signed in with a second factor (False: the account has none yet)
    address: str
    client: str


class Reader(PasskeyReader, RefusedSignInReader, LinkReader, CountReader, ConsoleReader, DoorReader, Protocol):
    """What a transaction can read."""

    def account(self, account_id: str) -> Account | None: ...
    def account_by_address(self, address: str) -> Account | None: ...
    def accounts(self, *, search: str = "", after: str = "", limit: int = 100) -> tuple[Account, ...]: ...
    def account_count(self) -> int: ...
    def aliases(self, account_id: str) -> tuple[str, ...]: ...
    def owners(self, shared_id: str) -> tuple[Account, ...]: ...
    def owned(self, person_id: str) -> tuple[Account, ...]: ...
    def main_password(self, account_id: str) -> str | None: ...
    def upstream_password(self, account_id: str) -> bytes | None: ...
    def app_password(self, credential_id: str) -> AppPassword | None: ...
    def app_passwords(self, account_id: str, *, live_only: bool = False) -> tuple[AppPassword, ...]: ...
    def live_app_password_count(self, account_id: str) -> int: ...
    def to_lapse(self, now: datetime, limit: int = 500) -> tuple[AppPassword, ...]: ...
    def totps(self, account_id: str) -> tuple[Totp, ...]: ...
    def recovery_codes_left(self, account_id: str) -> int: ...
    def portal_session(self, id_hash: bytes) -> PortalSession | None: ...
    def portal_sessions(self, account_id: str) -> tuple[PortalSession, ...]: ...
    def audit(
        self, *, account_id: str | None = None, after: int = 0, before: int | None = None, limit: int = 100
    ) -> tuple[AuditRecord, ...]: ...
    def login_events(self, account_id: str | None, limit: int = 100) -> tuple[LoginEvent, ...]: ...
    def login_events_where(self, wanted: LoginFilter, limit: int = 100) -> tuple[LoginEvent, ...]: ...
    def login_events_dropped(self, account_id: str | None) -> int: ...
    def throttle_counts(self, window: int, network: str, secret_key: bytes) -> ThrottleCounts: ...
    def key_usage(self) -> dict[int, int]: ...  # key number → live app passwords under it


class Writer(PasskeyWriter, RefusedSignInWriter, LinkWriter, CountWriter, ConsoleWriter, DoorWriter, Reader, Protocol):
    """What a transaction can write. None of these writes an audit event by itself; `record` does."""

    def record(
        self, event: Event, *, actor: Actor, at: datetime, account_id: str | None, credential_id: str | None = None
    ) -> int:
        """Append the audit event, take the next change number and stamp it on the account. Returns the change number."""

    def add_account(self, account: Account) -> None: ...  # raises core.errors.Conflict when the address is taken
    def set_account_state(self, account_id: str, state: AccountState) -> None: ...
    def set_rights(self, account_id: str, rights: frozenset[Permission]) -> None: ...
    def set_role(self, account_id: str, role: Role | None) -> None: ...
    def add_alias(self, account_id: str, address: str) -> None: ...  # raises Conflict
    def remove_alias(self, account_id: str, address: str) -> bool: ...
    def add_owner(self, shared_id: str, person_id: str) -> None: ...
    def remove_owner(self, shared_id: str, person_id: str) -> bool: ...
    def set_main_password(self, account_id: str, hashed: str) -> None: ...
    def set_upstream_password(self, account_id: str, sealed: bytes | None) -> None: ...
    def add_app_password(self, app_password: AppPassword, index: bytes, proof: Proof) -> None: ...
    def set_proof(self, credential_id: str, index: bytes, proof: Proof) -> None: ...  # moved to another key
    def set_app_password(
        self, credential_id: str, *, description: str, scope: Scope, restrictions: Restrictions
    ) -> None: ...
    def pin_network(self, credential_id: str, network: Network) -> bool: ...  # False: it was pinned before
    def set_lapsed(self, credential_id: str, at: datetime) -> None: ...
    def set_revoked(self, credential_id: str, *, at: datetime, by: str, reason: str) -> bool: ...  # erases the digest
    def add_totp(self, totp: Totp) -> None: ...
    def remove_totp(self, totp_id: str) -> bool: ...
    def rename_totp(self, totp_id: str, name: str) -> None: ...
    def use_totp_step(self, totp_id: str, step: int, at: datetime) -> bool: ...  # compare-and-set: False if not newer
    def count_wrong_code(self, totp_id: str, at: datetime) -> int: ...  # consecutive wrong codes now
    def clear_wrong_codes(self, account_id: str) -> None: ...
    def set_recovery_codes(self, account_id: str, hashes: Sequence[bytes], at: datetime) -> None: ...
    def use_recovery_code(self, account_id: str, hashed: bytes, at: datetime) -> bool: ...
    def add_portal_session(self, session: PortalSession) -> None: ...
    def touch_portal_session(self, id_hash: bytes, *, seen_at: datetime) -> None: ...
    def remove_portal_sessions(
        self, account_id: str, *, only: bytes | None = None, keep: bytes | None = None
    ) -> int: ...
    def remove_stale_portal_sessions(self, *, created_before: datetime, seen_before: datetime) -> int: ...
    def count_failure(self, window: int, network: str, secret_key: bytes) -> None: ...  # distinct secrets count once
    def forget_failures(self, before_window: int) -> None: ...


class Store(Protocol):
    """Where everything is kept."""

    def find_login(self, name: str, indexes: Sequence[bytes]) -> FoundLogin | None:
        """The one look-up of a login: by keyed index, with its account, and whether `name` (canonical) is that account's.

        Microseconds, called on the event loop; costs the same whether anything is found.
        """

    def find_proven(self, account_id: str, credential_id: str | None) -> tuple[Account, AppPassword | None] | None:
        """Look up again what a live session was opened with. Called on the event loop."""

    def change_number(self) -> int:
        """The number of the newest change. Microseconds, called on the event loop several times a second."""

    def changes(self, after: int, limit: int = 1000) -> tuple[Change, ...]:
        """The changes behind a number, in order. Called on the event loop."""

    def saved_rules(self, as_of: int | None = None) -> SavedRules:
        """Policy and named networks as the console saved them; the same object until they change.

        Microseconds, from any thread. `as_of` is the change number that the caller has just read, which spares a look-up.
        """

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Run `work` on one consistent state."""

    async def write(self, work: Callable[[Writer], T]) -> T:
        """Run `work` in one transaction; what it returns is durable."""

    async def add_login_events(self, events: Sequence[LoginEvent]) -> None:
        """Merge login events, update last use and last refusal of their credentials, keep each account's list bounded."""

    async def verify_audit(self) -> tuple[int, bytes] | AuditFault:
        """Check the whole chain: the number of records and the last hash, or the first bad record."""


class LoginRecorder(Protocol):
    """Takes login events at once and writes them in batches."""

    def add(self, event: LoginEvent) -> None:
        """Queue an event; bounded: when the store is away for long, the oldest are dropped and counted."""

    def count(self, what: Counted, at: datetime, place: str = "") -> None:
        """Count what is no login; written a few seconds later."""

    async def flush(self) -> None:
        """Write what is queued now."""


@dataclass(frozen=True, slots=True)
class SiteRules:
    """What the administrator has laid down for the whole site."""

    policy: Policy
    networks: NamedNetworks


class Rules(Protocol):
    """The site's rules: those of the configuration file until the console saves others."""

    def current(self, as_of: int | None = None) -> SiteRules:
        """Give the rules as they hold now. Microseconds, from any thread.

        Args:
            as_of: The change number that the caller has just read, which spares a look-up.

        Raises:
            core.errors.Unavailable: The store failed, or what it holds cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that the verbs need, joined once in `app/join.py`."""

    store: Store
    clock: Clock
    entropy: Entropy
    hasher: Hasher
    keys: Keys
    live_sessions: LiveSessions
    recorder: LoginRecorder
    rules: Rules
    throttle: ThrottleLimits
    passkeys: Passkeys
    gauge: PasswordGauge
    server_sessions: ServerSessions = NoServers()  # noqa: RUF009  (it has no state)
    mail_servers: MailServers | None = None  # None: this process does not know any
    mail_doors: tuple[MailDoor, ...] = ()  # where mail servers ask
    mailer: Mailer | None = None  # None: this site sends no mail, so nobody is told and no link is mailed
    default_domain: str | None = None  # for bare login names
    issuer: str = "Valetkey"  # shown in authenticator apps

    @property
    def policy(self) -> Policy:
        """The policy as it holds now; raises Unavailable as `Rules.current` does."""
        return self.rules.current().policy

    @property
    def networks(self) -> NamedNetworks:
        """The named networks as they are now; raises Unavailable as `Rules.current` does."""
        return self.rules.current().networks
