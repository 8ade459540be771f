"""The site's policy and named networks: see them, see whom a change would hit, save them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict
from valetkey.core.event import PolicyChanged
from valetkey.core.login import end_of, idle_limit, is_expired, is_idle
from valetkey.core.network import NamedNetworks, network_facts, networks_from
from valetkey.core.policy import Policy, changed_fields, check_policy, is_lower, weaker_fields
from valetkey.core.proposal import Proposal, ProposalKind
from valetkey.core.restriction import NetworkRule
from valetkey.core.role import Action
from valetkey.core.sentence import say
from valetkey.service.authority import require, require_operator, require_recent_proof
from valetkey.service.closing import NOTHING, Closed, ask_all, close_what_fails
from valetkey.service.ports import Actor, ActorKind, Ports, Reader, Writer
from valetkey.service.proposing import propose_in
from valetkey.service.saved_rules import (
    grows_in_use,
    networks_difference,
    policy_difference,
    save_networks_in,
    save_policy_in,
)
from valetkey.service.store_parts import AccountFilter, AppPasswordFilter, SavedRules, SecondFactorFilter

_Limit = TypeVar("_Limit", datetime, timedelta)

MAX_HITS = 200  # shown; all are counted
_PART = 500


class Origin(StrEnum):
    """Where rules come from."""

    FILE = "file"  # the configuration file, until the console saves others
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class ShownRules:
    """The rules as they hold, and where each part comes from."""

    policy: Policy
    networks: NamedNetworks
    policy_from: Origin
    networks_from: Origin


class Effect(StrEnum):
    """What a change does to somebody."""

    STOPS = "stops"  # the app password works nowhere from then on
    ENDS_EARLIER = "ends-earlier"  # it will end sooner, or after a shorter time unused
    NETWORK = "network"  # from where it works is another list
    MAIN_PASSWORD = "main-password"  # noqa: S105  (no secret) the main password no longer opens mail


@dataclass(frozen=True, slots=True)
class Hit:
    """Whom a change hits."""

    account: Account
    app_password: AppPassword | None  # None: the main password, or an API token
    effect: Effect
    ends_at: datetime | None = None  # when it will end, if a time is known
    api_token: ApiToken | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do, before it is saved."""

    changed: tuple[str, ...]  # fields of the policy, or names of networks
    weaker: tuple[str, ...]  # those of them that permit more: then a second administrator is needed
    stops: int
    shortened: int
    elsewhere: int  # app passwords and API tokens whose networks change
    loses_mail: int  # people whose main password no longer opens mail
    people: int  # accounts hit
    hits: tuple[Hit, ...]  # the first of them

    @property
    def needs_two(self) -> bool:
        """Whether it takes effect only when a second administrator countersigns it."""
        return bool(self.weaker)


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a change: it holds, or it waits as a proposal."""

    proposal: Proposal | None
    closed: Closed = NOTHING  # mail connections that no longer pass


async def show(ports: Ports, actor: Actor) -> ShownRules:
    """Give the rules as they hold, by `Action.SEE_POLICY`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed, or what is saved cannot be read.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> SavedRules:
        require(reader, actor, Action.SEE_POLICY, now)
        return reader.site_rules()

    saved, rules = await ports.store.read(look), ports.rules.current()
    return ShownRules(rules.policy, rules.networks, _origin(saved.policy), _origin(saved.networks))


def _origin(saved: object) -> Origin:
    return Origin.FILE if saved is None else Origin.CONSOLE


async def preview(ports: Ports, actor: Actor, new: Policy) -> Preview:
    """Tell whom another policy would hit, by `Action.SEE_POLICY`. Nothing is changed.

    Raises:
        NotAllowed: The role or the token does not permit it.
        InvalidInput: It makes no sense.
        Unavailable: The store failed.
    """
    now, rules = ports.clock.now(), ports.rules.current()
    check_policy(new)
    await _require_seeing(ports, actor, now)
    tally = _Tally()
    if (new.max_lifetime, new.max_idle_for) != (rules.policy.max_lifetime, rules.policy.max_idle_for):
        async for credential, account in _live_app_passwords(ports, now):
            tally.add(_under_policy(credential, account, rules.policy, new, now))
    if rules.policy.main_password_opens_mail and not new.main_password_opens_mail:
        async for account in _people_without_second_factor(ports):
            tally.add(Hit(account, None, Effect.MAIN_PASSWORD))
    if rules.policy.password_with_code and not new.password_with_code:
        since = now - rules.policy.password_with_code_for
        for account in await ports.store.read(partial(_people_with_codes, since=since)):
            tally.add(Hit(account, None, Effect.MAIN_PASSWORD))
    return tally.preview(changed_fields(rules.policy, new), weaker_fields(rules.policy, new))


