"""The list of app passwords as its address asks for it: filtered, searched, sorted, with the links that change that."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from valetkey.core.app_password import AppPassword
from valetkey.core.sentence import Sentence, say

_STALE = timedelta(days=90)
_SOON = timedelta(days=14)
_LATELY = timedelta(days=30)
_MAX_SEARCH = 100


def _is_unused(one: AppPassword, now: datetime) -> bool:
    return now - (one.last_use.at if one.last_use else one.created_at) > _STALE


def _ends_soon(one: AppPassword, now: datetime) -> bool:
    ends = one.restrictions.expires_at
    return ends is not None and ends - now < _SOON


def _was_refused(one: AppPassword, now: datetime) -> bool:
    return one.last_refusal is not None and now - one.last_refusal.at < _LATELY


@dataclass(frozen=True, slots=True)
class _Filter:
    title: Sentence
    passes: Callable[[AppPassword, datetime], bool]
    is_live: bool = True


FILTERS: Mapping[str, _Filter] = {
    "": _Filter(say("In use"), lambda _one, _now: True),
    "never": _Filter(say("Never used"), lambda one, _now: one.last_use is None),
    "unused": _Filter(say("Unused for 90 days"), _is_unused),
    "refused": _Filter(say("Refused lately"), _was_refused),
    "ending": _Filter(say("Ends soon"), _ends_soon),
    "past": _Filter(say("Revoked and expired"), lambda _one, _now: True, is_live=False),
}


@dataclass(frozen=True, slots=True)
class _Sort:
    key: Callable[[AppPassword], str | datetime | None]  # None comes last, whichever way it is sorted
    falls: bool  # which way it is sorted first


_SORTS: Mapping[str, _Sort] = {
    "made": _Sort(lambda one: one.created_at, falls=True),
    "name": _Sort(lambda one: one.description.casefold(), falls=False),
    "used": _Sort(lambda one: one.last_use.at if one.last_use else None, falls=True),
    "ends": _Sort(lambda one: one.revoked_at or one.lapsed_at or one.restrictions.expires_at, falls=False),
}
_FIRST_SORT = "made"
SORTS: Mapping[str, Sentence] = {
    "made": say("Newest first"),
    "name": say("By name"),
    "used": say("Last used first"),
    "ends": say("Soonest end first"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """What the address of a list asks for."""

    account: str = ""  # the id of a shared account; "" is one's own
    show: str = ""  # of FILTERS
    search: str = ""
    sort: str = _FIRST_SORT
    falls: bool = True

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out that the plain list shows."""
        return bool(self.show or self.search)

    @property
    def query(self) -> str:
        """What links to this very list carry."""
        pairs = {
            "account": self.account,
            "show": self.show,
            "q": self.search,
            "sort": self.sort if self.sort != _FIRST_SORT else "",
            "order": ("falling" if self.falls else "rising") if self.falls != _SORTS[self.sort].falls else "",
        }
        return urlencode({name: value for name, value in pairs.items() if value})

    def link(self, **changes: str) -> str:
        """Give the address of this list with changes."""
        query = replace(self, **changes).query if changes else self.query  # type: ignore[arg-type]
        return f"/?{query}" if query else "/"

    def column(self, sort: str, label: str) -> dict[str, str]:
        """Give the head of a column by which the list can be sorted; asked for again, the other way round."""
        falls = not self.falls if sort == self.sort else _SORTS[sort].falls
        query = replace(self, sort=sort, falls=falls).query
        column = {"label": label, "href": f"/?{query}" if query else "/"}
        if sort == self.sort:
            column["sort"] = "descending" if self.falls else "ascending"
        return column

    def chosen(self, everyone: Iterable[AppPassword], now: datetime) -> tuple[AppPassword, ...]:
        """Give what the list shows, in its order."""
        wanted, sought = FILTERS[self.show], self.search.casefold()
        kept = [
            one
            for one in everyone
            if one.is_live == wanted.is_live and wanted.passes(one, now) and sought in one.description.casefold()
        ]
        key = _SORTS[self.sort].key
        kept.sort(key=lambda one: (one.description.casefold(), one.id))
        known = sorted((one for one in kept if key(one) is not None), key=key, reverse=self.falls)  # type: ignore[arg-type]
        return (*known, *(one for one in kept if key(one) is None))


def read_listing(given: Mapping[str, str]) -> Listing:
    """Read the query of a list's address; what is not known there is left out."""
    show, sort, order = given.get("show", ""), given.get("sort", ""), given.get("order", "")
    sort = sort if sort in _SORTS else _FIRST_SORT
    falls = order == "falling" if order in {"falling", "rising"} else _SORTS[sort].falls
    return Listing(
        given.get("account", ""), show if show in FILTERS else "", given.get("q", "").strip()[:_MAX_SEARCH], sort, falls
    )
