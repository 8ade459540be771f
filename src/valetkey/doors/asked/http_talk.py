"""One HTTP connection of a mail server: requests read, answered one after another, each wait with its deadline."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

import structlog

from valetkey.doors.asked.http import BadRequest, HttpAnswer, Reply, Sender
from valetkey.doors.asked.peers import only_name, place_of
from valetkey.doors.asked.settings import Door, Limits, Peer
from valetkey.doors.serve import Driver, Link
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.faults import place_of as place_in_code
from valetkey.service.tallies import NOBODY_KNOWN, AskedOutcome
from valetkey.wire.http_requests import CONTINUE, BadHttp, HttpReader, HttpRequest

_log = structlog.get_logger("valetkey.doors")

# Takes what came of a request, the peer's name or NOBODY_KNOWN, and the address that it came from.
Count = Callable[[AskedOutcome, str, str], None]

_REASONS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_LATE = b"Connection: close\r\nContent-Length: 0\r\n\r\n"
_BAD_REQUEST, _ERROR = (
    HTTPStatus.BAD_REQUEST.value,
    HTTPStatus.INTERNAL_SERVER_ERROR.value,
)  # plain numbers compare faster
_UNPROVEN = frozenset({HTTPStatus.UNAUTHORIZED.value, HTTPStatus.FORBIDDEN.value})
_TOO_SLOW_TO_ASK = _REASONS[408] + _LATE
_TOO_SLOW_TO_ANSWER = _REASONS[503] + _LATE


class HttpTalk:
    """Talks HTTP on each connection of one door, which `Listening` accepts."""

    def __init__(
        self,
        driver: Driver,
        door: Door,
        limits: Limits,
        metrics: Metrics,
        answer: HttpAnswer,
        *,
        count: Count = lambda *_: None,
    ) -> None:
        """Prepare; `answer` answers, and counts by itself what it decides. `count` is told of what is no question."""
        self._count = count
        self._now = driver.loop.time
        self._name = door.name
        self._limits = limits
        self._metrics = metrics
        self._answer = answer
        self._is_ending = False
        self._date = (0, b"")

    def end(self) -> None:
        """Let no connection ask again after the answer that it waits for."""
        self._is_ending = True

    async def __call__(self, link: Link, peers: tuple[Peer, ...]) -> None:
        """Answer until the peer leaves.

        Raises:
            LinkClosed: The connection broke, or a deadline passed.
        """
        reader = HttpReader()
        sender = Sender(place_of(link), peers)
        patience = self._limits.request  # the first request comes with the connection
        try:
            while (request := await self._next(link, reader, patience)) is not None:
                link.last_words = _TOO_SLOW_TO_ANSWER
                link.limit(self._now() + self._limits.answer, "too slow to answer")
                reply = await self._answered(request, sender)
                stays = request.keeps_alive and not self._is_ending
                await self._send(link, self._octets(reply, request, stays=stays))
                if not stays:
                    return
                patience = self._limits.idle
                if reader.has_next:
                    await asyncio.sleep(0)  # whoever asks a thousand things at once does not keep others waiting
        except BadHttp as bad:
            _log.warning("bad_request", door=self._name, peer=peers[0].name, status=bad.status, what=bad.what)
            self._count(AskedOutcome.MISUNDERSTOOD, only_name(peers), "")
            self._count_status(bad.status)
            refusal = error_reply(bad.status, bad.what)
            await self._send(link, self._octets(refusal, HttpRequest(), stays=False))
        finally:
            reader.end()

    async def _next(self, link: Link, reader: HttpReader, patience: float) -> HttpRequest | None:
        """Read a request; None when the peer leaves between two."""
        request = reader.next_request()
        if request is None:
            link.last_words = b""
            link.limit(self._now() + patience, "idle")
        has_begun = False
        while request is None:
            data = await link.receive()
            if not data:
                return None
            reader.receive(data)
            request = reader.next_request()
            if request is None and not reader.is_between and not has_begun:
                has_begun = True
                link.last_words = _TOO_SLOW_TO_ASK
                link.limit(self._now() + self._limits.request, "too slow to ask")
            if reader.take_continue():
                await link.send(CONTINUE)
        return request

    async def _answered(self, request: HttpRequest, sender: Sender) -> Reply:
        try:
            reply = await self._answer(request, sender)
        except BadRequest as bad:
            where = sender.place or "unix"
            _log.warning("bad_request", door=self._name, address=where, status=bad.status, what=bad.what)
            reply = error_reply(bad.status, bad.what)
        except Exception as bug:  # noqa: BLE001  a bug is the server's "try again later"
            _log.error("door_failed", door=self._name, bug=place_in_code(bug))
            reply = error_reply(500, "an internal error")
        self._count_status(reply.status)
        if reply.status in _UNPROVEN:
            self._count(AskedOutcome.TURNED_AWAY, NOBODY_KNOWN, sender.place)
        elif _BAD_REQUEST <= reply.status < _ERROR:
            self._count(AskedOutcome.MISUNDERSTOOD, only_name(sender.peers), "")
        elif reply.status == _ERROR:
            self._count(AskedOutcome.CANNOT_TELL, only_name(sender.peers), "")
        return reply

    def _count_status(self, status: int) -> None:
        self._metrics.count("valetkey_door_requests_total", door=self._name, result=_result(status))

    def _octets(self, reply: Reply, request: HttpRequest, *, stays: bool) -> bytes:
        """Write an answer down (RFC 9112 4)."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
        connection = b""
        if not stays:
            connection = b"Connection: close\r\n"
        elif request.is_http_10:
            connection = b"Connection: keep-alive\r\n"
        return b"%b%b%bcontent-type: %b\r\ncontent-length: %d\r\ncache-control: no-store\r\n%b\r\n%b" % (
            _REASONS[reply.status],
            self._date[1],
            connection,
            reply.content_type,
            len(reply.body),
            b"".join([b"%b: %b\r\n" % header for header in reply.headers]),
            b"" if request.method == "HEAD" else reply.body,
        )

    async def _send(self, link: Link, octets: bytes) -> None:
        link.last_words = b""
        link.limit(self._now() + self._limits.send, "too slow to take the answer")
        await link.send(octets)


def error_reply(status: int, what: str) -> Reply:
    """Answer with a word for the log of whoever asked; it holds nothing that the peer sent."""
    headers = ((b"allow", b"GET, POST"),) if status == HTTPStatus.METHOD_NOT_ALLOWED else ()
    return Reply(status, b'{"error":"%b"}' % what.encode(), headers)


def _result(status: int) -> str:
    if status < _BAD_REQUEST:
        return "answered"
    return "refused" if status < _ERROR else "failed"
