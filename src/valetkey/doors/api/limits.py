"""How much one token may ask, and how often one network may be refused, per minute; kept in this process."""

import math
from dataclasses import dataclass, field
from datetime import datetime

WINDOW = 60  # seconds
_MOST_KEYS = 50_000  # of one window; what comes behind is counted together


@dataclass(frozen=True, slots=True)
class Standing:
    """How one key stands within the running window."""

    limit: int
    left: int
    resets_in: int  # seconds

    @property
    def is_over(self) -> bool:
        """Whether it has had more than it may."""
        return self.left < 0


@dataclass(slots=True)
class Window:
    """Counts per key in windows of a minute. Its memory is bounded: a new window forgets the one before."""

    limit: int
    _number: int = -1
    _counts: dict[str, int] = field(default_factory=dict)

    def count(self, key: str, now: datetime) -> Standing:
        """Count one more of a key and tell how it stands."""
        seconds = now.timestamp()
        number = int(seconds // WINDOW)
        if number != self._number:
            self._number, self._counts = number, {}
        if key not in self._counts and len(self._counts) >= _MOST_KEYS:
            key = ""
        self._counts[key] = self._counts.get(key, 0) + 1
        left = self.limit - self._counts[key]
        return Standing(self.limit, left, max(1, math.ceil(WINDOW - seconds % WINDOW)))


def rate_headers(standing: Standing, name: str) -> dict[str, str]:
    """Say how a key stands in the fields that the IETF's draft on rate limit headers gives for it."""
    return {
        "RateLimit-Policy": f'"{name}";q={standing.limit};w={WINDOW}',
        "RateLimit": f'"{name}";r={max(0, standing.left)};t={standing.resets_in}',
    }
