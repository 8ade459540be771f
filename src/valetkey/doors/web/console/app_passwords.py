"""Everybody's app passwords: find the risky ones, see one, revoke one or many. None is ever made here."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import Conflict
from valetkey.core.role import Role
from valetkey.core.sentence import say
from valetkey.doors.web.console import naming
from valetkey.doors.web.console.account import connections_of
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.asking import link, one_of, place_from, place_of, searched
from valetkey.doors.web.console.gate import ConsoleVisit, ToRevokeAppPasswords, ToSeeAppPasswords
from valetkey.doors.web.effective import effective
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.happenings import by_day, by_whom
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.app_password import chart_of_days
from valetkey.service import app_passwords, console, history
from valetkey.service.store_parts import AppPasswordFilter

router = APIRouter()
LIST = "/console/app-passwords"
REVOKING = "/console/revoking"
_SHOWN = 20
_SPAN = 30  # days of the chart
_HAPPENINGS = 50
_MOST_IDS = 500 * 40  # characters
_REASONS = (
    say("Used by somebody else"),
    say("Device lost or stolen"),
    say("No longer used"),
    say("Too wide or without an end"),
    say("Other"),
)


@router.api_route(LIST, methods=LOOK)
async def show_list(visit: ToSeeAppPasswords, show: str = "", q: str = "", after: str = "") -> Response:
    """List app passwords, the newest first, as the filters ask."""
    wanted = one_of(AppPasswordFilter, show) or AppPasswordFilter.LIVE
    q = searched(q)
    place = place_from(after)
    found = await console.app_passwords(visit.ports, visit.actor, wanted, search=q, after=place, limit=_SHOWN + 1)
    policy = visit.ports.policy
    shown = [(effective(one, policy), account) for one, account in found[:_SHOWN]]
    last = shown[-1][0] if shown else None
    onward = place_of(last.created_at, last.id) if last and len(found) > _SHOWN else ""
    counts = await console.app_password_counts(visit.ports, visit.actor)
    return visit.page(
        "app_passwords.html",
        wanted=wanted,
        q=q,
        found=shown,
        filters=[(one.value, name, counts.get(one, 0)) for one, name in naming.APP_PASSWORDS.items()],
        link_to=lambda one: link(LIST, show=one, q=q),
        first=link(LIST, show=show, q=q) if place else "",
        rest=link(LIST, show=show, q=q, after=onward) if onward else "",
        are_live=wanted not in {AppPasswordFilter.REVOKED, AppPasswordFilter.EXPIRED},
        most=console.MOST_AT_ONCE,
    )


@router.post(REVOKING)
async def plan(visit: ToRevokeAppPasswords) -> Response:
    """Say in numbers what would stop if the chosen ones were revoked, and ask. Changes nothing."""
    form = visit.form
    ids = form.many("one")
    if form.has("matching"):
        wanted = one_of(AppPasswordFilter, form.one("show", 40)) or AppPasswordFilter.LIVE
        q, most = searched(form.one("q")), console.MOST_AT_ONCE
        found = await console.app_passwords(visit.ports, visit.actor, wanted, search=q, limit=most)
        ids = tuple(one.id for one, _ in found)
    if not ids:
        raise Conflict("Nothing was ticked. Go back and tick what shall be revoked.")
    return await _plan_page(visit, ids)


async def _plan_page(visit: ConsoleVisit, ids: tuple[str, ...], errors: Errors | None = None) -> Response:
    planned = await console.what_would_be_revoked(visit.ports, visit.actor, ids)
    return visit.page("revoke_many.html", errors=errors, planned=planned, ids=",".join(ids), reasons=_REASONS)


@router.post(f"{REVOKING}/now")
async def revoke_many(visit: ToRevokeAppPasswords) -> Response:
    """Revoke the chosen ones in one step, and say what that did."""
    ids = tuple(filter(None, visit.form.one("ids", _MOST_IDS).split(",")))

    async def do(here: ConsoleVisit) -> Response:
        done = await console.revoke_many(here.ports, here.actor, ids, _reason(here))
        return here.page("revoked_many.html", done=done)

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        return await _plan_page(here, ids, errors)

    return await act(visit, do, again)


@router.api_route(f"{LIST}/{{credential_id}}", methods=LOOK)
async def show(visit: ToSeeAppPasswords, credential_id: str) -> Response:
    """Show one app password: whose, what it may do, how it is used."""
    first = visit.now.date() - timedelta(days=_SPAN - 1)
    detail = await history.of_app_password(visit.ports, visit.actor, credential_id, since=first, limit=_HAPPENINGS)
    one, found = effective(detail.app_password, visit.ports.policy), detail.history
    sessions = await connections_of(visit, detail.account.id)
    return visit.page(
        "app_password.html",
        one=one,
        account=detail.account,
        detail=detail,
        maker=by_whom(visit, one.created_by, found.names),
        revoker=by_whom(visit, one.revoked_by, found.names) if one.revoked_by else "",
        ends=one.restrictions.expires_at,
        idle=one.restrictions.idle_for,
        chart=chart_of_days(visit, detail.days, first, _SPAN),
        logins=sum(day.count for day in detail.days if day.result == "allowed"),
        refusals=sum(day.count for day in detail.days if day.result != "allowed"),
        days=by_day(visit, found, of_one=True),
        sessions=None if sessions is None else [each for each in sessions if each.credential_id == one.id],
        may_act=detail.account.role is None or visit.role is Role.ADMIN,
    )


@router.api_route(f"{LIST}/{{credential_id}}/revoke", methods=LOOK)
async def ask_revoke(visit: ToRevokeAppPasswords, credential_id: str) -> Response:
    """Say what stops when one is revoked, and ask."""
    return await _revoke_page(visit, credential_id)


@router.post(f"{LIST}/{{credential_id}}/revoke")
async def revoke(visit: ToRevokeAppPasswords, credential_id: str) -> Response:
    """Revoke one. Never asks for a proof: it shall be quickly done."""

    async def do(here: ConsoleVisit) -> Response:
        done = await app_passwords.revoke(here.ports, here.actor, credential_id, _reason(here))
        return see_other_with(f"{LIST}/{credential_id}", "revoked", done.closed)

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        return await _revoke_page(here, credential_id, errors)

    return await act(visit, do, again)


async def _revoke_page(visit: ConsoleVisit, credential_id: str, errors: Errors | None = None) -> Response:
    day = visit.now.date()
    detail = await history.of_app_password(visit.ports, visit.actor, credential_id, since=day, limit=1)
    sessions = await connections_of(visit, detail.account.id)
    return visit.page(
        "revoke.html",
        errors=errors,
        one=detail.app_password,
        account=detail.account,
        connections=None if sessions is None else sum(each.credential_id == credential_id for each in sessions),
        reasons=_REASONS,
    )


def _reason(visit: ConsoleVisit) -> str:
    chosen = visit.form.one("reason")
    return chosen if chosen in map(str, _REASONS) else ""
