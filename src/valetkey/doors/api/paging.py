"""Lists by pages: a cursor says where the next one begins; nobody but we can read or make one."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from pydantic import Field, StringConstraints

from valetkey.core.errors import Unavailable
from valetkey.doors.api.operation import Answer, AnyCall
from valetkey.doors.api.problem import ProblemError
from valetkey.doors.api.shapes.fields import DIGITS, Shape

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P", bound="Page[Any]")

MOST = 200


class Paged(Shape):
    """What each list takes."""

    limit: Annotated[int, Field(ge=1, le=MOST, description="How many at most."), DIGITS] = 50
    cursor: Annotated[
        str | None,
        StringConstraints(pattern="^[A-Za-z0-9_-]+$", max_length=1024),
        Field(description="`next` of the page before, with the same other parameters."),
    ] = None


class Page(Shape, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: there is none.")


def position(call: AnyCall) -> list[Any] | None:
    """Give where the wanted page begins, as `page` was told it; None is the beginning.

    Raises:
        ProblemError: Not a cursor, or one of another list, of other filters, or of somebody else.
    """
    cursor = call.query.cursor
    if cursor is None:
        return None
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found: list[Any] = json.loads(call.ports.keys.unseal(sealed, _context(call)))
    except (Unavailable, binascii.Error, ValueError):
        raise ProblemError(422, "refused", "This cursor is not one of this list. Begin at its beginning.") from None
    return found


def place_of(at: datetime, name: str) -> list[Any]:
    """Give the position behind one of a list that is sorted by time and id."""
    return [at.isoformat(), name]


def place_from(begin: list[Any] | None) -> tuple[datetime, str] | None:
    """Read such a position, as `position` gives it."""
    return None if begin is None else (datetime.fromisoformat(begin[0]), begin[1])


def page(
    call: AnyCall,
    model: type[P],
    found: Sequence[R],
    shape: Callable[[R], Any],
    where: Callable[[R], list[Any]],
    **more: Any,
) -> Answer:
    """Answer a page of a list.

    Args:
        call: The call, with `limit` and `cursor` in its query.
        model: The page's form.
        found: One more than `limit`, if there are that many.
        shape: Gives the form of one.
        where: Gives the position behind one, for `position`.
        more: What else the page's form holds.
    """
    limit = call.query.limit
    following = cursor(call, where(found[limit - 1])) if len(found) > limit else None
    return answer_page(call, model, [shape(each) for each in found[:limit]], following, **more)


def page_of_all(
    call: AnyCall,
    model: type[P],
    found: Iterable[R],
    shape: Callable[[R], Any],
    place: Callable[[R], tuple[datetime, str]],
    **more: Any,
) -> Answer:
    """Answer a page of what is all there already, the newest first.

    Args:
        call: The call, with `limit` and `cursor` in its query.
        model: The page's form.
        found: All of it.
        shape: Gives the form of one.
        place: Gives the time and the id of one, by which they are ordered.
        more: What else the page's form holds.
    """
    ordered, begin = sorted(found, key=place, reverse=True), position(call)
    if begin is not None:
        behind = (datetime.fromisoformat(begin[0]), begin[1])
        ordered = [each for each in ordered if place(each) < behind]

    def where(one: R) -> list[Any]:
        at, name = place(one)
        return [at.isoformat(), name]

    return page(call, model, ordered, shape, where, **more)


def answer_page(call: AnyCall, model: type[P], items: list[Any], following: str | None, **more: Any) -> Answer:
    """Answer a page whose cursor is known, with a Link field (RFC 8288) to the next one."""
    body = model(items=items, next=following, **more)
    if following is None:
        return Answer(body)
    same = [(name, value) for name, value in parse_qsl(call.raw_query) if name != "cursor"]
    return Answer(body, headers={"Link": f'<?{urlencode([*same, ("cursor", following)])}>; rel="next"'})


def cursor(call: AnyCall, where: list[Any]) -> str:
    """Seal a position into a cursor."""
    sealed = call.ports.keys.seal(json.dumps(where).encode(), _context(call))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _context(call: AnyCall) -> str:
    filters = call.query.model_dump_json(exclude={"cursor", "limit"})
    asked = json.dumps([call.operation_id, dict(call.path), filters])
    return f"api cursor\0{call.who.account.id}\0{hashlib.sha256(asked.encode()).hexdigest()}"
