"""Connections on which a mail server asks once, about one login: read, decide, answer or end without an answer."""

import asyncio
from dataclasses import replace
from typing import Protocol, TypeVar

import structlog

from valetkey.doors.asked.attempts import Answer, Asking, Question
from valetkey.doors.asked.desk import Desk
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.serve import Link
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.machine import PeerError, RefusalKind

_log = structlog.get_logger("valetkey.doors")

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Machine(Protocol[R_co]):
    """The server's side of such a protocol."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""

    def next_request(self) -> R_co | None:
        """Give the question once it is whole, or None while more bytes are needed; raises PeerError."""


class OneQuestion:
    """What every connection of such a door needs."""

    def __init__(self, desk: Desk, door: Door) -> None:
        """Prepare."""
        self._loop = desk.driver.loop
        self._limits = desk.settings.limits
        self._asking: Asking = desk.asking(door)
        self._door = door

    async def read(self, link: Link, peer: Peer, machine: Machine[R], *, misunderstood: bytes) -> R | None:
        """Read the question of one connection; None if there is none to answer.

        Args:
            link: The connection.
            peer: Who asks.
            machine: What reads it.
            misunderstood: What is said to a question that breaks the protocol, such as one that is too long.

        Raises:
            LinkClosed: The connection broke or was too slow.
        """
        # One deadline for the whole question, not one from each octet to the next.
        link.limit(self._loop.time() + self._limits.request, "a question too slow")
        try:
            while (request := machine.next_request()) is None:
                data = await link.receive()
                if not data:
                    return None
                machine.receive(data)
        except PeerError as error:
            _log.warning("peer_misunderstood", door=self._door.name, peer=peer.name, why=str(error))
            self._asking.count(peer.name, AskedOutcome.MISUNDERSTOOD)
            await self.say(link, misunderstood)
            return None
        # While it is being decided, which has its own end.
        link.limit(self._loop.time() + self._limits.answer + self._limits.failure_delay, "too slow to answer")
        return request

    def count(self, peer: Peer, outcome: AskedOutcome) -> None:
        """Count a question that is not decided."""
        self._asking.count(peer.name, outcome)

    async def say(self, link: Link, words: bytes) -> None:
        """Send the answer.

        Raises:
            LinkClosed: The connection broke, or the peer took nothing.
        """
        link.limit(self._loop.time() + self._limits.send, "the peer takes no answer")
        await link.send(words)

    async def decided(self, peer: Peer, question: Question) -> Answer | None:
        """Have a login decided; a refusal comes late. None if nobody can tell now, or there were too many failures.

        The answer does not say which app password it was. So whatever `holds` says of this peer, which may ask at other
        doors as well, a login through this one is held to nothing.
        """
        begun = self._loop.time()
        answer = await self._in_time(replace(peer, holds=frozenset()), question)
        if answer is not None and answer.refusal is None:
            return answer
        # The same wait whatever the reason, so that the time tells nothing.
        await asyncio.sleep(begun + self._limits.failure_delay - self._loop.time())
        if answer is None or (answer.refusal is not None and answer.refusal.kind is RefusalKind.TRY_LATER):
            return None
        return answer

    async def _in_time(self, peer: Peer, question: Question) -> Answer | None:
        try:
            async with asyncio.timeout(self._limits.answer):
                return await self._asking.ask(peer, question)
        except TimeoutError:
            self._asking.note_late(peer)
            return None