async def preview_networks(ports: Ports, actor: Actor, new: NamedNetworks) -> Preview:
    """Tell whom other named networks would hit, by `Action.SEE_POLICY`. Nothing is changed.

    Raises:
        NotAllowed: The role or the token does not permit it.
        InvalidInput: A name or a network cannot be used.
        Unavailable: The store failed.
    """
    now, rules = ports.clock.now(), ports.rules.current()
    wanted = networks_from(network_facts(new))
    await _require_seeing(ports, actor, now)
    before, after = networks_difference(rules.networks, wanted)
    changed = tuple(sorted(before.keys() | after.keys()))
    tally = _Tally()
    async for credential, account in _live_app_passwords(ports, now):
        limits = credential.restrictions
        if limits.network_rule is NetworkRule.ALLOWED:
            effect = _under_networks(limits.allowed_ips, changed, wanted)
            tally.add(Hit(account, credential, effect) if effect else None)
    async for token, account in _live_api_tokens(ports, now):
        effect = _under_networks(token.allowed_ips, changed, wanted)
        tally.add(Hit(account, None, effect, api_token=token) if effect else None)
    weaker = await ports.store.read(lambda reader: grows_in_use(reader, rules.networks, wanted))
    return tally.preview(changed, weaker)


async def save(ports: Ports, actor: Actor, new: Policy, *, reason: str = "") -> Saved:
    """Save a policy, by `Action.CHANGE_POLICY`; a weaker one waits as a proposal for a second administrator.

    Args:
        ports: The ports.
        actor: Who changes it. The command line needs no second administrator.
        new: The whole policy.
        reason: Why; needed for a weaker one.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: The role or the token does not permit it.
        InvalidInput: It makes no sense, or there is no reason.
        Conflict: Nothing is changed.
        Refused: It needs a second administrator, and there is none.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    check_policy(new)

    def work(writer: Writer) -> Proposal | None:
        require(writer, actor, Action.CHANGE_POLICY, now)
        current = ports.rules.current()
        if current.policy == new:
            raise Conflict(_NOTHING)
        if actor.kind is ActorKind.OPERATOR or not is_lower(current.policy, new):
            save_policy_in(writer, actor, current, new, now)
            return None
        before, after = policy_difference(current.policy, new)
        facts = {"policy": {"before": before, "after": after}}
        return _proposed(ports, writer, actor, facts, reason=reason, now=now)

    return await _saved(ports, work)


async def save_networks(ports: Ports, actor: Actor, new: NamedNetworks, *, reason: str = "") -> Saved:
    """Save the named networks, by `Action.CHANGE_POLICY`; to widen one in use waits as a proposal. See `save`.

    Raises:
        ProveAgain, NotAllowed, InvalidInput, Conflict, Refused, Unavailable: As `save`.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    wanted = networks_from(network_facts(new))

    def work(writer: Writer) -> Proposal | None:
        require(writer, actor, Action.CHANGE_POLICY, now)
        current = ports.rules.current()
        before, after = networks_difference(current.networks, wanted)
        if before == after:
            raise Conflict(_NOTHING)
        if actor.kind is ActorKind.OPERATOR or not grows_in_use(writer, current.networks, wanted):
            save_networks_in(writer, actor, current, wanted, now)
            return None
        facts = {"networks": {"before": before, "after": after}}
        return _proposed(ports, writer, actor, facts, reason=reason, now=now)

    return await _saved(ports, work)


async def reset(ports: Ports, actor: Actor) -> Closed:
    """Let the configuration file's policy and networks hold again, for the command line; mends a damaged row too.

    Returns:
        What that closed.

    Raises:
        NotAllowed: Not the command line.
        Unavailable: The store failed.
    """
    require_operator(actor)
    now = ports.clock.now()

    def work(writer: Writer) -> None:
        writer.set_site_rules(SavedRules(None, None))
        writer.record(PolicyChanged({}, {}), actor=actor, at=now, account_id=None)
        ask_all(ports, writer, now)

    await ports.store.write(work)
    return await close_what_fails(ports, None)


_NOTHING = say("Nothing is changed: this holds already.")


def _proposed(
    ports: Ports, writer: Writer, actor: Actor, facts: dict[str, Any], *, reason: str, now: datetime
) -> Proposal:
    kind = ProposalKind.LOWER_POLICY
    return propose_in(ports, writer, actor, kind, reason=reason, facts=facts, account_id=None, now=now)


async def _saved(ports: Ports, work: Callable[[Writer], Proposal | None]) -> Saved:
    now = ports.clock.now()

    def save_and_ask(writer: Writer) -> Proposal | None:
        proposal = work(writer)
        if proposal is None:
            ask_all(ports, writer, now)
        return proposal

    proposal = await ports.store.write(save_and_ask)
    return Saved(proposal) if proposal else Saved(None, await close_what_fails(ports, None))


