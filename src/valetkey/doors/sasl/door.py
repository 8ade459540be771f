"""The door for Postfix, Exim and others that speak Dovecot's auth-client protocol: their clients' logins are decided here."""

import asyncio
import itertools
import os
import socket
import struct

import structlog

from valetkey.core.limits import Held
from valetkey.core.login import Allowed, Grant, Reason, Refused
from valetkey.core.scope import MailProtocol
from valetkey.core.tagged_name import tagged
from valetkey.doors.asked.attempts import Answer, Asking, Question, protocol_of
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.peers import peer_without_secret
from valetkey.doors.asked.settings import Door, Limits, Peer
from valetkey.doors.serve import Driver, Link, LinkClosed
from valetkey.doors.words import decoded, printable
from valetkey.service.faults import place_of
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.bearer import BEARER_MECHANISMS
from valetkey.wire.dovecot_auth import AuthAsked, AuthServer
from valetkey.wire.machine import PeerError, RefusalKind

_log = structlog.get_logger("valetkey.doors")

_COOKIE = 16  # octets
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
_UNDECIDED = "a login could not be decided"


async def open_sasl(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for the auth-client protocol."""
    asking = desk.asking(door)
    numbers = itertools.count(1)

    async def talk(link: Link, peers: tuple[Peer, ...]) -> None:
        peer = peer_without_secret(peers)
        if peer is not None:
            await _Talk(desk, door, asking, link, peer).run(next(numbers))

    listening = desk.listening(door, talk)
    listening.start(sock)
    return listening


class _Talk:
    """One connection of a mail server. Each login is decided on its own, and waits for no other."""

    def __init__(self, desk: Desk, door: Door, asking: Asking, link: Link, peer: Peer) -> None:
        self._driver: Driver = desk.driver
        self._limits: Limits = desk.settings.limits
        self._door = door
        self._asking = asking
        self._link = link
        self._peer = peer
        self._machine = AuthServer()
        self._sending = asyncio.Lock()
        self._answering: set[asyncio.Task[None]] = set()
        self._is_undecided = False
        self._lines = 0  # that had come when we began to wait

    async def run(self, number: int) -> None:
        """Talk until the mail server has closed the connection, or has to be told by closing it that we cannot tell."""
        if self._door.path is None:
            # Postfix sees the end of a TCP connection only when it has lost a login to it, which may be the next client's;
            # a reset makes it connect again and go on. A unix socket tells it by itself.
            self._link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        cookie = self._asking.ports.entropy.octets(_COOKIE).hex()
        self._machine.greet(os.getpid(), number, cookie)
        try:
            await self._flush()
            while await self._read():
                pass
        except PeerError as error:
            _log.warning("peer_misunderstood", door=self._door.name, peer=self._peer.name, why=str(error))
            self._asking.count(self._peer.name, AskedOutcome.MISUNDERSTOOD)
        finally:
            for task in self._answering:
                task.cancel()
            await asyncio.gather(*self._answering, return_exceptions=True)

    async def _read(self) -> bool:
        """Take what has arrived, and wait for more; False at the end."""
        while len(self._answering) < self._limits.at_once and (asked := self._machine.next_event()) is not None:
            self._begin(asked)
        await self._flush()
        if len(self._answering) >= self._limits.at_once:
            self._link.limit(self._driver.loop.time() + self._limits.idle, "idle")
            await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
            return True
        data = await self._receive()
        self._machine.receive(data)
        return bool(data)

    async def _receive(self) -> bytes:
        now, lines = self._driver.loop.time(), self._machine.lines
        if not self._machine.has_pending:
            self._link.limit(now + self._limits.idle, "idle")
        elif lines != self._lines or self._link.deadline > now + self._limits.request:
            # Else the beginning of the same line was there before.
            self._link.limit(now + self._limits.request, "a request too slow")
        self._lines = lines
        return await self._link.receive()

    async def _flush(self) -> None:
        """Send what there is to say; the answers of several logins, one after the other."""
        async with self._sending:
            output = self._machine.take_output()
            if not output:
                return
            try:
                async with asyncio.timeout(self._limits.send):
                    await self._link.send(output)
            except TimeoutError:
                self._link.close("the peer takes no answer")
                raise LinkClosed("the peer takes no answer") from None

    # One login

    def _begin(self, asked: AuthAsked) -> None:
        if self._is_undecided:
            return  # the connection is about to be closed, and the client will be told to try again
        task = self._driver.loop.create_task(self._answer(asked))
        self._answering.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, LinkClosed):
            _log.error("door_failed", door=self._door.name, bug=place_of(error))
            self._is_undecided = True
        if self._is_undecided and not self._answering:
            self._link.close(_UNDECIDED)

    async def _answer(self, asked: AuthAsked) -> None:
        loop = self._driver.loop
        begun = loop.time()
        name = decoded(asked.login.name)
        answer = await self._decide(asked, name)
        if answer is not None and isinstance(answer.verdict, Allowed):
            self._machine.allow(asked.number, self._user(answer.verdict.grant, asked))
            await self._flush()
            return
        # The same wait whatever the reason, so that the time tells nothing.
        await asyncio.sleep(begun + self._limits.failure_delay - loop.time())
        if answer is None or answer.refusal is None or answer.refusal.kind is RefusalKind.TRY_LATER:
            # Postfix makes of every FAIL "wrong password"; of a connection that ends it makes "try again later".
            self._is_undecided = True
            return
        is_told = isinstance(answer.verdict, Refused) and answer.verdict.proven
        self._machine.refuse(asked.number, printable(name), answer.refusal.text if is_told else "")
        await self._flush()

    async def _decide(self, asked: AuthAsked, name: str) -> Answer | None:
        """Have a login decided; None if it took too long."""
        question = Question(
            name=name,
            secret=decoded(asked.login.secret),
            service=decoded(asked.service),
            address=decoded(asked.facts.get(b"rip", b"")),
            tls=asked.secured,
            session=decoded(asked.facts.get(b"session", b"")),
            mechanism=asked.login.mechanism,
        )
        if _is_hopeless(asked, name):
            protocol = protocol_of(question.service, self._door)
            return self._asking.note(self._peer, question, protocol, Refused(Reason.WRONG_SECRET))
        try:
            async with asyncio.timeout(self._limits.answer):
                return await self._asking.ask(self._peer, question, holds=self._holds(question))
        except TimeoutError:
            self._asking.note_late(self._peer)
            return None

    def _holds(self, question: Question) -> frozenset[Held]:
        """Give what the session can be held to: sending, by the name; of all else the answer has no word."""
        sends = protocol_of(question.service, self._door) is MailProtocol.SMTP
        return self._peer.holds & {Held.SENDING} if sends else frozenset()

    def _user(self, grant: Grant, asked: AuthAsked) -> str:
        """Give the name that the mail server shall know; with the app password in it where only mail is sent by it."""
        sends = protocol_of(decoded(asked.service), self._door) is MailProtocol.SMTP
        return tagged(grant.address, grant.credential_id if sends else None)


def _is_hopeless(asked: AuthAsked, name: str) -> bool:
    """Tell what no secret could open: no tokens are issued, and nobody acts for somebody else (RFC 4616 2)."""
    wanted = decoded(asked.login.authorization_id)
    return asked.login.mechanism in BEARER_MECHANISMS or bool(wanted and wanted.casefold() != name.casefold())
