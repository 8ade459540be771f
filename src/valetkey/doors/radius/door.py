"""The door for what asks by RADIUS: a datagram is a login, its reply is the verdict (RFC 2865, PAP alone)."""

import asyncio
import fcntl
import socket
from collections import Counter, deque
from dataclasses import dataclass

import structlog

from valetkey.core.login import Allowed, Refused
from valetkey.doors.asked.attempts import Answer, Question, address_of
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.peers import only_name, peers_at
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.radius.noting import Noting
from valetkey.doors.radius.recent import Known, Place, Recent
from valetkey.doors.words import decoded, decoded_as_kept
from valetkey.service.faults import place_of
from valetkey.service.tallies import NOBODY_KNOWN, AskedOutcome
from valetkey.wire.machine import PeerError, RefusalKind
from valetkey.wire.radius import MAX_DATAGRAM, Request, read_request

_log = structlog.get_logger("valetkey.doors")

# Before others of this worker have their turn: what is not read is soon lost, as the system keeps a few hundred datagrams
# and no more; logins that were read can wait.
_READ_AT_A_TIME = 512
_BEGIN_AT_A_TIME = 32
_TRY_EVERY = 1.0  # seconds; a worker that does not answer looks whether the one that did is gone
_END_WITHIN = 2.0


async def open_radius(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for RADIUS."""
    serving = Serving(desk, door, sock)
    serving.start()
    return serving


@dataclass(frozen=True, slots=True)
class _Login:
    """A login that was read and is to be decided."""

    request: Request
    peer: Peer
    known: Known
    place: Place
    datagram: bytes


class Serving:
    """Answers the datagrams of one door. Each login is decided on its own, and waits for no other.

    The workers share the socket, and one of them answers: a repetition has to come to whoever knows the first. Which
    one is settled by a lock on the socket, which the system lets go of when its holder dies.
    """

    def __init__(self, desk: Desk, door: Door, sock: socket.socket) -> None:
        """Prepare; `sock` is a bound socket of UDP."""
        self._loop = desk.driver.loop
        self._limits = desk.settings.limits
        self._door = door
        self._sock = sock
        self._asking = desk.asking(door)
        self._noting = Noting(door, desk.metrics)
        self._recent = Recent()
        self._due: deque[_Login] = deque()
        self._answering: dict[asyncio.Task[None], str] = {}  # with the peer's name
        self._open: Counter[str] = Counter()  # by the peer's name, what is due and what is being answered
        self._share = max(self._limits.at_once, self._limits.connections // max(1, len(door.peers)))
        self._waiting: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Answer, as soon as no other worker does."""
        try:
            fcntl.lockf(self._sock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # as POSIX leaves it
            self._waiting = self._loop.call_later(_TRY_EVERY, self.start)
            return
        self._waiting = None
        self._loop.add_reader(self._sock.fileno(), self._read)

    async def end(self) -> None:
        """Read no more; answers that are due have a moment."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._loop.remove_reader(self._sock.fileno())
        while self._due:
            self._begin_some()
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=_END_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._sock.close()

    def _read(self) -> None:
        for _ in range(_READ_AT_A_TIME):
            try:
                datagram, place = self._sock.recvfrom(MAX_DATAGRAM + 1)
            except (BlockingIOError, InterruptedError, ConnectionRefusedError):
                return
            except OSError as error:
                _log.error("cannot_read", door=self._door.name, why=error.strerror)
                return
            self._take(datagram, place)

    def _take(self, datagram: bytes, place: Place) -> None:
        """Take one datagram. What nobody has proven to be a peer's gets no reply, and costs a hash at most."""
        address = address_of(str(place[0]).partition("%")[0])
        peers = peers_at(self._door, address) if address is not None else ()
        if not peers:
            self._asking.count(NOBODY_KNOWN, AskedOutcome.TURNED_AWAY, str(address or ""))
            return self._noting.note("not a listed peer", address)
        known = self._recent.find(place, datagram, self._loop.time())
        if known is not None:
            self._noting.count("repeated")
            return None if known.reply is None else self._send(known.reply, place)
        try:
            request = read_request(datagram)
        except PeerError as error:
            self._asking.count(only_name(peers), AskedOutcome.MISUNDERSTOOD)
            return self._noting.note(str(error), address, result="misunderstood")
        peer = _peer_of(request, peers)
        if peer is None:
            self._asking.count(NOBODY_KNOWN, AskedOutcome.TURNED_AWAY, str(address))
            return self._noting.note(_why_unproven(request, peers), address, result="unproven")
        if request.is_status:
            self._noting.count("status")
            return self._send(request.accept(peer.secret.encode()), place)
        if self._open[peer.name] >= self._share or self._open.total() >= self._limits.connections:
            self._asking.count(peer.name, AskedOutcome.TURNED_AWAY, str(address))
            return self._noting.note("too many logins at once", address, result="too-many")
        known = self._recent.begin(place, datagram, self._loop.time())
        self._open[peer.name] += 1
        self._due.append(_Login(request, peer, known, place, datagram))
        if len(self._due) == 1:
            self._loop.call_soon(self._begin_some)
        return None

    def _begin_some(self) -> None:
        """Begin to decide some of the logins that are due, and the next ones in the loop's next turn."""
        for _ in range(min(_BEGIN_AT_A_TIME, len(self._due))):
            login = self._due.popleft()
            task = self._loop.create_task(self._answer(login))
            self._answering[task] = login.peer.name
            task.add_done_callback(self._done)
        if self._due:
            self._loop.call_soon(self._begin_some)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._open[self._answering.pop(task)] -= 1
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("door_failed", door=self._door.name, bug=place_of(error))

    async def _answer(self, login: _Login) -> None:
        """Decide one login and reply. No reply is how RADIUS says "try again later"."""
        request, peer, known, place = login.request, login.peer, login.known, login.place
        begun = self._loop.time()
        secret = peer.secret.encode()
        answer = await self._decide(request, peer) if request.is_pap else None
        if answer is not None and isinstance(answer.verdict, Allowed):
            known.reply = request.accept(secret, answer.verdict.grant.credential_id or "")
            self._noting.count("accepted")
            return self._send(known.reply, place)
        if request.is_pap and (answer is None or _is_for_later(answer)):
            self._recent.drop(place, login.datagram)
            return self._noting.count("unanswered")
        # The same wait whatever the reason, so that the time tells nothing.
        await asyncio.sleep(begun + self._limits.failure_delay - self._loop.time())
        if answer is None:
            self._asking.count(peer.name, AskedOutcome.MISUNDERSTOOD)
            self._noting.note("a password by CHAP or EAP, or none: only PAP is understood", None, result="no-pap")
        else:
            self._noting.count("rejected")
        known.reply = request.reject(secret, _told(answer))
        return self._send(known.reply, place)

    async def _decide(self, request: Request, peer: Peer) -> Answer | None:
        """Have a login decided; None if it took too long."""
        question = Question(
            name=decoded_as_kept(request.name),
            secret=decoded(request.password(peer.secret.encode())),
            service=decoded(request.service),
            address=decoded(request.client),
            tls=peer.tls_only,
            mechanism="PAP",
            keeps_name=True,  # PAM and others go on with the name that was typed
        )
        try:
            async with asyncio.timeout(self._limits.answer):
                # Few who ask by RADIUS look at Class, and whatever else this peer asks by holds nothing here.
                return await self._asking.ask(peer, question, holds=frozenset())
        except TimeoutError:
            self._asking.note_late(peer)
            return None

    def _send(self, reply: bytes, place: Place) -> None:
        try:
            self._sock.sendto(reply, place)
        except OSError as error:
            self._noting.note(f"cannot send: {error.strerror}", None, result="unsent")  # it will ask again


def _peer_of(request: Request, peers: tuple[Peer, ...]) -> Peer | None:
    """Give the peer whose secret the request is proven by: of those at this address, the first."""
    allowed = [peer for peer in peers if peer.secret and (request.is_signed or not peer.message_authenticator)]
    return next((peer for peer in allowed if request.is_proven_by(peer.secret.encode())), None)


def _why_unproven(request: Request, peers: tuple[Peer, ...]) -> str:
    if request.is_signed or not all(peer.message_authenticator for peer in peers):
        return "another secret, or a request that was changed"
    return "no Message-Authenticator; message_authenticator = false lets such a peer ask"


def _is_for_later(answer: Answer) -> bool:
    return answer.refusal is not None and answer.refusal.kind is RefusalKind.TRY_LATER


def _told(answer: Answer | None) -> str:
    """Give what the user may be told: nothing before the secret is proven."""
    if answer is None or answer.refusal is None or not isinstance(answer.verdict, Refused):
        return ""
    return answer.refusal.text if answer.verdict.proven else ""
