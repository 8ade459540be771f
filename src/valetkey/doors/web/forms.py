"""Reading what a browser posted: bounded in octets, fields and time."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from valetkey.core.sentence import Sentence

MAX_BODY = 64 * 1024  # octets
_MAX_FIELDS = 100
_BODY_SECONDS = 15.0
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a posted form. It may hold passwords, so it cannot be printed by accident."""

    fields: dict[str, tuple[str, ...]] = field(repr=False)

    def one(self, name: str, most: int = 1024) -> str:
        """Give the first value of a field, or "" if it is missing.

        Raises:
            HTTPException: 422, longer than `most` characters.
        """
        value = self.fields.get(name, ("",))[0]
        if len(value) > most:
            raise HTTPException(422, "One of the fields is far too long.")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """Give all values of a field, such as ticked boxes."""
        return self.fields.get(name, ())

    def has(self, name: str) -> bool:
        """Tell whether a field was sent at all."""
        return name in self.fields


async def read_form(request: Request) -> Form:
    """Read the form that a request carries.

    Raises:
        HTTPException: 400 not a form that can be read, 408 too slow, 413 too large, 415 something else than a form.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415, "This page takes forms only.")
    return _parse(await read_body(request))


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Read the body of a request.

    Raises:
        HTTPException: 408 too slow, 413 more than `most` octets.
    """
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await _read_all(request, most)
    except TimeoutError:
        raise HTTPException(408, "The form took too long to arrive.") from None


async def _read_all(request: Request, most: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most:
        raise HTTPException(413, "The form is too large.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, "The form is too large.")
    return bytes(body)


def _parse(body: bytes) -> Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS, separator="&"
        )
    except ValueError:  # UnicodeError is one
        raise HTTPException(400, "The form could not be read.") from None
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields)


class Errors(dict[str, Sentence | str]):
    """What is wrong with a form: field name → one sentence. The field "" is the form as a whole."""
