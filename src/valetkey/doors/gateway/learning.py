"""At a worker's start: asking each upstream what it announces before a login, so that we can announce it too."""

import asyncio

import structlog

from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.announcing import Announcements
from valetkey.doors.gateway.settings import Upstream
from valetkey.doors.gateway.upstream import UpstreamFailed, Upstreams
from valetkey.doors.words import printable

_log = structlog.get_logger("valetkey.gateway")

_AT_ONCE = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds between two looks at one that fails


async def look_at_upstreams(upstreams: Upstreams, announcements: Announcements) -> None:
    """Look at all upstreams, a few at a time, and again at one that fails until it has answered once.

    One that fails hinders nothing: its first login tells, too.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look(protocol: MailProtocol, upstream: Upstream) -> bool:
        async with turns:
            try:
                announcements.learn(protocol, upstream, await upstreams.look(upstream, protocol))
            except UpstreamFailed as failure:
                place = f"{upstream.host}:{upstream.port}"
                _log.warning("upstream_not_looked_at", upstream=place, why=printable(str(failure), 200))
                return False
        return True

    async def look_until_answered(protocol: MailProtocol, upstream: Upstream) -> None:
        pause = _FIRST_PAUSE
        while not await look(protocol, upstream):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    found = [(protocol, each) for protocol, entries in upstreams.by_protocol.items() for each in entries]
    await asyncio.gather(*(look_until_answered(*each) for each in found))
