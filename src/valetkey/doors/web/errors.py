"""Error pages: the portal's own look and plain words for everything that goes wrong."""

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from valetkey.core.errors import Conflict, NotAllowed, NotFound, PolicyForbids, ProveAgain, Refused, Unavailable
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web.gate import Portal, SendTo
from valetkey.doors.web.rendering import see_other
from valetkey.doors.web.security import local_path
from valetkey.service.faults import place_of

_log = structlog.get_logger("valetkey.portal")

_TITLES = {
    400: say("That could not be read"),
    403: say("That is not permitted"),
    404: say("There is no such page"),
    405: say("That does not work this way"),
    408: say("That took too long"),
    409: say("That has changed in the meantime"),
    413: say("That is too large"),
    415: say("That could not be read"),
    422: say("Something is not right yet"),
    429: say("Too many tries"),
    500: say("Something went wrong on our side"),
    503: say("Not available at the moment"),
}
_SENTENCES = {
    404: say("The address may be mistyped, or what it showed is gone or not yours."),
    405: say("This address takes something else than what your browser sent. Go to the page and use its buttons."),
    429: say("Wait a few minutes, then try again."),
    500: say("Nothing was lost. Try again; if it happens again, tell your administrator the number below."),
    503: say("Nothing was lost and nothing is wrong with your password. Try again in a minute."),
}
_RETRY_SECONDS = "30"


def error_page(
    request: Request, portal: Portal, status: int, sentence: Sentence | str = "", reference: str = ""
) -> Response:
    """Render an error page; it needs no store and no session."""
    title = _TITLES.get(status, say("That did not work"))
    facts = {
        "status": status,
        "title": title,
        "sentence": sentence or _SENTENCES.get(status, say("Go back and try again.")),
        "reference": reference,
    }
    return portal.templates.html("error.html", facts, portal.language(request), status)


def add_handlers(app: FastAPI, portal: Portal) -> None:
    """Have every exception that a page may raise answered in the portal's words."""

    async def send_to(_request: Request, error: Exception) -> Response:
        return see_other(error.path if isinstance(error, SendTo) else "/")

    async def prove_again(request: Request, _error: Exception) -> Response:
        return see_other(f"/prove?next={local_path(request.url.path)}")

    async def http_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        own = isinstance(error, HTTPException) and status not in _SENTENCES
        response = error_page(
            request, portal, status, Sentence(error.detail) if own and isinstance(error, HTTPException) else ""
        )
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    async def refused(request: Request, error: Exception) -> Response:
        sentence = error.sentence if isinstance(error, Refused) and not isinstance(error, NotFound) else ""
        return error_page(request, portal, _status_of(error), sentence)

    async def unavailable(request: Request, error: Exception) -> Response:
        _log.error("portal_unavailable", why=str(error))
        response = error_page(request, portal, 503)
        response.headers["Retry-After"] = _RETRY_SECONDS
        return response

    app.add_exception_handler(SendTo, send_to)
    app.add_exception_handler(ProveAgain, prove_again)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Unavailable, unavailable)


def _status_of(error: Exception) -> int:
    match error:
        case NotFound():
            return 404
        case NotAllowed() | PolicyForbids():
            return 403
        case Conflict():
            return 409
        case _:
            return 422


class LastResort:
    """Turns what nobody expected into a page with a reference number, and logs it under that number."""

    def __init__(self, app: ASGIApp, *, portal: Portal) -> None:
        self._app = app
        self._portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer it if that fails before an answer has begun."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as bug:
            if scope["type"] != "http" or begun:
                raise
            reference = self._portal.ports.entropy.octets(5).hex()
            _log.error("portal_failed", reference=reference, method=scope["method"], bug=place_of(bug))
            page = error_page(Request(scope), self._portal, 500, reference=reference)
            await page(scope, receive, send)
