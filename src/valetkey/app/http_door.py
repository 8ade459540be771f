"""The door for mail servers that ask over HTTP: Dovecot below /dovecot/, nginx at /nginx."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from valetkey.app.web_server import ReloadingCertificate, WebServer
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.http import Receive, Reply, Send, send_reply
from valetkey.doors.asked.settings import Door

_App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

_NOT_HERE = Reply(404, b'{"error":"there is nothing at this path"}')


async def open_http(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door over HTTP."""
    return _OpenHttp(WebServer(_by_path({}), _certificate(desk, door)), sock)


class _OpenHttp:
    def __init__(self, server: WebServer, sock: socket.socket) -> None:
        self._server = server
        self._serving = asyncio.create_task(server.serve([sock]))

    async def end(self) -> None:
        self._server.should_exit = True
        await self._serving


def _by_path(apps: Mapping[str, _App]) -> _App:
    """Hand each request to the part of the door that its path begins with."""

    async def answer(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        first = str(scope["path"]).strip("/").partition("/")[0]
        app = apps.get(first)
        if app is None:
            await send_reply(send, _NOT_HERE)
        else:
            await app(scope, receive, send)

    return answer


def _certificate(desk: Desk, door: Door) -> ReloadingCertificate | None:
    if not door.tls:
        return None
    first = desk.settings.certificates[0]
    return ReloadingCertificate(first.chain, first.key)
