"""Facts in the words of one language: times, permissions, states. Templates know it as `words`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from valetkey.core.app_password import AppPassword
from valetkey.core.limit_sentences import (
    address_words,
    amount_words,
    describe_limits,
    folder_words,
    sent_words,
    stopped_words,
)
from valetkey.core.limits import Limits, Sent
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import READY_MADE, Permission, PermissionMode, Scope, describe
from valetkey.core.sentence import Sentence, counted, say
from valetkey.doors.web import names
from valetkey.doors.web.language import Language

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_RECENT_DAYS = 30
_SOON = timedelta(days=14)
_STALE = timedelta(days=90)


def with_capital(text: str) -> str:
    """Begin with a capital letter and leave the rest alone."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class ScopeWords:
    """A scope as the list and the pages show it."""

    title: str  # the ready-made choice it is, or what it mainly does
    can: str
    cannot: str
    protocols: str
    short: str  # for a table's cell

    @property
    def sentence(self) -> Sentence:
        """What it can and cannot do, in one or two sentences."""
        if not self.can:
            return say("It can do nothing with the account’s rights as they are now.")
        if not self.cannot:
            return say("It can {do_this}.", do_this=self.can)
        return say("It can {do_this}. It cannot {do_that}.", do_this=self.can, do_that=self.cannot)


@dataclass(frozen=True, slots=True)
class State:
    """How an app password stands, as a pill: a tone for its colour and a few words."""

    tone: str
    text: Sentence


