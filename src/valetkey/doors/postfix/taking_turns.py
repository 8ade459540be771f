"""Connections on which a mail server asks one thing at a time: a request, its answer, the next request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from valetkey.doors.asked.desk import Desk
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.serve import Link, LinkClosed
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.machine import PeerError

_log = structlog.get_logger("valetkey.doors")

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Machine(Protocol[R_co]):
    """The server's side of such a protocol."""

    @property
    def has_pending(self) -> bool:
        """Whether the beginning of a request has arrived that is not whole."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""

    def next_request(self) -> R_co | None:
        """Give the next request, or None while more bytes are needed; raises PeerError."""


async def take_turns(
    desk: Desk,
    door: Door,
    peer: Peer,
    link: Link,
    machine: Machine[R],
    *,
    answer: Callable[[R], Awaitable[bytes]],
    too_late: bytes,
) -> None:
    """Answer requests until the mail server closes the connection or breaks the protocol.

    Args:
        desk: What doors share.
        door: Which one it is.
        peer: Who asks.
        link: The connection.
        machine: What reads it.
        answer: Gives the answer to a request, as it is sent.
        too_late: What is sent in its place when it takes too long.

    Raises:
        LinkClosed: The connection broke or was too slow.
    """
    limits, loop = desk.settings.limits, desk.driver.loop
    try:
        while True:
            request = machine.next_request()
            if request is not None:
                link.limit(loop.time() + limits.answer + limits.send, "the peer takes no answer")
                reply = await _in_time(answer(request), limits.answer)
                if reply is None:
                    desk.count(door, AskedOutcome.CANNOT_TELL, peer.name)
                await link.send(too_late if reply is None else reply)
                continue
            now = loop.time()
            if not machine.has_pending:
                link.limit(now + limits.idle, "idle")
            elif link.deadline > now + limits.request:  # else its beginning was there before
                link.limit(now + limits.request, "a request too slow")
            data = await link.receive()
            if not data:
                return
            machine.receive(data)
    except PeerError as error:
        _log.warning("peer_misunderstood", door=door.name, peer=peer.name, why=str(error))
        desk.count(door, AskedOutcome.MISUNDERSTOOD, peer.name)
        raise LinkClosed(str(error)) from None


async def _in_time(answer: Awaitable[bytes], seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        _log.error("request_undecided", why="it took too long")
        return None
