"""One HTTP connection of a mail server: requests read, answered one after another, each wait with its deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import structlog

from valetkey.doors.asked.http import BadRequest, Receive, Reply, Send, send_reply
from valetkey.doors.asked.peers import only_name
from valetkey.doors.asked.settings import Door, Limits, Peer
from valetkey.doors.serve import Driver, Link
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.faults import place_of
from valetkey.service.tallies import NOBODY_KNOWN, AskedOutcome
from valetkey.wire.http_requests import CONTINUE, BadHttp, HttpReader, HttpRequest

_log = structlog.get_logger("valetkey.doors")

# What answers a request: an ASGI application that answers at once and whole.
HttpApp = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

# Takes what came of a request, the peer's name or NOBODY_KNOWN, and the address that it came from.
Count = Callable[[AskedOutcome, str, str], None]

_REASONS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_LATE = b"Connection: close\r\nContent-Length: 0\r\n\r\n"
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
        app: HttpApp,
        *,
        count: Count = lambda *_: None,
    ) -> None:
        """Prepare; `app` answers, and counts by itself what it decides. `count` is told of what is no question."""
        self._count = count
        self._now = driver.loop.time
        self._door = door
        self._limits = limits
        self._metrics = metrics
        self._app = app
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
        client = _place_of(link)
        patience = self._limits.request  # the first request comes with the connection
        try:
            while (request := await self._next(link, reader, patience)) is not None:
                link.last_words = _TOO_SLOW_TO_ANSWER
                link.limit(self._now() + self._limits.answer, "too slow to answer")
                status, reply = await self._answered(request, client, peers)
                stays = request.keeps_alive and not self._is_ending
                await self._send(link, self._head(status, request, stays=stays) + reply)
                if not stays:
                    return
                patience = self._limits.idle
                if reader.has_next:
                    await asyncio.sleep(0)  # whoever asks a thousand things at once does not keep others waiting
        except BadHttp as bad:
            _log.warning("bad_request", door=self._door.name, peer=peers[0].name, status=bad.status, what=bad.what)
            self._count(AskedOutcome.MISUNDERSTOOD, only_name(peers), "")
            await self._send(link, await self._refusal(bad.status, bad.what))
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

    async def _answered(
        self, request: HttpRequest, client: tuple[str, int] | None, peers: tuple[Peer, ...]
    ) -> tuple[int, bytes]:
        """Give the status, and the answer's octets behind the status line and the headers of the connection."""
        answer = _Answer(request)
        try:
            await self._app(_scope(request, client), answer.receive, answer.send)
        except BadRequest as bad:
            where = client[0] if client else "unix"
            _log.warning("bad_request", door=self._door.name, address=where, status=bad.status, what=bad.what)
            answer = _Answer(request)
            await send_reply(answer.send, error_reply(bad.status, bad.what))
        except Exception as bug:  # noqa: BLE001  a bug is the server's "try again later"
            _log.error("door_failed", door=self._door.name, bug=place_of(bug))
            answer = _Answer(request)
            await send_reply(answer.send, error_reply(500, "an internal error"))
        self._metrics.count("valetkey_door_requests_total", door=self._door.name, result=_result(answer.status))
        if answer.status in _UNPROVEN:
            self._count(AskedOutcome.TURNED_AWAY, NOBODY_KNOWN, client[0] if client else "")
        elif HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._count(AskedOutcome.MISUNDERSTOOD, only_name(peers), "")
        elif answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self._count(AskedOutcome.CANNOT_TELL, only_name(peers), "")
        return answer.status, answer.octets()

    async def _refusal(self, status: int, what: str) -> bytes:
        answer = _Answer(HttpRequest())
        await send_reply(answer.send, error_reply(status, what))
        self._metrics.count("valetkey_door_requests_total", door=self._door.name, result=_result(status))
        return self._head(status, HttpRequest(), stays=False) + answer.octets()

    def _head(self, status: int, request: HttpRequest, *, stays: bool) -> bytes:
        now = int(time.time())
        if self._date[0] != now:
            self._date = now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
        if not stays:
            return _REASONS[status] + self._date[1] + b"Connection: close\r\n"
        if request.is_http_10:
            return _REASONS[status] + self._date[1] + b"Connection: keep-alive\r\n"
        return _REASONS[status] + self._date[1]

    async def _send(self, link: Link, octets: bytes) -> None:
        link.last_words = b""
        link.limit(self._now() + self._limits.send, "too slow to take the answer")
        await link.send(octets)


class _Answer:
    """One request, and the answer that grows to it, as an ASGI application sees both."""

    __slots__ = ("_body", "_headers", "_request", "status")

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self.status = 500

    async def receive(self) -> Mapping[str, Any]:
        return {"type": "http.request", "body": self._request.body, "more_body": False}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = list(message["headers"])
        else:
            self._body += message.get("body", b"")

    def octets(self) -> bytes:
        lines = [b"%b: %b\r\n" % header for header in self._headers]
        return b"".join((*lines, b"\r\n", b"" if self._request.method == "HEAD" else self._body))


def error_reply(status: int, what: str) -> Reply:
    """Answer with a word for the log of whoever asked; it holds nothing that the peer sent."""
    headers = ((b"allow", b"GET, POST"),) if status == HTTPStatus.METHOD_NOT_ALLOWED else ()
    return Reply(status, b'{"error":"%b"}' % what.encode(), headers)


def _scope(request: HttpRequest, client: tuple[str, int] | None) -> Mapping[str, Any]:
    path, _, query = request.target.partition(b"?")
    text = path.decode("latin-1")
    return {
        "type": "http",
        "method": request.method,
        "path": unquote(text) if "%" in text else text,
        "raw_path": path,
        "query_string": query,
        "headers": request.headers,
        "client": client,
    }


def _place_of(link: Link) -> tuple[str, int] | None:
    try:
        place = link.sock.getpeername()
    except OSError:
        return None
    return (str(place[0]), int(place[1])) if isinstance(place, tuple) else None


def _result(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "answered"
    return "refused" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"
