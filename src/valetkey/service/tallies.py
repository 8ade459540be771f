"""What is counted and not listed: what came of the questions of mail servers, and messages that a limit stopped.

Each worker counts for itself and adds its numbers to the store's every few seconds, so they hold over all workers and
after a restart. There is one row for each thing that can be counted, however often it happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from valetkey.core.limits import Overstep

NOBODY_KNOWN = ""  # in the place of a peer's name: who asked is none of the configuration's


class AskedOutcome(StrEnum):
    """What came of a question."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot-tell"  # the server was told to try again later, or nothing
    MISUNDERSTOOD = "misunderstood"  # it breaks the protocol, or is none that this door answers
    TURNED_AWAY = "turned-away"  # from an address, or with a secret, that is no peer's; or too many at once


class Asked(NamedTuple):
    """A peer's questions at one door that came to the same."""

    door: str  # `MailDoor.name`
    peer: str
    outcome: AskedOutcome


class NotSent(NamedTuple):
    """Messages or recipients of an app password that a limit stopped on a day in UTC."""

    credential_id: str
    day: date
    why: Overstep


Counted = Asked | NotSent


@dataclass(slots=True)
class Tally:
    """How often, and when."""

    count: int
    first_at: datetime
    last_at: datetime
    place: str = ""  # where the last one came from, if that is kept

    def join(self, other: "Tally") -> None:
        """Add another of the same thing."""
        self.count += other.count
        self.first_at = min(self.first_at, other.first_at)
        if other.last_at >= self.last_at:
            self.last_at, self.place = other.last_at, other.place


class Tallies:
    """Numbers that wait to be written. Bounded: what is new when there are too many is not counted."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._waiting: dict[Counted, Tally] = {}

    def count(self, what: Counted, at: datetime, place: str = "") -> None:
        """Count one."""
        known = self._waiting.get(what)
        if known is not None and at >= known.last_at:  # as for nearly every login
            known.count += 1
            known.last_at, known.place = at, place
        else:
            self._join(what, Tally(1, at, at, place))

    def take(self) -> Mapping[Counted, Tally]:
        """Give what waits, and begin anew."""
        taken, self._waiting = self._waiting, {}
        return taken

    def put_back(self, taken: Mapping[Counted, Tally]) -> None:
        """Have it wait again: it could not be written."""
        for what, tally in taken.items():
            self._join(what, tally)

    def _join(self, what: Counted, tally: Tally) -> None:
        known = self._waiting.get(what)
        if known is not None:
            known.join(tally)
        elif len(self._waiting) < self._capacity:
            self._waiting[what] = tally
