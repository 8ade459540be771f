"""What portal, console and API ask of the store, part by part; `ports.Reader` and `ports.Writer` join the parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword
from valetkey.core.limits import Sent
from valetkey.core.passkey import Passkey
from valetkey.core.proposal import Proposal, ProposalKind, ProposalState
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service.closing_parts import Closing, ServerClosings
from valetkey.service.tallies import Asked, Counted, NotSent, Tally


class PasskeyReader(Protocol):
    """Passkeys, read."""

    def passkeys(self, account_id: str) -> tuple[Passkey, ...]: ...
    def passkey_by_credential(self, credential_id: bytes) -> Passkey | None: ...


class PasskeyWriter(PasskeyReader, Protocol):
    """Passkeys, written."""

    def add_passkey(self, passkey: Passkey) -> None: ...  # raises core.errors.Conflict when the credential is known
    def remove_passkey(self, passkey_id: str) -> bool: ...
    def rename_passkey(self, passkey_id: str, name: str) -> None: ...
    def use_passkey(self, passkey_id: str, *, sign_count: int, at: datetime) -> None: ...
    def spend_challenge(self, hashed: bytes, at: datetime) -> bool: ...  # False: it was spent before
    def forget_spent_challenges(self, before: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class RefusedSignIn:
    """Sign-ins to the portal with a wrong main password from one network, coalesced."""

    network: str
    first_at: datetime
    last_at: datetime
    count: int


class RefusedSignInReader(Protocol):
    """Refused sign-ins, read."""

    def refused_sign_ins(self, account_id: str) -> tuple[RefusedSignIn, ...]: ...  # latest first


class RefusedSignInWriter(RefusedSignInReader, Protocol):
    """Refused sign-ins, written."""

    def count_refused_sign_in(self, account_id: str | None, network: str, at: datetime) -> None: ...  # None: nobody's
    def forget_refused_sign_ins(self, before: datetime) -> int: ...


class LinkPurpose(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    NOTICE_ADDRESS = "notice-address"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """A one-time link, without its token."""

    hashed: bytes = field(repr=False)
    purpose: LinkPurpose
    account_id: str
    facts: dict[str, Any]
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class RecoveryState(StrEnum):
    """How a recovery stands."""

    WAITING = "waiting"
    CANCELLED = "cancelled"
    DONE = "done"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery of a lost second factor: both proofs were given, the waiting time runs."""

    id: str
    account_id: str
    state: RecoveryState
    begun_at: datetime
    begun_from: str
    opens_at: datetime  # from then on it may be finished
    closes_at: datetime  # and no longer than until then
    noticed_at: datetime  # when the owner was last told
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticeAddress:
    """Where notices go beside the mailbox; not confirmed, it gets nothing but its confirmation."""

    account_id: str
    address: str
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueuedNotice:
    """A notice that waits to be sent by mail. `sealed` holds what must not lie in the store, such as a link's token."""

    id: int
    account_id: str
    recipient: str  # a mail address: each gets its own, and is tried again alone
    kind: str
    facts: dict[str, Any]
    sealed: bytes | None = field(repr=False)
    made_at: datetime
    tries: int
    next_try_at: datetime


