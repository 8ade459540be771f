"""The live sessions of one worker, and what ends them: a change, an expiry, a wish.

The change feed is looked at several times a second and at once when a verb asks. A session is decided about once more when
it is registered, so a revocation between verdict and registration is not missed.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic

import structlog

from valetkey.core.errors import Unavailable
from valetkey.core.limits import limits_of, limits_within
from valetkey.core.login import Allowed, CannotTell, Grant, LoginAttempt, Reason, Refused, Verdict
from valetkey.core.scope import UNLIMITED, MailProtocol
from valetkey.service.changes import Follower
from valetkey.service.login import decide_again
from valetkey.service.ports import LiveSession, Ports

_log = structlog.get_logger("valetkey.gateway")

# The heap of expiries keeps entries of ended sessions; it is made anew when they are the most of it.
_HEAP_SLACK = 1000
_ALL = ""  # in the place of an account: every session
_TOLD_WITHIN = 2.0  # seconds in which the verb asks that has made a change


@dataclass(slots=True)
class Live:
    """One live session: how it was let in, and how it is closed."""

    facts: LiveSession
    attempt: LoginAttempt  # without its secret
    grant: Grant
    close: Callable[[str], None]


@dataclass(slots=True)
class _Closed:
    count: int
    at: float


class LiveRegistry:
    """All live sessions of this worker."""

    def __init__(self, ports: Ports) -> None:
        """Begin to follow the change feed.

        Raises:
            Unavailable: The store failed.
        """
        self._ports = ports
        self._follower = Follower(ports.store)
        self._by_id: dict[str, Live] = {}
        self._by_account: dict[str, set[str]] = {}
        self._expiries: list[tuple[datetime, str]] = []
        self._unsettled: set[str] = set()  # sessions that could not be decided about
        # Closed by following, before the verb that changed something came to ask; it still wants to know how many.
        self._untold: dict[str, _Closed] = {}
        self._is_blind = False

    def __len__(self) -> int:
        return len(self._by_id)

    # Sessions come and go

    def add(self, live: Live) -> None:
        """Register a session."""
        session = live.facts
        self._by_id[session.id] = live
        self._by_account.setdefault(session.account_id, set()).add(session.id)
        self._note_expiry(live)

    def still_passes(self, live: Live) -> Verdict:
        """Decide about a session just registered as things are now; it begins only if it is still allowed.

        A verb that has changed something since the verdict may have asked this worker already, and not have met it.
        """
        verdict = decide_again(self._ports, live.attempt, live.grant)
        if isinstance(verdict, Allowed) and self._renew(live, verdict.grant) is not None:
            return Refused(Reason.REVOKED, credential_id=live.grant.credential_id)
        return verdict

    def remove(self, session_id: str) -> None:
        """Forget a session that has ended."""
        live = self._by_id.pop(session_id, None)
        if live is None:
            return
        ids = self._by_account[live.facts.account_id]
        ids.discard(session_id)
        if not ids:
            del self._by_account[live.facts.account_id]

    # What is asked

    def of_account(self, account_id: str) -> tuple[LiveSession, ...]:
        """List the sessions of an account, or all if `account_id` is empty."""
        return tuple(self._by_id[each].facts for each in self._ids_of(account_id))

    def addresses(self) -> Iterable[tuple[str, MailProtocol]]:
        """Give the mailbox's address and the protocol of every session."""
        return [(each.grant.address, each.facts.protocol) for each in self._by_id.values()]

    def count_of(self, account_id: str) -> int:
        """Count the sessions of an account."""
        return len(self._by_account.get(account_id, ()))

    def close(self, session_id: str) -> bool:
        """Close one session; False if it is not here."""
        live = self._by_id.get(session_id)
        if live is None:
            return False
        live.close("closed by its owner")
        return True

    # What is looked at again and again

    def follow(self) -> int:
        """Look at what changed and what expired; close what no longer passes. Returns how many were closed."""
        closed = 0
        try:
            changes = self._follower.poll()
        except Unavailable as error:
            self._report_blindness(str(error))
            changes = ()
        else:
            self._is_blind = False
        accounts = {change.account_id for change in changes}
        for account_id in {_ALL} if None in accounts else accounts - {""}:
            closed += self._apply_untold(account_id or _ALL)
        self._forget_untold()
        return closed + self._expire() + self._decide_again(self._take_unsettled())

    def apply(self, account_id: str) -> int:
        """Decide again over the sessions of one account, or of all if it is empty, for a verb that changed something.

        Returns:
            How many were closed, those included that following the feed has closed a moment ago.
        """
        told = self._untold.pop(account_id, None)
        return self._decide_again(self._ids_of(account_id)) + (told.count if told else 0)

    def _ids_of(self, account_id: str) -> Iterable[str]:
        return self._by_id if account_id == _ALL else self._by_account.get(account_id, ())

    def _apply_untold(self, account_id: str) -> int:
        closed = self._decide_again(self._ids_of(account_id))
        if closed:
            before = self._untold.get(account_id)
            self._untold[account_id] = _Closed(closed + (before.count if before else 0), monotonic())
        return closed

    def _forget_untold(self) -> None:
        if self._untold:
            oldest = monotonic() - _TOLD_WITHIN
            self._untold = {account: each for account, each in self._untold.items() if each.at > oldest}

    def _take_unsettled(self) -> set[str]:
        unsettled, self._unsettled = self._unsettled, set()
        return unsettled

    def _decide_again(self, ids: Iterable[str]) -> int:
        closed = 0
        for session_id in list(ids):
            live = self._by_id.get(session_id)
            reason = self._why_not(live) if live is not None else None
            if live is not None and reason is not None:
                live.close(reason)
                closed += 1
        return closed

    def _why_not(self, live: Live) -> str | None:
        """Say why a session may not go on, or None if it may."""
        verdict = decide_again(self._ports, live.attempt, live.grant)
        match verdict:
            case Allowed(grant=grant):
                return self._renew(live, grant)
            case CannotTell():
                return self._put_off(live)
            case Refused(reason=reason):
                return reason.value

    def _renew(self, live: Live, grant: Grant) -> str | None:
        # What this protocol has no use for is no loss: the session could not have done it anyway.
        if not grant.permissions >= live.grant.permissions & UNLIMITED[grant.protocol]:
            return "narrowed"
        if not limits_within(limits_of(grant.protocol, live.grant.limits), limits_of(grant.protocol, grant.limits)):
            return "narrowed"
        if grant.credential_id is None and grant.changed != live.grant.changed:
            # The change may be of the main password itself, which opened this, and nothing but its number shows that.
            return Reason.REVOKED.value
        # What it may do does not grow while it is open; when it ends may have moved.
        live.grant = replace(grant, permissions=grant.permissions & live.grant.permissions, limits=live.grant.limits)
        self._note_expiry(live)
        return None

    def _put_off(self, live: Live) -> str | None:
        """Ask again next time: a store that is away for a moment cuts nobody off. An end in time needs no store."""
        expires_at = live.grant.expires_at
        if expires_at is not None and expires_at <= self._ports.clock.now():
            return Reason.EXPIRED.value
        self._unsettled.add(live.facts.id)
        return None

    def _note_expiry(self, live: Live) -> None:
        if live.grant.expires_at is not None:
            heapq.heappush(self._expiries, (live.grant.expires_at, live.facts.id))
            if len(self._expiries) > 2 * len(self._by_id) + _HEAP_SLACK:
                ends = ((each.grant.expires_at, each.facts.id) for each in self._by_id.values())
                self._expiries = [(at, session_id) for at, session_id in ends if at is not None]
                heapq.heapify(self._expiries)

    def _expire(self) -> int:
        if not self._expiries:
            return 0
        due = []
        now = self._ports.clock.now()
        while self._expiries and self._expiries[0][0] <= now:
            due.append(heapq.heappop(self._expiries)[1])
        return self._decide_again(due)

    def _report_blindness(self, why: str) -> None:
        if not self._is_blind:
            self._is_blind = True
            _log.error("change_feed_unreadable", why=why)
