"""Doors for mail servers in a thread of their own, beside a test that waits for real mail servers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.doors.door_site import DoorSite, open_doors

from valetkey.doors.asked.settings import Door

T = TypeVar("T")
_PATIENCE = 30.0  # seconds for one verb


class DoorsBeside:
    """Doors that are open while the test does other things."""

    def __init__(self, loop: asyncio.AbstractEventLoop, site: DoorSite) -> None:
        self._loop = loop
        self.site = site

    def do(self, verb: Callable[[DoorSite], Awaitable[T]]) -> T:
        """Call what a coroutine does, and give its answer."""

        async def called() -> T:
            return await verb(self.site)

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(_PATIENCE)


@contextmanager
def doors_beside(folder: Path, *doors: Door, **changes: Any) -> Iterator[DoorsBeside]:
    """Open doors, as `open_doors` does, on a loop in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opening = open_doors(folder, *doors, **changes)
    try:
        site = asyncio.run_coroutine_threadsafe(opening.__aenter__(), loop).result(_PATIENCE)
        try:
            yield DoorsBeside(loop, site)
        finally:
            asyncio.run_coroutine_threadsafe(opening.__aexit__(None, None, None), loop).result(_PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)
        loop.close()
