"""A few threads behind a bounded queue, for calls that block or burn: SQLite and Argon2id."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from valetkey.core.errors import Unavailable

T = TypeVar("T")


class _Errand(Generic[T]):
    """Work that is left undone if nobody waits for it when its turn comes."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.is_wanted = True

    def __call__(self) -> T:
        if not self.is_wanted:
            raise Unavailable("Nobody waits for this any more.")
        return self._work()


class Lane:
    """Runs work in threads of its own; whoever comes when the queue is full is turned away at once."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        """Make the lane.

        Args:
            name: What the threads are called.
            threads: How much runs at the same time.
            waiting: How much may wait beside it.
        """
        self._threads = ThreadPoolExecutor(threads, name)
        self._room = threads + waiting

    async def run(self, work: Callable[[], T], *, timeout: float, what: str) -> T:  # noqa: ASYNC109  (one place for it)
        """Run work in a thread. If nobody waits for it any more before it began, it never begins.

        Args:
            work: What to run.
            timeout: How long to wait for it, in seconds; what has begun then goes on unwatched.
            what: The subject of the sentences that are raised.

        Raises:
            Unavailable: The queue is full, the time is over, or the lane is closed.
        """
        if not self._room:
            raise Unavailable(f"{what} is too busy; try again in a moment.")
        errand = _Errand(work)
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, errand)
        except RuntimeError:  # the threads have ended
            raise Unavailable(f"{what} is closed.") from None
        self._room -= 1
        running.add_done_callback(self._leave)
        try:
            done, _ = await asyncio.wait({running}, timeout=timeout)
        finally:
            errand.is_wanted = False  # it keeps its place in the queue, so that the queue is never longer than stated
        if not done:
            raise Unavailable(f"{what} took too long to answer.")
        return running.result()

    def close(self) -> None:
        """Finish what runs, and end the threads."""
        self._threads.shutdown()

    def _leave(self, running: asyncio.Future[T]) -> None:
        self._room += 1
        if not running.cancelled():
            running.exception()  # perhaps nobody else asks for it
