"""Recovery of a lost second factor: two independent proofs, a waiting time with notices, and nobody to talk to.

Why it is so, and what it cannot do: docs/decisions/0008-recovery.md.
"""

from datetime import datetime, timedelta
from enum import Enum

from valetkey.core.notice import NoticeKind
from valetkey.core.policy import LEAST_RECOVERY_WAIT

OPEN_FOR = timedelta(hours=72)  # after the waiting time; then it lapses
LINK_LASTS = timedelta(minutes=15)
TELL_EVERY = timedelta(hours=24)
MOST_BEGUN = 3  # per account
BEGUN_WITHIN = timedelta(days=7)
MOST_LINKS = 4  # mailed per account
LINKS_WITHIN = timedelta(hours=1)


class Phase(Enum):
    """How far a recovery has come."""

    NONE = "none"  # there is none
    WAITING = "waiting"
    OPEN = "open"  # it may be finished
    OVER = "over"  # it was not finished in time


def times(now: datetime, wait: timedelta) -> tuple[datetime, datetime]:
    """Give when a recovery that begins now opens, and when it lapses; the waiting time is never below 24 hours."""
    opens_at = now + max(wait, LEAST_RECOVERY_WAIT)
    return opens_at, opens_at + OPEN_FOR


def phase_at(now: datetime, opens_at: datetime, closes_at: datetime) -> Phase:
    """Tell how far a recovery has come that was neither finished nor called off."""
    if now < opens_at:
        return Phase.WAITING
    return Phase.OPEN if now < closes_at else Phase.OVER


def notice_due(now: datetime, noticed_at: datetime, opens_at: datetime, closes_at: datetime) -> NoticeKind | None:
    """Tell what the owner is to be told now: each day that it waits, when it opens, and when it has lapsed."""
    match phase_at(now, opens_at, closes_at):
        case Phase.OVER:
            return NoticeKind.RECOVERY_LAPSED
        case Phase.OPEN if noticed_at < opens_at:
            return NoticeKind.RECOVERY_OPEN
        case Phase.OPEN | Phase.WAITING if now - noticed_at >= TELL_EVERY:
            return NoticeKind.RECOVERY_OPEN if now >= opens_at else NoticeKind.RECOVERY_WAITING
        case _:
            return None
