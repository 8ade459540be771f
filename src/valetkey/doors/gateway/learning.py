"""At a worker's start: asking each upstream what it announces before a login, so that we can announce it too."""

import asyncio

import structlog

from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.announcing import Announcements
from valetkey.doors.gateway.settings import Upstream
from valetkey.doors.gateway.upstream import UpstreamFailed, Upstreams
from valetkey.doors.gateway.words import printable

_log = structlog.get_logger("valetkey.gateway")

_AT_ONCE = 8


async def look_at_upstreams(upstreams: Upstreams, announcements: Announcements) -> None:
    """Look at all upstreams once, a few at a time. One that fails hinders nothing: its first login will tell."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look(protocol: MailProtocol, upstream: Upstream) -> None:
        async with turns:
            try:
                announcements.learn(protocol, upstream, await upstreams.look(upstream, protocol))
            except UpstreamFailed as failure:
                place = f"{upstream.host}:{upstream.port}"
                _log.warning("upstream_not_looked_at", upstream=place, why=printable(str(failure), 200))

    await asyncio.gather(*(look(protocol, each) for protocol, found in upstreams.by_protocol.items() for each in found))
