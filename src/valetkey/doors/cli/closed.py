"""How commands say what a change has closed."""

from typing import Any

from valetkey.core.sentence import in_english
from valetkey.doors.cli.output import connections
from valetkey.service.closing import Closed


def closed_words(closed: Closed) -> str:
    """Say it: "3 open connections closed: 1 here, 2 at mx1. mx2 could not be reached; Valetkey goes on trying."."""
    places = [f"{each.closed} at {each.server}" for each in closed.servers if each.closed]
    where = ": " + ", ".join([f"{closed.here} here", *places] if closed.here else places) if places else ""
    said = f"{connections(closed.total)} closed{where}."
    if closed.not_told:
        said += f" {in_english(closed.not_told)} could not be reached; Valetkey goes on trying."
    return said


def closed_facts(closed: Closed) -> dict[str, Any]:
    """Give it as JSON has it."""
    servers = [{"server": each.server, "closed": each.closed} for each in closed.servers]
    return {"closed": closed.total, "servers": servers, "not_told": list(closed.not_told)}
