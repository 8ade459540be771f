"""One app password: what it may do, how it is used, its history to look at and to take away, and its name."""

from collections.abc import Iterable
from datetime import date, timedelta

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from valetkey.core.errors import InvalidInput, Unavailable
from valetkey.core.sentence import say
from valetkey.doors.web.charts import Chart, Row, Series, bars
from valetkey.doors.web.effective import effective
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.fragments import fragment
from valetkey.doors.web.gate import LOOK, FullVisit, SignedInVisit, Visit
from valetkey.doors.web.happenings import by_day, by_whom
from valetkey.doors.web.live import Update, events
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.app_passwords import one_of, whose
from valetkey.service import app_passwords, history, live
from valetkey.service.export import HISTORY_COLUMNS, csv_lines, history_row, json_lines
from valetkey.service.ports import LiveSession
from valetkey.service.store_parts import DayCount

router = APIRouter()
_SPANS = {"30": 30, "90": 91}  # days of the chart by what the address says; 91 are thirteen weeks
_WEEK = 7
_SHOWN = 50
_MONTH = 30
_LOOK_EVERY = 2.0  # seconds
_WRITERS = {"csv": (csv_lines, "text/csv"), "jsonl": (json_lines, "application/jsonl")}


@router.api_route("/app-passwords/{credential_id}", methods=LOOK)
async def show(visit: SignedInVisit, credential_id: str, days: str = "30") -> Response:
    """Show one app password in detail."""
    span = _SPANS.get(days, _MONTH)
    first = _today(visit) - timedelta(days=span - 1)
    detail = await history.of_app_password(visit.ports, visit.actor, credential_id, since=first, limit=_SHOWN)
    found = detail.history
    return visit.page(
        "app_password.html",
        credential=effective(detail.app_password, visit.ports.policy),
        whose=await whose(visit, detail.account.id),
        detail=detail,
        maker=by_whom(visit, detail.app_password.created_by, found.names),
        chart=chart_of_days(visit, detail.days, first, span),
        logins=sum(day.count for day in detail.days if day.result == "allowed"),
        refusals=sum(day.count for day in detail.days if day.result != "allowed"),
        span=span,
        days=by_day(visit, found, of_one=True),
        connections=await _connections(visit, detail.account.id, credential_id),
        sent=detail.sent,
        stopped=detail.stopped,
    )


@router.api_route("/app-passwords/{credential_id}/live", methods=LOOK)
async def follow(visit: SignedInVisit, credential_id: str) -> Response:
    """Send state, last use and open connections anew when they change."""
    _, shown = await one_of(visit, credential_id)

    async def look() -> Update:
        now = effective(await app_passwords.get(visit.ports, visit.actor, credential_id), visit.ports.policy)
        connections = await _connections(visit, shown.account.id, credential_id)
        today = await app_passwords.sent_today(visit.ports, visit.actor, credential_id)
        facts = {"credential": now, "connections": connections, "sent": today.sent, "stopped": today.stopped}
        return Update(fragment(visit, "_app_password_now.html", **facts))

    return events(visit, look, every=_LOOK_EVERY)


@router.api_route("/app-passwords/{credential_id}/rename", methods=LOOK)
async def ask_name(visit: FullVisit, credential_id: str) -> Response:
    """Ask for another name."""
    credential, shown = await one_of(visit, credential_id)
    return visit.page("rename.html", credential=credential, whose=shown, name=credential.description)


@router.post("/app-passwords/{credential_id}/rename")
async def rename(visit: FullVisit, credential_id: str) -> Response:
    """Give it another name; nothing else changes, and no proof is asked for."""
    credential, shown = await one_of(visit, credential_id)
    name = visit.form.one("description")
    try:
        await app_passwords.change(visit.ports, visit.actor, credential_id, description=name)
    except InvalidInput as refusal:
        errors = Errors({"description": refusal.sentence})
        return visit.page("rename.html", errors=errors, credential=credential, whose=shown, name=name)
    return see_other_with(f"/app-passwords/{credential_id}", "renamed")


@router.post("/app-passwords/{credential_id}/close")
async def close_connections(visit: SignedInVisit, credential_id: str) -> Response:
    """Close all its open connections; it stays valid."""
    await one_of(visit, credential_id)
    closed = await live.close_all_of(visit.ports, visit.actor, credential_id)
    back = "/connections" if visit.form.one("back") == "connections" else f"/app-passwords/{credential_id}"
    return see_other_with(back, "closed", closed)


@router.api_route("/app-passwords/{credential_id}/history.{form}", methods=LOOK)
async def download(visit: SignedInVisit, credential_id: str, form: str) -> Response:
    """Give its whole history to take away, as CSV or JSON lines."""
    if form not in _WRITERS:
        raise HTTPException(404)
    write, media_type = _WRITERS[form]
    detail = await history.of_app_password(
        visit.ports, visit.actor, credential_id, since=_today(visit), limit=history.MOST
    )
    rows = (history_row(entry) for entry in detail.history.entries)
    # The name of the file is made of the id alone: what people call things does not belong into a header.
    name = f"valetkey-{detail.app_password.id}-{visit.now:%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("".join(write(HISTORY_COLUMNS, rows)), media_type=f"{media_type}; charset=utf-8", headers=headers)


def _today(visit: Visit) -> date:
    return visit.now.date()  # the counts are by days in UTC


async def _connections(visit: Visit, account_id: str, credential_id: str) -> tuple[LiveSession, ...] | None:
    """Give its open connections; None if it cannot be told now."""
    try:
        found = await live.survey(visit.ports, visit.actor, account_id)
    except Unavailable:
        return None
    own = tuple(session for session in found.sessions if session.credential_id == credential_id)
    return None if found.silent and not own else own


def chart_of_days(visit: Visit, counts: Iterable[DayCount], first: date, span: int) -> Chart:
    """Draw logins and refusals by day, or by week where days would be too many."""
    step = 1 if span <= _MONTH else _WEEK
    sums = [[0, 0] for _ in range(span // step)]
    for day in counts:
        place = (day.day - first).days // step
        if place < len(sums):  # one of a clock set back
            sums[place][day.result != "allowed"] += day.count
    said = visit.language.translated
    rows = []
    for place, (logins, refusals) in enumerate(sums):
        begin = first + timedelta(days=place * step)
        label = visit.language.shown(begin)
        if step > 1:
            label = said(say("Week from {day}", day=begin))
        rows.append(Row(label, (logins, refusals), visit.language.shown(begin)))
    series = (Series(said(say("Logins")), "a"), Series(said(say("Refusals")), "b"))
    return bars(series, rows, said(say("Day")) if step == 1 else said(say("Week")))
