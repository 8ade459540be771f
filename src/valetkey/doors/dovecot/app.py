"""What answers Dovecot over HTTP: its Lua passdb, its oauth2 passdb, its auth_policy. Plain ASGI."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from valetkey.doors.asked.attempts import Asking
from valetkey.doors.asked.desk import Desk
from valetkey.doors.asked.http import BadRequest, Receive, Reply, Send, body_of, send_reply
from valetkey.doors.asked.settings import Door
from valetkey.doors.dovecot.oauth2 import Introspection, Token
from valetkey.doors.dovecot.passdb import Passdb
from valetkey.doors.dovecot.policy import Policy

_App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]
_Answer = Callable[[Mapping[str, Any], bytes], Awaitable[Reply]]

# The word of the path behind /dovecot/, and what makes that which answers there.
_ANSWERS: Mapping[str, Callable[[Asking, Door], _Answer]] = {
    "auth": Passdb,
    "token": Token,
    "introspect": lambda _asking, _door: Introspection(),
    "policy": Policy,
}


def create_dovecot(desk: Desk, door: Door) -> _App:
    """Make the part of an HTTP door that answers below /dovecot/."""
    asking = desk.asking(door)
    answers = {word: make(asking, door) for word, make in _ANSWERS.items()}

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        answer = answers.get(str(scope["path"]).removeprefix("/dovecot/"))
        if answer is None:
            raise BadRequest(HTTPStatus.NOT_FOUND, "there is nothing at this path")
        if scope["method"] != "POST":
            raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "this is asked by POST")
        await send_reply(send, await answer(scope, await body_of(receive)))

    return app
