"""The door for mail servers that ask over HTTP: Dovecot below /dovecot/, nginx at /nginx."""

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.http import Receive, Reply, Send, send_reply
from valetkey.doors.asked.http_talk import HttpApp, HttpTalk
from valetkey.doors.asked.listening import Listening
from valetkey.doors.asked.settings import Door
from valetkey.doors.dovecot.app import create_dovecot
from valetkey.doors.nginx.door import NginxPart

# The first word of the path, and what makes the part of the door that answers below it.
_PARTS: Mapping[str, Callable[[Desk, Door], HttpApp]] = {"dovecot": create_dovecot, "nginx": NginxPart}

_NOT_HERE = Reply(404, b'{"error":"there is nothing at this path"}')


async def open_http(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door over HTTP."""
    app = _by_path({word: make(desk, door) for word, make in _PARTS.items()})
    talk = HttpTalk(desk.driver, door, desk.settings.limits, desk.metrics, app, count=partial(desk.count, door))
    listening = desk.listening(door, talk)
    listening.start(sock)
    return _OpenHttp(talk, listening)


class _OpenHttp:
    def __init__(self, talk: HttpTalk, listening: Listening) -> None:
        self._talk = talk
        self._listening = listening

    async def end(self) -> None:
        self._talk.end()
        await self._listening.end()


def _by_path(apps: Mapping[str, HttpApp]) -> HttpApp:
    """Hand each request to the part of the door that its path begins with."""

    async def answer(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        app = apps.get(scope["path"].strip("/").partition("/")[0])
        if app is None:
            await send_reply(send, _NOT_HERE)
        else:
            await app(scope, receive, send)

    return answer
