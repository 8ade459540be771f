"""What happened to an account: logins of its app passwords, refusals, and every change."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from babel.dates import format_skeleton
from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.login import Reason
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import names
from valetkey.doors.web.gate import LOOK, SignedInVisit, Visit
from valetkey.doors.web.happenings import by_day
from valetkey.doors.web.pages.app_passwords import whose
from valetkey.service import history
from valetkey.service.history import Kind, Wanted

router = APIRouter()
_SHOWN = 100
_MONTHS = 14  # counts and lists go back about so far
_LAST_MONTH = 12
_YEARS = range(2000, 2200)  # times beyond are nobody's, and could not be reckoned with
_KINDS: Mapping[str, Sentence] = {
    "": say("Everything"),
    Kind.LOGINS.value: say("Logins"),
    Kind.REFUSALS.value: say("Refusals"),
    Kind.CHANGES.value: say("Changes"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the page asks for."""

    account: str = ""
    show: str = ""
    reason: str = ""
    month: str = ""  # such as 2027-03, in the visitor's time zone
    before: str = ""  # an instant: what is older is shown

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.show or self.reason or self.month)

    def link(self, **changes: str) -> str:
        """Give the address of this page with changes."""
        asked = replace(self, **changes)
        pairs = {name: getattr(asked, name) for name in ("account", "show", "reason", "month", "before")}
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"/activity?{query}" if query else "/activity"


@router.api_route("/activity", methods=LOOK)
async def show(visit: SignedInVisit, account: str = "") -> Response:
    """Show what happened, the newest first, in one list."""
    shown = await whose(visit, account)
    asked = replace(_asked(visit.request.query_params), account=shown.id_if_shared)
    found = await history.of_account(visit.ports, visit.actor, shown.account.id, _wanted(visit, asked), _SHOWN)
    older = asked.link(before=found.before.isoformat()) if found.before else ""
    return visit.page(
        "activity.html",
        whose=shown,
        asked=asked,
        kinds=tuple(_KINDS.items()),
        reasons=[("", say("Any reason")), *((one.value, names.reason(one.value)) for one in Reason)],
        months=[("", say("Any time")), *_months(visit)],
        days=by_day(visit, found),
        newer=asked.link(before="") if asked.before else "",
        older=older,
        dropped=found.dropped,
    )


def _asked(given: Mapping[str, str]) -> Asked:
    """Read the query of the address; what is not known there is left out."""
    show, reason = given.get("show", ""), given.get("reason", "")
    return Asked(
        show=show if show in _KINDS else "",
        reason=reason if reason in set(Reason) else "",
        month=given.get("month", "") if _begin(given.get("month", "")) else "",
        before=given.get("before", "") if _instant(given.get("before", "")) else "",
    )


def _wanted(visit: Visit, asked: Asked) -> Wanted:
    begin = _begin(asked.month)
    since = begin.replace(tzinfo=visit.language.zone) if begin else None
    until = _next(begin).replace(tzinfo=visit.language.zone) if begin else None
    before = _instant(asked.before)
    kinds = frozenset({Kind(asked.show)}) if asked.show else frozenset(Kind)
    return Wanted(kinds, asked.reason, since, min(filter(None, (until, before)), default=None))


def _months(visit: Visit) -> list[tuple[str, str]]:
    """Give the last months, as the address and as people write them."""
    there = visit.now.astimezone(visit.language.zone)
    year, month, found = there.year, there.month, []
    for _ in range(_MONTHS):
        begin = datetime(year, month, 1, tzinfo=UTC)
        found.append((f"{year:04}-{month:02}", format_skeleton("yMMMM", begin, locale=visit.language.locale)))
        year, month = (year, month - 1) if month > 1 else (year - 1, _LAST_MONTH)
    return found


def _begin(month: str) -> datetime | None:
    try:
        begin = datetime.strptime(month, "%Y-%m") if month.isascii() else None  # noqa: DTZ007  (the zone is the visitor's)
    except ValueError:
        return None
    return begin if begin and begin.year in _YEARS else None


def _next(begin: datetime) -> datetime:
    if begin.month < _LAST_MONTH:
        return begin.replace(month=begin.month + 1)
    return begin.replace(year=begin.year + 1, month=1)


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus in an address may arrive as a space
    except ValueError:
        return None
    return found if found.tzinfo is not None and found.year in _YEARS else None