class Words:
    """What pages say about facts, in one language and time zone."""

    PROTOCOLS = names.PROTOCOLS
    PROTOCOL_USES = names.PROTOCOL_USES
    ENCRYPTIONS = names.ENCRYPTIONS
    PERMISSIONS = names.PERMISSIONS
    reason = staticmethod(names.reason)
    mend = staticmethod(names.mend)
    browser = staticmethod(names.browser)
    stopped = staticmethod(stopped_words)
    with_capital = staticmethod(with_capital)

    def __init__(self, language: Language) -> None:
        self.language = language
        self.day = language.day
        self.clock = language.clock
        self.stamp = language.stamp
        self.listed = language.listed
        self.said = language.translated

    def ago(self, then: datetime, now: datetime) -> str:
        """Say how long ago something was; after a month, on which day."""
        seconds = int((now - then).total_seconds())
        if seconds < _MINUTE:
            return self.said(say("just now"))
        if seconds < _HOUR:
            return self.said(counted("{number} minute ago", "{number} minutes ago", seconds // _MINUTE))
        if seconds < _DAY:
            return self.said(counted("{number} hour ago", "{number} hours ago", seconds // _HOUR))
        days = seconds // _DAY
        if days > _RECENT_DAYS:
            return self.said(say("on {day}", day=self.day(then)))
        return self.said(counted("{number} day ago", "{number} days ago", days))

    def ahead(self, then: datetime, now: datetime) -> str:
        """Say how far ahead something is; beyond a month, on which day."""
        seconds = int((then - now).total_seconds())
        if seconds < _MINUTE:
            return self.said(say("now"))
        if seconds < _HOUR:
            return self.said(counted("in {number} minute", "in {number} minutes", seconds // _MINUTE))
        if seconds < _DAY:
            return self.said(counted("in {number} hour", "in {number} hours", seconds // _HOUR))
        days = round(seconds / _DAY)
        if days > _RECENT_DAYS:
            return self.said(say("on {day}", day=self.day(then)))
        return self.said(counted("in {number} day", "in {number} days", days))

    @staticmethod
    def machine_time(moment: datetime) -> str:
        """Give the form for a `datetime` attribute."""
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def scope_words(self, scope: Scope, rights: frozenset[Permission]) -> ScopeWords:
        """Say what an app password may do, given the account's rights now."""
        can, cannot = describe(scope, rights)
        ready = next((choice for choice in READY_MADE if choice.scope == scope), None)
        protocols = tuple(name for protocol, name in names.PROTOCOLS.items() if protocol in scope.protocols)
        # The ready-made words are only true while the account's rights give all that they name.
        is_whole = scope.mode is PermissionMode.INHERIT or scope.effective(rights) == scope.permissions
        all_that_it_can = self.listed(can)
        return ScopeWords(
            title=self.said(ready.title if ready else say("Chosen one by one")),
            can=all_that_it_can,
            cannot=self.listed(cannot, "or"),
            protocols=self.listed(protocols),
            short=self.said(names.READY_MADE_SHORT[ready.key])
            if ready and is_whole
            else with_capital(all_that_it_can) or self.said(say("Nothing")),
        )

    def networks_words(self, restrictions: Restrictions) -> Sentence:
        """Say from where an app password may be used."""
        match restrictions.network_rule:
            case NetworkRule.ANYWHERE:
                return say("From anywhere")
            case NetworkRule.ALLOWED:
                return say("Only from {networks}", networks=restrictions.allowed_ips)
            case NetworkRule.PINNED if restrictions.pinned_network is None:
                return say("Only from the network where it is first used")
            case NetworkRule.PINNED:
                return say("Only from {network}, where it was first used", network=restrictions.pinned_network)

    def summary(self, scope: Scope, rights: frozenset[Permission], restrictions: Restrictions) -> tuple[Sentence, ...]:
        """Say in whole sentences what an app password can and cannot do, how far, from where, and until when."""
        idle = (self.idleness(restrictions.idle_for),) if restrictions.idle_for else ()
        limits = describe_limits(restrictions.limits, scope, rights)
        return (self.scope_words(scope, rights).sentence, *limits, self.reach(restrictions), *idle)

    def limits_rows(self, limits: Limits) -> tuple[tuple[Sentence, str], ...]:
        """Give all limits that there are, each with what it is called."""
        rows: tuple[tuple[Sentence, tuple[Sentence | str, ...]], ...] = (
            (say("Sees only"), folder_words(limits.folders)),
            (say("Sends only as"), address_words(limits.senders)),
            (say("Sends only to"), address_words(limits.recipients)),
            (say("Sends at most"), amount_words(limits)),
        )
        return tuple((name, self.listed(entries)) for name, entries in rows if entries)

    def limits_short(self, limits: Limits) -> str:
        """Say what is limited, for a table's cell; "" if nothing is."""
        amounts = bool(amount_words(limits))
        parts = (
            (say("folders"), limits.folders),
            (say("senders"), limits.senders),
            (say("recipients"), limits.recipients),
            (say("amounts"), amounts),
        )
        what = tuple(name for name, is_limited in parts if is_limited)
        return self.said(say("Limited: {what}", what=what)) if what else ""

    def sent_today(self, limits: Limits, sent: Sent) -> str:
        """Say what was sent today beside the amounts of a day; "" where there are none."""
        return self.listed(sent_words(limits, sent))

    def reach(self, restrictions: Restrictions) -> Sentence:
        """Say in a whole sentence from where an app password works, and until when."""
        ends = restrictions.expires_at
        day = self.day(ends) if ends else ""
        match restrictions.network_rule:
            case NetworkRule.ANYWHERE if ends:
                return say("It works from anywhere, until {day}.", day=day)
            case NetworkRule.ANYWHERE:
                return say("It works from anywhere, and does not end by itself.")
            case NetworkRule.ALLOWED if not restrictions.allowed_ips:  # in a form that is not filled in yet
                return say("It works from nowhere until a network is named.")
            case NetworkRule.ALLOWED if ends:
                return say("It works only from {networks}, until {day}.", networks=restrictions.allowed_ips, day=day)
            case NetworkRule.ALLOWED:
                networks = restrictions.allowed_ips
                return say("It works only from {networks}, and does not end by itself.", networks=networks)
            case NetworkRule.PINNED if ends:
                return say("It works only from the network where it is first used, until {day}.", day=day)
            case NetworkRule.PINNED:
                return say("It works only from the network where it is first used, and does not end by itself.")

    def idleness(self, idle_for: timedelta) -> Sentence:
        """Say in a whole sentence how long an app password may stay unused."""
        return counted(
            "It stops when unused for {number} day.", "It stops when unused for {number} days.", idle_for.days
        )

    def state_of(self, app_password: AppPassword, now: datetime) -> State:
        """Say the one thing about an app password that its owner should know first."""
        expires_at = app_password.restrictions.expires_at
        if app_password.revoked_at is not None:
            return State("past", say("Revoked"))
        if app_password.lapsed_at is not None or (expires_at is not None and expires_at <= now):
            return State("past", say("Expired"))
        use, refusal = app_password.last_use, app_password.last_refusal
        if refusal is not None and (use is None or refusal.at > use.at):
            return State("bad", say("Refused"))
        if expires_at is not None and expires_at - now < _SOON:
            return State("warn", say("Expires {when}", when=self.ahead(expires_at, now)))
        if use is None:
            return State("new", say("Never used"))
        if now - use.at > _STALE:
            return State("warn", counted("Unused for {number} day", "Unused for {number} days", (now - use.at).days))
        return State("good", say("In use"))
