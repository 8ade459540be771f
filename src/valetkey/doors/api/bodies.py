"""Reading what a request brings: bounded in size, depth and time, and nothing that was not asked for."""

import asyncio
import json
import re
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from valetkey.doors.api.problem import Fault, ProblemError, malformed, malformed_values

MAX_BODY = 64 * 1024  # octets
MAX_DEPTH = 16  # of objects and lists within each other
MAX_QUERY = 8 * 1024
_TO_SEND = 10.0  # seconds for the whole body
_LENGTH_DIGITS = 19  # of Content-Length; what has thousands cannot even be read as a number
# One that does not end goes to the end of the body, so that nothing is looked at twice.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{\]}]")


async def read_body(request: Request) -> bytes:
    """Read a body.

    Raises:
        ProblemError: It is too large, or it took too long.
    """
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or len(said) > _LENGTH_DIGITS or int(said) > MAX_BODY:
        raise _too_large()
    parts, size = [], 0
    try:
        async with asyncio.timeout(_TO_SEND):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise _too_large()
                parts.append(part)
    except (TimeoutError, ClientDisconnect):
        raise ProblemError(408, "malformed", "The body did not arrive in time.") from None
    return b"".join(parts)


def require_json(request: Request) -> None:
    """Let only JSON in UTF-8 pass.

    Raises:
        ProblemError: 415, another media type.
    """
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    charset = str(message.get_param("charset", "utf-8"))
    if "content-type" not in request.headers or message.get_content_type() != "application/json":
        raise ProblemError(415, "media-type", "Send JSON, with Content-Type: application/json.")
    if charset.lower() not in {"utf-8", "utf8"} or request.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(415, "media-type", "Send JSON in UTF-8, not compressed.")


def read_json(octets: bytes, model: type[BaseModel]) -> BaseModel:
    """Read a body in the form that a model gives.

    Raises:
        ProblemError: Not JSON, too deep, a name twice in one object, or not of this form.
    """
    if _depth(octets) > MAX_DEPTH:
        raise malformed(f"The JSON is nested more than {MAX_DEPTH} deep.")
    try:
        value = json.loads(octets.decode(), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed("The body is not JSON in UTF-8, or an object names something twice.") from None
    if not isinstance(value, dict):
        raise malformed("The body must be a JSON object.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise malformed_values(error, "body") from None


def read_query(raw: bytes, model: type[BaseModel]) -> BaseModel:
    """Read a query string in the form that a model gives; what it does not name is refused.

    Raises:
        ProblemError: Too long, not UTF-8, something unknown, given twice, or not of this form.
    """
    if len(raw) > MAX_QUERY:
        raise malformed("The query is too long.")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except (UnicodeError, ValueError):
        raise malformed("The query cannot be read.") from None
    lists = {name for name, each in model.model_fields.items() if "list" in str(each.annotation)}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in model.model_fields:
            raise malformed(
                "There is no such query parameter.", Fault(field=name[:200], detail="It is not known here.")
            )
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise malformed("A query parameter is given twice.", Fault(field=name, detail="Give it once."))
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise malformed_values(error, "query") from None


def _too_large() -> ProblemError:
    return ProblemError(413, "too-large", f"A request may have {MAX_BODY // 1024} KiB at most.")


def _depth(octets: bytes) -> int:
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", octets)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
