"""What the address of a page of the console asks for: filters, where to go on, times; and links that keep the rest."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from valetkey.doors.web.gate import Visit

E = TypeVar("E", bound=StrEnum)

_MAX_SEARCH = 100
_YEARS = range(2000, 2200)  # times beyond are nobody's, and could not be reckoned with


def searched(text: str) -> str:
    """Give what is searched for, as long as names are."""
    return " ".join(text.split())[:_MAX_SEARCH]


def one_of(kinds: type[E], text: str) -> E | None:
    """Give the member that an address names; None for nothing, and for what there is not."""
    try:
        return kinds(text)
    except ValueError:
        return None


def link(path: str, **asked: str | None) -> str:
    """Give an address with what is asked for; empty things are left out."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{path}?{query}" if query else path


def begin_of_day(visit: Visit, text: str) -> datetime | None:
    """Read a date such as 2027-03-01 as the beginning of that day where the visitor is."""
    try:
        begin = datetime.strptime(text, "%Y-%m-%d") if text.isascii() else None  # noqa: DTZ007  (the visitor's zone)
    except ValueError:
        return None
    return begin.replace(tzinfo=visit.language.zone) if begin and begin.year in _YEARS else None


def end_of_day(visit: Visit, text: str) -> datetime | None:
    """Read a date as the end of that day where the visitor is, exclusive."""
    begin = begin_of_day(visit, text)
    return None if begin is None else begin + timedelta(days=1)


def place_of(created_at: datetime, name: str) -> str:
    """Write down where a list goes on that is sorted by time and id."""
    return f"{created_at.isoformat()}~{name}"


def place_from(text: str) -> tuple[datetime, str] | None:
    """Read what `place_of` wrote; None for anything else."""
    moment, _, name = text.partition("~")
    try:
        at = datetime.fromisoformat(moment.replace(" ", "+"))  # a plus in an address may arrive as a space
    except ValueError:
        return None
    return (at, name) if at.tzinfo is not None and at.year in _YEARS and name.isascii() and name else None


def options(names: Mapping[E, object], anything: object) -> list[tuple[str, object]]:
    """Give the choices of a filter, with "any" first."""
    return [("", anything), *((one.value, name) for one, name in names.items())]
