"""What becomes of datagrams, counted; and said in the log once a minute and address, as anybody can send them."""

import time

import structlog

from valetkey.core.network import Address
from valetkey.doors.asked.settings import Door
from valetkey.doors.serve.metrics import Metrics

_log = structlog.get_logger("valetkey.doors")

_ONCE_IN = 60.0  # seconds
_MOST = 256  # different lines in that time


class Noting:
    """The counts and log lines of one door."""

    def __init__(self, door: Door, metrics: Metrics) -> None:
        self._door = door
        self._metrics = metrics
        self._said: set[tuple[str, str]] = set()
        self._since = 0.0

    def count(self, result: str) -> None:
        """Count what became of a datagram, in a word of ours."""
        self._metrics.count("valetkey_door_requests_total", door=self._door.name, result=result)

    def note(self, why: str, address: Address | None, *, result: str = "turned-away") -> None:
        """Count a datagram that is not answered as it wished, and say so, unless it was said lately."""
        self.count(result)
        now = time.monotonic()
        if now - self._since > _ONCE_IN:
            self._said.clear()
            self._since = now
        line = (why, str(address or ""))
        if line not in self._said and len(self._said) < _MOST:
            self._said.add(line)
            _log.warning("turned_away", door=self._door.name, place=self._door.place, address=line[1], why=why)