async def _require_seeing(ports: Ports, actor: Actor, now: datetime) -> None:
    await ports.store.read(lambda reader: require(reader, actor, Action.SEE_POLICY, now))


async def _live_app_passwords(ports: Ports, now: datetime) -> AsyncIterator[tuple[AppPassword, Account]]:
    after: tuple[datetime, str] | None = None
    while True:
        part = await ports.store.read(partial(_part_of_live, now=now, after=after))
        for credential, account in part:
            if account.state is AccountState.ACTIVE:
                yield credential, account
        if len(part) < _PART:
            return
        after = (part[-1][0].created_at, part[-1][0].id)


async def _people_without_second_factor(ports: Ports) -> AsyncIterator[Account]:
    wanted = AccountFilter(kind=AccountKind.PERSON, state=AccountState.ACTIVE, second_factor=SecondFactorFilter.WITHOUT)
    after = ""
    while True:
        part = await ports.store.read(partial(_part_of_accounts, wanted=wanted, after=after))
        for account in part:
            yield account
        if len(part) < _PART:
            return
        after = part[-1].address


def _people_with_codes(reader: Reader, *, since: datetime) -> tuple[Account, ...]:
    found = (reader.account(account_id) for account_id in reader.accounts_with_codes(since))
    return tuple(account for account in found if account is not None and account.state is AccountState.ACTIVE)


def _part_of_live(
    reader: Reader, *, now: datetime, after: tuple[datetime, str] | None
) -> tuple[tuple[AppPassword, Account], ...]:
    return reader.app_passwords_where(AppPasswordFilter.LIVE, now=now, after=after, limit=_PART)


def _part_of_accounts(reader: Reader, *, wanted: AccountFilter, after: str) -> tuple[Account, ...]:
    return reader.accounts_where(wanted, after=after, limit=_PART)


def _under_policy(credential: AppPassword, account: Account, old: Policy, new: Policy, now: datetime) -> Hit | None:
    """Tell what another policy does to an app password that works now."""
    if is_expired(credential, old, now) or is_idle(credential, old, now):
        return None
    end = end_of(credential, new)
    if is_expired(credential, new, now) or is_idle(credential, new, now):
        return Hit(account, credential, Effect.STOPS, end)
    if _is_sooner(end, end_of(credential, old)) or _is_sooner(idle_limit(credential, new), idle_limit(credential, old)):
        return Hit(account, credential, Effect.ENDS_EARLIER, end)
    return None


def _is_sooner(new: _Limit | None, old: _Limit | None) -> bool:
    return new is not None and (old is None or new < old)


def _under_networks(limited_to: tuple[str, ...], changed: tuple[str, ...], new: NamedNetworks) -> Effect | None:
    """Tell what other networks do to something that is limited to some."""
    if not set(limited_to) & set(changed):
        return None
    return Effect.NETWORK if new.resolve(limited_to) else Effect.STOPS


async def _live_api_tokens(ports: Ports, now: datetime) -> AsyncIterator[tuple[ApiToken, Account]]:
    after: tuple[datetime, str] | None = None
    while True:
        part = await ports.store.read(partial(_part_of_tokens, after=after))
        for token, account in part:
            if token.is_live(now) and account and account.state is AccountState.ACTIVE:
                yield token, account
        if len(part) < _PART:
            return
        after = (part[-1][0].created_at, part[-1][0].id)


def _part_of_tokens(reader: Reader, *, after: tuple[datetime, str] | None) -> list[tuple[ApiToken, Account | None]]:
    return [(token, reader.account(token.account_id)) for token in reader.api_tokens_where(after=after, limit=_PART)]


class _Tally:
    """Counts whom a change hits, and keeps the first."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Effect, 0)
        self._people: set[str] = set()
        self._hits: list[Hit] = []

    def add(self, hit: Hit | None) -> None:
        if hit is None:
            return
        self._counts[hit.effect] += 1
        self._people.add(hit.account.id)
        if len(self._hits) < MAX_HITS:
            self._hits.append(hit)

    def preview(self, changed: tuple[str, ...], weaker: tuple[str, ...]) -> Preview:
        return Preview(
            changed=changed,
            weaker=weaker,
            stops=self._counts[Effect.STOPS],
            shortened=self._counts[Effect.ENDS_EARLIER],
            elsewhere=self._counts[Effect.NETWORK],
            loses_mail=self._counts[Effect.MAIN_PASSWORD],
            people=len(self._people),
            hits=tuple(self._hits),
        )
