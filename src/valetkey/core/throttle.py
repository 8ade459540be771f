"""Throttling as arithmetic: counters and limits in, a verdict out. Only failures are counted and throttled."""

import hmac
import math
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How many failures pass before further ones are answered "try again later"."""

    window: timedelta = timedelta(minutes=10)
    per_network: int = 60  # distinct wrong secrets from one /24 or /56
    per_secret: int = 120  # repeats of one and the same wrong secret
    overall: int = 20_000  # distinct wrong secrets from everywhere; beyond it each network has only its first tries
    first_tries: int = 3  # that no flood from elsewhere takes from a network


@dataclass(frozen=True, slots=True)
class ThrottleCounts:
    """What was counted in the running window."""

    network: int
    secret: int
    overall: int


def is_throttled(counts: ThrottleCounts, limits: ThrottleLimits) -> bool:
    """Tell whether a further failure is answered "try again later", before any slow hash is worked out.

    A flood from everywhere leaves each network its first tries, so that it keeps no owner from signing in.
    """
    is_flooded = counts.overall >= limits.overall and counts.network >= limits.first_tries
    return is_flooded or counts.network >= limits.per_network or counts.secret >= limits.per_secret


def window_of(now: datetime, limits: ThrottleLimits) -> int:
    """Give the number of the window that a moment lies in."""
    return int(now.timestamp() // limits.window.total_seconds())


def minutes_left(now: datetime, limits: ThrottleLimits) -> int:
    """Give the minutes until the running window ends, at least one."""
    length = limits.window.total_seconds()
    return max(1, math.ceil((length - now.timestamp() % length) / 60))


def secret_key(key: bytes, name: str, secret: str) -> bytes:
    """Give the 16 octets under which one wrong secret for one name is counted; it cannot be turned back."""
    return hmac.digest(key, "\0".join(("valetkey throttle 1", name, secret)).encode(errors="surrogatepass"), "sha256")[
        :16
    ]
