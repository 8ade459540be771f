"""Entity tags (RFC 9110 section 8.8.3), and preconditions that are held within the transaction that changes."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from valetkey.core.errors import Conflict
from valetkey.doors.api.problem import ProblemError
from valetkey.service.ports import Reader, Store, Writer

T = TypeVar("T")

_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
_LENGTH = 32  # hexadecimal digits


def etag_of(model: BaseModel) -> str:
    """Give the strong entity tag of what is answered."""
    return f'"{hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:_LENGTH]}"'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """What an If-Match field says; nothing if there was none."""

    tags: frozenset[str] = frozenset()
    is_given: bool = False
    is_any: bool = False

    def permits(self, model: BaseModel | None) -> bool:
        """Tell whether it matches what is there; weak tags never match (RFC 9110 section 13.1.1)."""
        return model is None or self.is_any or etag_of(model) in self.tags


def read_if_match(values: list[str]) -> IfMatch:
    """Read the If-Match fields of a request; what cannot be read matches nothing."""
    if not values:
        return IfMatch()
    text = ", ".join(values).strip()
    return IfMatch(frozenset(found.group() for found in _TAG.finditer(text)), is_given=True, is_any=text == "*")


@dataclass(frozen=True, slots=True)
class Precondition:
    """A store whose writes hold only if what was there before is what the client has read."""

    store: Store
    if_match: IfMatch
    current: Callable[[Reader], BaseModel | None]

    def as_store(self) -> Store:
        """Give it as the store that it stands before."""
        return cast("Store", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, work: Callable[[Writer], T]) -> T:
        """Run `work`, and undo it if what was there before did not match.

        In this order, so that whoever may not do it learns nothing of what is there.

        Raises:
            ProblemError: It did not match; nothing was changed.
        """

        def checked(writer: Writer) -> T:
            is_permitted = self.if_match.permits(self.current(writer))
            try:
                done = work(writer)
            except Conflict:  # raised to those alone who may do it
                if is_permitted:
                    raise
                raise _stale() from None
            if not is_permitted:
                raise _stale()
            return done

        return await self.store.write(checked)


def _stale() -> ProblemError:
    return ProblemError(412, "stale", "Read it again, then change what you find.")
