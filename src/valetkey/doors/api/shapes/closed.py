"""The form of what a change has closed."""

from typing import Any

from pydantic import Field

from valetkey.doors.api.shapes.fields import Shape
from valetkey.service import closing


class ServerClosed(Shape):
    """How many mail connections a mail server that was told has closed."""

    server: str
    closed: int


class Closed(Shape):
    """How many mail connections that closed."""

    closed: int = Field(description="Mail connections that were closed, here and at mail servers that were told.")
    servers: list[ServerClosed] = Field(default=[], description="Of these, those at mail servers that were told.")
    not_told: list[str] = Field(
        default=[], description="Mail servers that could not be told yet. Valetkey goes on trying for a day."
    )


def closed_facts(done: closing.Closed) -> dict[str, Any]:
    """Give the fields of `Closed`."""
    return {
        "closed": done.total,
        "servers": [ServerClosed(server=each.server, closed=each.closed) for each in done.servers],
        "not_told": list(done.not_told),
    }
