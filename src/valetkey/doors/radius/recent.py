"""Requests of the last seconds with their replies: a client that hears nothing sends the same request again."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

KEPT = 10.0  # seconds; RFC 5080 2.2.2: longer than a client goes on repeating
_MOST = 8_192  # requests

Place = tuple[Any, ...]  # of a socket: address and port


@dataclass(slots=True)
class Known:
    """A request that came before."""

    at: float
    reply: bytes | None = None  # None: it is being decided


class Recent:
    """Knows requests again by where they came from and by all that stands in them.

    RFC 5080 2.2.2 takes port, Identifier and Request Authenticator. A request that has these of another and is not the
    same is no repetition, and gets a decision of its own.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Place, bytes], Known] = OrderedDict()

    def find(self, place: Place, datagram: bytes, now: float) -> Known | None:
        """Give the request if it came in the last seconds."""
        self._forget(now)
        return self._known.get((place, _digest(datagram)))

    def begin(self, place: Place, datagram: bytes, now: float) -> Known:
        """Keep a request that is new."""
        self._forget(now)
        known = Known(now)
        self._known[place, _digest(datagram)] = known
        return known

    def drop(self, place: Place, datagram: bytes) -> None:
        """Forget a request that gets no reply, so that its repetition is decided anew."""
        self._known.pop((place, _digest(datagram)), None)

    def _forget(self, now: float) -> None:
        while self._known:
            first = next(iter(self._known.values()))
            if now - first.at < KEPT and len(self._known) < _MOST:
                return
            self._known.popitem(last=False)


def _digest(datagram: bytes) -> bytes:
    return hashlib.blake2b(datagram, digest_size=16).digest()
