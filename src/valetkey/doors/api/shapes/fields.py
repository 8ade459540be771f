"""What the forms are made of: each value with its bounds, its words and an example."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

ID_PATTERN = "^[a-z]{2}_[a-z0-9]{1,40}$"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6}\d*)?([Zz]|[+-]\d\d:\d\d)")
_DIGITS = re.compile("[0-9]{1,18}")


class Shape(BaseModel):
    """A form that takes what it names and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Nothing(Shape):
    """What an operation asks for that asks for nothing."""


def _moment(value: Any) -> datetime:
    """Read a moment as RFC 3339 writes it; it must say its distance from UTC."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("write a time such as 2026-03-01T12:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None


def _digits(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise ValueError("write a whole number")


def _whole(value: Any) -> Any:
    """Take 3 and 3.0, which are one number in JSON, and neither true nor "3"."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("write a whole number")


def _flag(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    raise ValueError("write true or false")


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Address = Annotated[
    str,
    StringConstraints(min_length=1, max_length=320),
    Field(description="A mail address.", examples=["alice@example.org"]),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    Field(examples=["2027-03-01T12:00:00Z"]),
]
# Behind the bounds, which the schema would not show otherwise.
DIGITS = BeforeValidator(_digits)  # in a query string
WHOLE = BeforeValidator(_whole)  # in a body
Flag = Annotated[bool, BeforeValidator(_flag)]  # in a query string
Seconds = Annotated[int, Field(ge=1, le=3_153_600_000), WHOLE]  # up to 100 years
ReasonText = Annotated[
    str,
    StringConstraints(max_length=200),
    Field(description="Why; it stands in the audit log.", examples=["Device lost"]),
]
Entry = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(description="An address, a network or the name of one.", examples=["192.0.2.0/24"]),
]


def left_out_stays(schema: dict[str, Any]) -> None:
    """Take the default out of the schema of a field of a change: left out, it means something else than null."""
    schema.pop("default", None)
