"""What a process does again and again beside its answering."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from valetkey.core.errors import Unavailable
from valetkey.service.faults import place_of

_log = structlog.get_logger("valetkey.upkeep")


async def again_and_again(step: Callable[[], Awaitable[object]], seconds: float, failing: str) -> None:
    """Take a step, and another each so many seconds behind it, until cancelled. It begins with a pause.

    Nobody would notice that it has ended. So whatever goes wrong with a step is logged, and the next one is taken.

    Args:
        step: What is done; it may raise anything.
        seconds: The pause.
        failing: The log's word for a step that failed.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            await step()
        except Unavailable as error:
            _log.warning(failing, why=str(error))
        except Exception as bug:  # noqa: BLE001  see above
            _log.error(failing, bug=place_of(bug))
