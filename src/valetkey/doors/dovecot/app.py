"""What answers Dovecot over HTTP: its Lua passdb, its oauth2 passdb, its auth_policy."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from valetkey.doors.asked.attempts import Asking
from valetkey.doors.asked.desk import Desk
from valetkey.doors.asked.http import BadRequest, HttpAnswer, Reply, Sender
from valetkey.doors.asked.settings import Door
from valetkey.doors.dovecot.oauth2 import Introspection, Token
from valetkey.doors.dovecot.passdb import Passdb
from valetkey.doors.dovecot.policy import Policy
from valetkey.wire.http_requests import HttpRequest

# The word of the path behind /dovecot/, and what makes that which answers there.
_ANSWERS: Mapping[str, Callable[[Asking, Door], HttpAnswer]] = {
    "auth": Passdb,
    "token": Token,
    "introspect": lambda _asking, _door: Introspection(),
    "policy": Policy,
}


def create_dovecot(desk: Desk, door: Door) -> HttpAnswer:
    """Make the part of an HTTP door that answers below /dovecot/."""
    asking = desk.asking(door)
    answers = {word: make(asking, door) for word, make in _ANSWERS.items()}

    async def answer_by_path(request: HttpRequest, sender: Sender) -> Reply:
        answer = answers.get(request.path.removeprefix("/dovecot/"))
        if answer is None:
            raise BadRequest(HTTPStatus.NOT_FOUND, "there is nothing at this path")
        if request.method != "POST":
            raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "this is asked by POST")
        return await answer(request, sender)

    return answer_by_path
