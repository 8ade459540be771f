"""How many live updates there are at once: so many of one account, so many of the portal."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many streams there are at once, and how long each may be; times in seconds."""

    per_account: int = 8
    in_all: int = 500
    lasts: float = 900.0
    heartbeat: float = 15.0


class Streams:
    """The open streams of a portal."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._open: Counter[str] = Counter()
        self._stopped = asyncio.Event()

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open.total()

    def stop(self) -> None:
        """End all, now and later: the portal stops. Browsers come back to the next one by themselves."""
        self._stopped.set()

    async def stopped_within(self, seconds: float) -> bool:
        """Wait, and tell whether the portal stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
        return self._stopped.is_set()

    @contextmanager
    def place(self, account_id: str) -> Iterator[bool]:
        """Take a place among the open streams while the block runs; False if there is none."""
        is_free = self._open[account_id] < self.bounds.per_account and self.count < self.bounds.in_all
        if not is_free:
            yield False
            return
        self._open[account_id] += 1
        try:
            yield True
        finally:
            self._open[account_id] -= 1
            if not self._open[account_id]:
                del self._open[account_id]