class LinkReader(Protocol):
    """One-time links, recoveries and notices, read."""

    def one_time_link(self, hashed: bytes) -> OneTimeLink | None: ...
    def open_links(self, account_id: str, purpose: LinkPurpose) -> tuple[OneTimeLink, ...]: ...
    def links_made(self, account_id: str, purpose: LinkPurpose, since: datetime) -> int: ...
    def open_recovery(self, account_id: str) -> Recovery | None: ...
    def open_recoveries(
        self, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> tuple[Recovery, ...]: ...
    def open_recovery_count(self) -> int: ...
    def recoveries_begun(self, account_id: str, since: datetime) -> int: ...
    def notice_address(self, account_id: str) -> NoticeAddress | None: ...
    def is_domain_served(self, domain: str) -> bool: ...
    def due_notices(self, now: datetime, limit: int = 50) -> tuple[QueuedNotice, ...]: ...


class LinkWriter(LinkReader, Protocol):
    """One-time links, recoveries and notices, written."""

    def add_link(self, link: OneTimeLink) -> None: ...
    def use_link(self, hashed: bytes, at: datetime) -> bool: ...  # False: unknown, expired or used
    def end_links(self, account_id: str, purpose: LinkPurpose, at: datetime) -> int: ...
    def forget_links(self, expired_before: datetime) -> int: ...
    def add_recovery(self, recovery: Recovery) -> None: ...  # raises Conflict when one is open
    def set_recovery(self, recovery_id: str, *, state: RecoveryState, at: datetime) -> bool: ...
    def set_recovery_noticed(self, recovery_id: str, at: datetime) -> None: ...
    def set_notice_address(self, account_id: str, address: str | None, confirmed_at: datetime | None) -> None: ...
    def queue_notice(
        self,
        account_id: str,
        recipient: str,
        kind: str,
        facts: dict[str, Any],
        *,
        at: datetime,
        sealed: bytes | None = None,
    ) -> None: ...
    def put_off_notice(self, notice_id: int, next_try_at: datetime) -> None: ...
    def remove_notice(self, notice_id: int) -> None: ...
    def remove_notices(self) -> int: ...


@dataclass(frozen=True, slots=True)
class DayCount:
    """Logins of one day with one outcome. `result` is "allowed" or a core.login.Reason."""

    day: date  # UTC
    protocol: MailProtocol
    result: str
    count: int


@dataclass(frozen=True, slots=True)
class HourCount:
    """Logins of one hour with one outcome, of the whole site."""

    hour: datetime  # its beginning, UTC
    protocol: MailProtocol
    result: str
    count: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """How many active people there were, and how many of them with a second factor, on one day."""

    day: date
    people: int
    with_second_factor: int
    with_passkey: int


@dataclass(frozen=True, slots=True)
class LoginFilter:
    """Which login events of one account are listed; None and () are any."""

    account_id: str
    credential_id: str | None = None
    results: tuple[str, ...] = ()  # "allowed" or core.login.Reason
    refused_only: bool = False
    since: datetime | None = None  # by when the same thing happened last
    until: datetime | None = None


class CountReader(Protocol):
    """Counts over time, read."""

    def login_days(self, account_id: str, credential_id: str | None, since: date) -> tuple[DayCount, ...]: ...
    def login_hours(self, since: datetime) -> tuple[HourCount, ...]: ...
    def adoption_days(self, since: date) -> tuple[Adoption, ...]: ...
    def adoption_now(self, day: date) -> Adoption: ...


class CountWriter(CountReader, Protocol):
    """Counts over time, written; logins are counted by `Store.add_login_events`."""

    def set_adoption(self, adoption: Adoption) -> None: ...
    def forget_counts(self, *, days_before: date, hours_before: datetime) -> int: ...


class SecondFactorFilter(StrEnum):
    """Who has a second factor, as a filter."""

    WITH = "with"
    WITHOUT = "without"


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts the console lists; None is any."""

    search: str = ""
    kind: AccountKind | None = None
    state: AccountState | None = None
    domain: str | None = None
    role: Role | None = None
    second_factor: SecondFactorFilter | None = None


class AppPasswordFilter(StrEnum):
    """Which app passwords the console lists."""

    LIVE = "live"
    NEVER_USED = "never-used"
    UNUSED_90_DAYS = "unused-90-days"
    NO_EXPIRY = "no-expiry"
    BROAD_SCOPE = "broad-scope"  # all that the account may do, or filters
    REFUSED = "refused"  # the last thing that happened to it was a refusal
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class DomainCount:
    """A domain and what it holds."""

    domain: str
    people: int
    shared: int
    with_second_factor: int
    app_passwords: int  # live


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit records are listed; None is any."""

    account_id: str | None = None
    actor: str | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    credential_id: str | None = None


@dataclass(frozen=True, slots=True)
class SavedRules:
    """Policy and named networks as the console saved them, plain JSON; None: those of the configuration file hold."""

    policy: dict[str, Any] | None
    networks: dict[str, list[str]] | None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What a request with an idempotency key was answered; None while it still runs."""

    request_hash: bytes
    status: int | None
    body: str | None


class ConsoleReader(Protocol):
    """What console and API list."""

    def accounts_where(self, wanted: AccountFilter, *, after: str = "", limit: int = 50) -> tuple[Account, ...]: ...
    def administrators(self) -> tuple[Account, ...]: ...  # active ones, by address
    def domains(self, *, search: str = "", after: str = "", limit: int = 50) -> tuple[DomainCount, ...]: ...
    def app_passwords_where(
        self,
        wanted: AppPasswordFilter,
        *,
        now: datetime,
        search: str = "",
        after: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> tuple[tuple[AppPassword, Account], ...]: ...  # newest first, behind (created_at, id)
    def app_password_counts(self, now: datetime) -> dict[AppPasswordFilter, int]: ...
    def audit_where(self, wanted: AuditFilter, *, before: int | None = None, limit: int = 100) -> tuple[Any, ...]: ...
    def audit_count(self, wanted: AuditFilter) -> int: ...
    def api_token(self, token_id: str) -> ApiToken | None: ...
    def api_token_by_index(self, indexes: Sequence[bytes]) -> ApiToken | None: ...
    def api_tokens(self, account_id: str, *, live_only: bool = True) -> tuple[ApiToken, ...]: ...
    def api_tokens_in_reach(self, account_id: str) -> tuple[ApiToken, ...]: ...  # its own, and made by its person
    def api_tokens_where(
        self, *, search: str = "", live_only: bool = True, after: tuple[datetime, str] | None = None, limit: int = 50
    ) -> tuple[ApiToken, ...]: ...
    def proposal(self, proposal_id: str) -> Proposal | None: ...
    def proposals(
        self, *, open_only: bool, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> tuple[Proposal, ...]: ...
    def open_proposal_count(self, now: datetime) -> int: ...
    def is_proposed(self, kind: ProposalKind, account_id: str | None, now: datetime) -> bool: ...
    def site_rules(self) -> SavedRules: ...
    def network_entries_in_use(self) -> frozenset[str]: ...  # of app passwords and API tokens
    def api_answer(self, token_id: str, key: str) -> ApiAnswer | None: ...


class ConsoleWriter(ConsoleReader, Protocol):
    """What console and API write."""

    def add_api_token(self, token: ApiToken, key_number: int, index: bytes) -> None: ...
    def use_api_token(self, token_id: str, *, at: datetime, address: str) -> None: ...
    def set_api_token_index(self, token_id: str, key_number: int, index: bytes) -> None: ...  # moved to another key
    def set_api_token_revoked(self, token_id: str, *, at: datetime, by: str) -> bool: ...
    def add_proposal(self, proposal: Proposal) -> None: ...
    def decide_proposal(self, proposal_id: str, *, state: ProposalState, by: str, at: datetime) -> bool: ...
    def set_proposal_facts(self, proposal_id: str, facts: dict[str, Any]) -> None: ...
    def set_site_rules(self, rules: SavedRules) -> None: ...
    def begin_api_answer(self, token_id: str, key: str, request_hash: bytes, at: datetime) -> bool: ...
    def set_api_answer(self, token_id: str, key: str, status: int, body: str) -> None: ...
    def drop_api_answer(self, token_id: str, key: str) -> None: ...
    def forget_api_answers(self, before: datetime) -> int: ...


class ClosingReader(Protocol):
    """What mail servers have to be told, read."""

    def due_closings(self, now: datetime, server: str, limit: int = 500) -> tuple[Closing, ...]: ...  # oldest first
    def look_throughs(self) -> tuple[Closing, ...]: ...
    def closings_of(self, account_id: str) -> tuple[Closing, ...]: ...
    def late_closings(self) -> tuple[ServerClosings, ...]: ...  # tried in vain, or given up
    def logged_in_since(self, since: datetime, *, after: str = "", limit: int = 100) -> tuple[str, ...]: ...  # accounts


class ClosingWriter(ClosingReader, Protocol):
    """What mail servers have to be told, written."""

    def add_closing(
        self, server: str, account_id: str | None, credential_id: str | None, *, at: datetime, next_try_at: datetime
    ) -> None: ...
    def set_closing_told(self, closing: Closing, at: datetime, next_try_at: datetime) -> None: ...
    def put_off_closing(self, closing: Closing, next_try_at: datetime) -> None: ...
    def give_up_closing(self, closing: Closing, at: datetime, forget_at: datetime) -> None: ...
    def remove_closing(self, closing: Closing) -> None: ...  # these four do nothing if it was asked for anew meanwhile
    def hasten_closings(self, server: str, at: datetime) -> int: ...  # those told in vain
    def forget_closings(self, servers: Sequence[str], now: datetime) -> int: ...  # of other servers, and given up


class DoorReader(ClosingReader, Protocol):
    """What the doors for mail servers ask of the store."""

    def sent_on(self, credential_id: str, day: date) -> Sent: ...  # a day in UTC
    def asked(self) -> Mapping[Asked, Tally]: ...
    def not_sent(self, credential_id: str, since: date) -> Mapping[NotSent, Tally]: ...  # the latest day first
    def code_proven_at(self, hashed: bytes) -> datetime | None: ...  # None: not remembered
    def is_code_known(self, account_id: str, code: bytes) -> bool: ...  # it was typed before
    def accounts_with_codes(self, since: datetime) -> tuple[str, ...]: ...  # who typed one behind the main password


class DoorWriter(ClosingWriter, DoorReader, Protocol):
    """What the doors for mail servers write."""

    def count_sent(self, credential_id: str, day: date, recipients: int) -> None: ...  # one message
    def carry_sent(self, old_id: str, new_id: str, day: date) -> None: ...  # to a successor that has sent nothing
    def uncount_sent(self, credential_id: str, day: date, recipients: int) -> None: ...  # it was not taken
    def forget_sent(self, before: date) -> int: ...
    def add_tallies(self, tallies: Mapping[Counted, Tally]) -> None: ...
    def forget_not_sent(self, before: date) -> int: ...
    def remember_code(self, hashed: bytes, account_id: str, code: bytes, at: datetime) -> None: ...
    def forget_remembered_codes(self, before: datetime) -> int: ...
