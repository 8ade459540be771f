"""The API as an ASGI application: each request passes the gate, is read, runs one operation and is answered."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from valetkey.core.errors import Unavailable, ValetkeyError
from valetkey.doors.api.bodies import read_body, read_json, read_query, require_json
from valetkey.doors.api.etags import etag_of, read_if_match
from valetkey.doors.api.gate import Caller, Gate
from valetkey.doors.api.idempotency import repeatable
from valetkey.doors.api.limits import rate_headers
from valetkey.doors.api.openapi import document
from valetkey.doors.api.operation import Answer, AnyCall, AnyOperation, Call
from valetkey.doors.api.operations import OPERATIONS, PREFIX
from valetkey.doors.api.problem import ProblemError, answer_of, malformed, problem_of, unavailable
from valetkey.doors.api.settings import ApiSettings
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.service.faults import place_of
from valetkey.service.ports import Ports

_log = structlog.get_logger("valetkey.api")

TO_ANSWER = 30.0  # seconds for one operation
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"


def create_api(ports: Ports, settings: ApiSettings) -> ASGIApp:
    """Make the API as an ASGI application that answers all paths below /api.

    Run it without the server's own handling of X-Forwarded-For, as the portal.

    Args:
        ports: What the verbs need.
        settings: The API's own settings.
    """
    gate = Gate(ports, settings)
    by_path: dict[str, dict[str, AnyOperation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    door = _Door(ports, settings, gate)
    routes = [Route(f"{PREFIX}{path}", _At(door, each)) for path, each in by_path.items()]
    router = Router([Route(f"{PREFIX}/openapi.json", _Described()), *routes], redirect_slashes=False, default=_nowhere)
    return _Outermost(router, ports, settings)


@dataclass(frozen=True, slots=True)
class _Door:
    """What every operation runs with."""

    ports: Ports
    settings: ApiSettings
    gate: Gate

    async def answer(self, request: Request, operation: AnyOperation) -> Response:
        """Answer one request."""
        caller = await self.gate.enter(request, operation)
        try:
            response = await self._run(request, operation, caller)
        except (ProblemError, ValetkeyError, TimeoutError) as error:
            response = answer_of(_expected(error))
        response.headers.update(rate_headers(caller.standing, "token"))
        return response

    async def _run(self, request: Request, operation: AnyOperation, caller: Caller) -> Response:
        call, body = await self._read(request, operation, caller)

        async def run() -> Response:
            async with asyncio.timeout(TO_ANSWER):
                return _written(await operation.run(call))

        if operation.method != "POST" or not operation.is_repeatable:
            return await run()
        again = repeatable(request, self.ports, caller.actor.token_id or "", body)
        return await (run() if again is None else again.answered(run))

    async def _read(self, request: Request, operation: AnyOperation, caller: Caller) -> tuple[AnyCall, bytes]:
        if_match = read_if_match(request.headers.getlist("if-match"))
        if operation.needs_if_match and not if_match.is_given:
            raise ProblemError(428, "needs-if-match", "Send the ETag of what you have read as If-Match.")
        query = read_query(request.scope["query_string"], operation.query)
        octets = await read_body(request)
        if operation.body is not Nothing:
            require_json(request)
            body = read_json(octets, operation.body)
        elif octets:
            raise malformed("This operation takes no body.")
        else:
            body = Nothing()
        call = Call(
            ports=self.ports,
            settings=self.settings,
            who=caller.who,
            actor=caller.actor,
            path=request.path_params,
            query=query,
            body=body,
            if_match=if_match,
            operation_id=operation.id,
            raw_query=request.url.query,
        )
        return call, octets


class _At:
    """The operations of one path, as an ASGI application."""

    def __init__(self, door: _Door, by_method: Mapping[str, AnyOperation]) -> None:
        self._door = door
        self._by_method = by_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of this path."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        operation = self._by_method.get(method)
        if operation is None:
            raise _no_such_method({*self._by_method, *({"HEAD"} if "GET" in self._by_method else ())})
        response = await self._door.answer(Request(scope, receive), operation)
        await response(scope, receive, send)


class _Described:
    """The OpenAPI document, which everybody may read."""

    def __init__(self) -> None:
        self._document = JSONResponse(document())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the document."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise _no_such_method({"GET", "HEAD"})
        await self._document(scope, receive, send)


class _Outermost:
    """Adds the headers that every answer has, and turns each error into a problem."""

    def __init__(self, app: ASGIApp, ports: Ports, settings: ApiSettings) -> None:
        self._app = app
        self._ports = ports
        self._headers = dict(_HEADERS)
        if settings.strict_transport:
            self._headers["Strict-Transport-Security"] = _STRICT_TRANSPORT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer it if that fails before an answer has begun."""
        if scope["type"] != "http":
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun:
                raise
            await answer_of(self._problem(scope, error))(scope, receive, watched)

    def _problem(self, scope: Scope, error: Exception) -> ProblemError:
        if isinstance(error, ProblemError | ValetkeyError | TimeoutError):
            return _expected(error)
        reference = self._ports.entropy.octets(5).hex()
        _log.error("api_failed", reference=reference, method=scope["method"], bug=place_of(error))
        detail = "Try again; if it happens again, tell your administrator the reference."
        return ProblemError(500, "failed", detail, reference=reference)


def _expected(error: ProblemError | ValetkeyError | TimeoutError) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, Unavailable | TimeoutError):
        _log.error("api_unavailable", why=str(error) or "it took too long")
        return unavailable()
    return problem_of(error)


def _written(answer: Answer) -> Response:
    if answer.stream is not None:
        return answer.stream
    if answer.model is None:
        return Response(status_code=204, headers=dict(answer.headers))
    headers = dict(answer.headers)
    if answer.has_etag:
        headers["ETag"] = etag_of(answer.model)
    return Response(answer.model.model_dump_json(), answer.status, headers, media_type="application/json")


def _no_such_method(allowed: set[str]) -> ProblemError:
    listed = ", ".join(sorted(allowed))
    return ProblemError(405, "method", f"This address takes: {listed}.", headers={"Allow": listed})


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ProblemError(404, "not-found", f"There is no such address. All are listed at {PREFIX}/openapi.json.")
