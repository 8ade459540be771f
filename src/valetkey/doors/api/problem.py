"""Errors as problem details (RFC 9457): one form for everything that goes wrong, with a sentence that says what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, ValidationError
from starlette.responses import JSONResponse, Response

from valetkey.core.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    PolicyForbids,
    ProveAgain,
    Unavailable,
    ValetkeyError,
)
from valetkey.doors.api.shapes.fields import Shape

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:valetkey:problem:"
_RETRY_SECONDS = "30"
_MOST_FAULTS = 20

TITLES = {
    "malformed": "The request cannot be read",
    "unauthorized": "No API token, or one that does not work",
    "not-permitted": "Not permitted",
    "not-found": "There is no such thing, or it is not yours",
    "method": "This address does not take this method",
    "conflict": "It has changed in the meantime",
    "stale": "Somebody has changed it since you read it",
    "too-large": "The request is too large",
    "media-type": "The body is not JSON",
    "refused": "A value is not acceptable",
    "reused-key": "This idempotency key was used for another request",
    "needs-if-match": "Say which state you have read",
    "too-many": "Too many requests",
    "failed": "Something went wrong on our side",
    "unavailable": "Not available at the moment",
}


class Fault(Shape):
    """One value that is wrong."""

    field: str = Field(description="Where it stands, parts joined by dots.", max_length=200, examples=["expires_at"])
    detail: str = Field(description="What is wrong with it.", examples=["Choose a date in the future."])


class Problem(Shape):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Names the kind of problem.", examples=[f"{_TYPE}not-found"])
    title: str = Field(description="The kind in words.", examples=[TITLES["not-found"]])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="What is wrong here, and what to do.", examples=["There is no such account."])
    errors: list[Fault] = Field(default=[], description="Which values are wrong, if it is about values.")
    reference: str = Field(default="", description="For the administrator, who finds it in the log.")


@dataclass(slots=True)
class ProblemError(Exception):
    """A problem on its way to whoever asked."""

    status: int
    kind: str
    detail: str
    faults: tuple[Fault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""

    def __str__(self) -> str:
        return self.detail


def answer_of(problem: ProblemError) -> Response:
    """Write a problem as the answer that tells it."""
    shape = Problem(
        type=f"{_TYPE}{problem.kind}",
        title=TITLES[problem.kind],
        status=problem.status,
        detail=problem.detail,
        errors=list(problem.faults),
        reference=problem.reference,
    )
    body: dict[str, Any] = shape.model_dump(mode="json", exclude_defaults=True)
    return JSONResponse(body, problem.status, dict(problem.headers), media_type=MEDIA_TYPE)


def problem_of(error: ValetkeyError) -> ProblemError:
    """Give the problem that an error of a verb is."""
    detail = str(error)
    match error:
        case Unavailable():
            return unavailable()
        case NotFound():
            return ProblemError(404, "not-found", detail)
        case ProveAgain():
            return ProblemError(403, "not-permitted", "A person must do this in the portal.")
        case NotAllowed() | PolicyForbids():
            return ProblemError(403, "not-permitted", detail)
        case Conflict():
            return ProblemError(409, "conflict", detail)
        case InvalidInput():
            return ProblemError(422, "refused", detail, (Fault(field=error.field[:200], detail=detail),))
        case _:
            return ProblemError(422, "refused", detail)


def unavailable() -> ProblemError:
    """Give the problem of something that is away: nothing is wrong with the request or the token."""
    detail = "Nothing is wrong with your request or your token. Try again in a minute."
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": _RETRY_SECONDS})


def malformed(detail: str, *faults: Fault) -> ProblemError:
    """Give the problem of a request that cannot be read."""
    return ProblemError(400, "malformed", detail, faults)


def malformed_values(error: ValidationError, where: str) -> ProblemError:
    """Give the problem of values that have not the form that is asked for; the values themselves are not repeated."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_FAULTS]
    faults = (
        Fault(field=".".join(str(part) for part in each["loc"])[:200] or where, detail=each["msg"]) for each in found
    )
    return malformed(f"Some values of the {where} have not the right form.", *faults)
