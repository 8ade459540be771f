"""Whether this installation can do its work now, and if not, why."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.core.errors import Unavailable
from valetkey.service.ports import Ports
from valetkey.wire.control import Sample

_ASK_WITHIN = 2.0  # seconds


class Workers(Protocol):
    """The gateway's worker processes, as far as the operator asks them."""

    async def ping(self) -> tuple[str, ...]:
        """Name the workers that answer."""

    async def samples(self) -> Mapping[str, Sequence[Sample]]:
        """Give what each worker counted."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the operator's door looks at."""

    ports: Ports
    workers: Workers
    expected_workers: int
    version: str


async def reasons_not_ready(watched: Watched) -> tuple[str, ...]:
    """Say why logins would fail now; nothing if they would not."""
    found = await asyncio.gather(_store(watched.ports), _workers(watched))
    return tuple(reason for reason in found if reason is not None)


async def _store(ports: Ports) -> str | None:
    try:
        async with asyncio.timeout(_ASK_WITHIN):
            ports.store.change_number()
            await ports.store.write(lambda _: None)
    except Unavailable as error:
        return f"store: {error}"
    except TimeoutError:
        return "store: it does not answer in time"
    return None


async def _workers(watched: Watched) -> str | None:
    try:
        async with asyncio.timeout(_ASK_WITHIN):
            answering = len(await watched.workers.ping())
    except (Unavailable, OSError, TimeoutError):
        answering = 0
    if answering < watched.expected_workers:
        return f"workers: {answering} of {watched.expected_workers} answer"
    return None
