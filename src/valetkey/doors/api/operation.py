"""One operation of the API, declared once: what it asks for, what it answers, and which action a token needs for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from valetkey.core.role import Action
from valetkey.doors.api.etags import IfMatch, Precondition
from valetkey.doors.api.settings import ApiSettings
from valetkey.service.ports import Actor, Ports, Reader
from valetkey.service.whoami import Who

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)

ME = "me"  # stands for one's own account where an account's id does


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers."""

    model: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    has_etag: bool = False
    stream: Response | None = None  # in the place of a model


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """A request that has passed the gate and whose values have the right form."""

    ports: Ports
    settings: ApiSettings
    who: Who
    actor: Actor
    path: Mapping[str, str]
    query: Q
    body: B
    if_match: IfMatch
    operation_id: str
    raw_query: str

    @property
    def account_id(self) -> str:
        """The account that the path names; `me` is the token's own."""
        named = self.path["account_id"]
        return self.who.account.id if named == ME else named

    def guarded(self, current: Callable[[Reader, Ports], BaseModel | None]) -> Ports:
        """Give ports whose transactions hold only if what was there before matches If-Match.

        Args:
            current: Gives what a GET would answer now, within the transaction; None: there is no such thing.
        """
        if not self.if_match.is_given:
            return self.ports
        ports = self.ports
        guard = Precondition(ports.store, self.if_match, lambda reader: current(reader, ports))
        return replace(ports, store=guard.as_store())


@dataclass(frozen=True, slots=True)
class Operation(Generic[Q, B]):
    """An operation and its declaration; the OpenAPI document is made from these."""

    id: str  # snake_case, verb first; stable
    method: str
    path: str  # behind /api/v1
    tag: str
    summary: str
    run: Callable[[Call[Q, B]], Awaitable[Answer]]
    query: type[Q]
    body: type[B]
    answer: type[BaseModel] | None = None
    status: int = 200
    actions: tuple[Action, ...] = ()  # a token needs one of them; the verbs ask again for the one that it takes
    in_person: str = ""  # why no token may do this
    needs_if_match: bool = False
    takes_if_match: bool = False
    has_etag: bool = False
    media_types: tuple[str, ...] = ("application/json",)
    is_repeatable: bool = True  # a POST takes an idempotency key
    description: str = ""


AnyOperation = Operation[Any, Any]
AnyCall = Call[Any, Any]
