"""The door for mail servers that ask over HTTP: Dovecot below /dovecot/, nginx at /nginx."""

import socket
from collections.abc import Callable, Mapping
from functools import partial

from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.http import HttpAnswer, Reply, Sender
from valetkey.doors.asked.http_talk import HttpTalk, error_reply
from valetkey.doors.asked.listening import Listening
from valetkey.doors.asked.settings import Door
from valetkey.doors.dovecot.app import create_dovecot
from valetkey.doors.nginx.door import NginxPart
from valetkey.wire.http_requests import HttpRequest

# The first word of the path, and what makes the part of the door that answers below it.
_PARTS: Mapping[str, Callable[[Desk, Door], HttpAnswer]] = {"dovecot": create_dovecot, "nginx": NginxPart}


async def open_http(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door over HTTP."""
    answer = _by_path({word: make(desk, door) for word, make in _PARTS.items()})
    talk = HttpTalk(desk.driver, door, desk.settings.limits, desk.metrics, answer, count=partial(desk.count, door))
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


def _by_path(parts: Mapping[str, HttpAnswer]) -> HttpAnswer:
    """Hand each request to the part of the door that its path begins with."""

    async def answer(request: HttpRequest, sender: Sender) -> Reply:
        part = parts.get(request.path.strip("/").partition("/")[0])
        if part is None:
            return error_reply(404, "there is nothing at this path")
        return await part(request, sender)

    return answer
