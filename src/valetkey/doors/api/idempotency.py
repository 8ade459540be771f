"""Requests that may come twice and must act once: the Idempotency-Key field."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import Response

from valetkey.core.errors import Unavailable, ValetkeyError
from valetkey.doors.api.problem import ProblemError, malformed
from valetkey.service import api_answers
from valetkey.service.ports import Ports
from valetkey.service.store_parts import ApiAnswer

_log = structlog.get_logger("valetkey.api")

HEADER = "Idempotency-Key"
PATTERN = "^[A-Za-z0-9._~:@/+=-]{1,100}$"
SHOWN_ONCE = frozenset({"secret", "link"})  # names of values that no second answer repeats
_KEY = re.compile(PATTERN)


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request with a key, of one token."""

    ports: Ports
    token_id: str
    key: str
    request_hash: bytes

    async def answered(self, run: Callable[[], Awaitable[Response]]) -> Response:
        """Run a request, or repeat what it was answered before, without what is shown only once.

        What was refused changed nothing and may come again under its key. What broke off in the middle may not: nobody
        knows what became of it.

        Raises:
            ProblemError: The key was used for another request (422), or the first one still runs (409).
            Unavailable: The store failed.
        """
        before = await api_answers.begin(self.ports, self.token_id, self.key, self.request_hash)
        if before is not None:
            return self._repeated(before)
        try:
            response = await run()
        except (ProblemError, ValetkeyError):
            with suppress(Unavailable):  # then it counts as broken off
                await api_answers.drop(self.ports, self.token_id, self.key)
            raise
        kept = without_secrets(bytes(response.body).decode())
        try:
            await api_answers.keep(self.ports, self.token_id, self.key, response.status_code, kept)
        except Unavailable as error:  # it is done, and what is shown once must be shown
            _log.error("api_answer_not_kept", why=str(error))
        return response

    def _repeated(self, before: ApiAnswer) -> Response:
        if before.request_hash != self.request_hash:
            raise ProblemError(422, "reused-key", "Use a new key for each new request.")
        if before.status is None or before.body is None:
            detail = (
                "The first request with this key still runs, or broke off. Look what became of it, then use a new key."
            )
            raise ProblemError(409, "conflict", detail, headers={"Retry-After": "5"})
        return Response(
            before.body,
            before.status,
            {"Idempotent-Replayed": "true"},
            media_type="application/json" if before.body else None,
        )


def repeatable(request: Request, ports: Ports, token_id: str, body: bytes) -> Repeatable | None:
    """Give a request that has a key as one that can come again; None if it has none.

    Raises:
        ProblemError: The key cannot be one.
    """
    keys = request.headers.getlist(HEADER)
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise malformed(f"{HEADER} takes up to 100 letters, digits and signs, such as a UUID.")
    said = request.headers.get("if-match", "").encode("latin-1", "replace")
    parts = (request.method.encode(), request.url.path.encode(), request.url.query.encode(), said, body)
    asked = hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()
    return Repeatable(ports, token_id, keys[0], asked)


def without_secrets(body: str) -> str:
    """Take out of an answer what is shown only once, and say that it is a repetition."""
    if not body:
        return body
    facts = json.loads(body)
    if not SHOWN_ONCE & facts.keys():
        return body
    return json.dumps({**facts, **dict.fromkeys(SHOWN_ONCE & facts.keys()), "replayed": True})
