"""What can go wrong when a server is asked: it refused (`ApiError` and its kinds), or no answer came that can be read."""

from dataclasses import dataclass, field

_MOST_TEXT = 500  # characters of a server's sentence


class ClientError(Exception):
    """Asking the server gave no answer. The message is a sentence for whoever asked; it never holds the token."""


class UnreachableError(ClientError):
    """The server could not be reached, or the connection broke before the answer was there. Try again later."""


class UntrustedServerError(ClientError):
    """The server's certificate does not prove that it is the server; nothing was sent."""


class UnreadableAnswerError(ClientError):
    """What answered is not this API."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that was wrong."""

    field: str
    detail: str


@dataclass(slots=True)
class ApiError(ClientError):
    """The server refused; a problem of RFC 9457 with its fields."""

    status: int
    type: str
    title: str
    detail: str
    errors: tuple[Fault, ...] = ()
    reference: str = ""  # under which the administrator finds it in the log
    retry_after: int | None = field(default=None)  # seconds

    def __str__(self) -> str:
        return self.detail or self.title or f"The server answered {self.status}."


class RefusedError(ApiError):
    """400, 413, 415, 422, 428: something about the request is not acceptable; `errors` names the values."""


class UnauthorizedError(ApiError):
    """401: the token is missing, wrong, revoked or expired, or may not be used from here."""


class NotPermittedError(ApiError):
    """403: the token, or the role of its account, does not permit this."""


class NotFoundError(ApiError):
    """404: there is no such thing, or it is not yours."""


class ConflictError(ApiError):
    """409: it exists already, or has changed in the meantime."""


class StaleError(ApiError):
    """412: somebody has changed it since it was read."""


class TooManyRequestsError(ApiError):
    """429: `retry_after` says in how many seconds to try again."""


class UnavailableError(ApiError):
    """5xx: the server cannot tell at the moment. Nothing is wrong with the request or the token; try again later."""

    def __str__(self) -> str:
        return self.detail or f"The server is not available at the moment ({self.status}). Try again later."


_KINDS: dict[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: NotPermittedError,
    404: NotFoundError,
    409: ConflictError,
    412: StaleError,
    429: TooManyRequestsError,
}


def api_error(status: int, facts: dict[str, object], retry_after: int | None) -> ApiError:
    """Make the error of an answer that refuses.

    Args:
        status: The answer's status, 400 to 599.
        facts: What its body says; anything that is not as it should be is left out.
        retry_after: Seconds, if the answer says them.
    """
    kind = _KINDS.get(status, UnavailableError if status >= 500 else RefusedError)  # noqa: PLR2004  (server errors)
    return kind(
        status=status,
        type=_text(facts.get("type")),
        title=_text(facts.get("title")),
        detail=_text(facts.get("detail")),
        errors=tuple(_faults(facts.get("errors"))),
        reference=_text(facts.get("reference")),
        retry_after=retry_after,
    )


def _text(value: object) -> str:
    return value[:_MOST_TEXT] if isinstance(value, str) else ""


def _faults(value: object) -> list[Fault]:
    found = value if isinstance(value, list) else []
    return [Fault(_text(one.get("field")), _text(one.get("detail"))) for one in found if isinstance(one, dict)]
