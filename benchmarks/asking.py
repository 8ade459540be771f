"""Ask an ASGI application as a server does, without one: what it answers, and how long it takes to."""

import asyncio
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI

_PATIENCE = 5.0  # seconds
_HOST = b"portal.example.org"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is read of pages and files only, since a stream would never end."""

    status: int
    media_type: str
    body: bytes
    seconds: float
    cpu_seconds: float  # of this process, its store's thread included
    route: str  # as the routing table writes it; "" if none matched
    location: str  # where a redirect leads

    @property
    def is_page(self) -> bool:
        """Whether it is a page that was asked for, and no error and no redirect."""
        return self.status == 200 and self.media_type == "text/html"


async def ask(app: FastAPI, path: str, cookies: SimpleCookie | None = None) -> Answer:
    """Send one GET; `path` may have a query.

    Raises:
        TimeoutError: Nothing came within some seconds.
    """
    scope, answer = _scope(path, cookies), _Reading()
    begin, cpu_begin = time.perf_counter(), time.process_time()
    task = asyncio.ensure_future(app(scope, answer.receive, answer.send))
    ended = asyncio.ensure_future(answer.ended.wait())
    await asyncio.wait({task, ended}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu_begin
    came = task.done() or answer.ended.is_set()
    for each in (task, ended):
        each.cancel()
    await asyncio.gather(task, ended, return_exceptions=True)
    if not came:
        raise TimeoutError(path)
    route = getattr(scope.get("route"), "path", "")
    return Answer(answer.status, answer.media_type, bytes(answer.body), seconds, cpu_seconds, route, answer.location)


class _Reading:
    """The server's side of one request."""

    def __init__(self) -> None:
        self.status = 0
        self.media_type = ""
        self.location = ""
        self.body = bytearray()
        self.ended = asyncio.Event()
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if self._asked:
            await asyncio.Event().wait()  # the browser stays
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self.status = message["status"]
            self.media_type = headers.get(b"content-type", b"").decode().partition(";")[0]
            self.location = headers.get(b"location", b"").decode()
            if self.media_type == "text/event-stream":
                self.ended.set()
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                self.ended.set()


def _scope(path: str, cookies: SimpleCookie | None) -> dict[str, Any]:
    place, _, query = path.partition("?")
    sent = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in (cookies or {}).items())
    headers = [(b"host", _HOST), (b"accept", b"text/html"), (b"accept-language", b"en")]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": unquote(place),
        "raw_path": place.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [*headers, (b"cookie", sent.encode())] if sent else headers,
        "client": ("198.51.100.7", 40_000),
        "server": (_HOST.decode(), 443),
    }
