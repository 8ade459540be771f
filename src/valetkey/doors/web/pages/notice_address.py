"""Where notices go beside the mailbox."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import InvalidInput, NotFound, ProveAgain, Refused
from valetkey.core.sentence import say
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, AnyVisit, FullVisit, Visit
from valetkey.doors.web.links import gone, lead_on
from valetkey.doors.web.notices import see_other_with
from valetkey.service import notice_addresses

router = APIRouter()

_PURPOSE = "notices"
_ASK = say("Sign in to the account that asked for it, go to Account, then Notices, and have a new link mailed.")


@router.api_route("/account/notices", methods=LOOK)
async def show(visit: FullVisit) -> Response:
    """Show where notices go."""
    return await _page(visit, "notice_address.html")


@router.api_route("/account/notices/change", methods=LOOK)
async def ask(visit: FullVisit) -> Response:
    """Ask for another address."""
    visit.need_recent_proof()
    return await _page(visit, "notice_address_change.html", typed="")


@router.post("/account/notices/change")
async def mail_link(visit: FullVisit) -> Response:
    """Mail a link to the address; nothing changes yet."""
    typed = visit.form.one("address", 400)
    try:
        await notice_addresses.ask_for(visit.ports, visit.actor, typed)
    except ProveAgain:
        raise
    except InvalidInput as refusal:
        return await _page(visit, "notice_address_change.html", Errors({"address": refusal.sentence}), typed)
    except Refused as refusal:
        return await _page(visit, "notice_address_change.html", Errors({"": refusal.sentence}), typed)
    return see_other_with("/account/notices", "confirm-mailed")


@router.api_route("/account/notices/remove", methods=LOOK)
async def ask_remove(visit: FullVisit) -> Response:
    """Ask before the address is removed."""
    visit.need_recent_proof()
    return await _page(visit, "notice_address_remove.html")


@router.post("/account/notices/remove")
async def remove(visit: FullVisit) -> Response:
    """Have notices go to the mailbox alone."""
    await notice_addresses.remove(visit.ports, visit.actor)
    return see_other_with("/account/notices", "notice-address-removed")


@router.api_route("/account/notices/confirm/{token}", methods=LOOK)
async def open_link(_visit: AnyVisit, token: str) -> Response:
    """Take the link of the mail; the page behind it asks to sign in."""
    return lead_on("/account/notices/confirm", _PURPOSE, token)


@router.api_route("/account/notices/confirm", methods=LOOK)
async def ask_confirm(visit: FullVisit) -> Response:
    """Ask before the address is taken."""
    try:
        address = await notice_addresses.pending(visit.ports, visit.actor, cookies.link(visit.request, _PURPOSE))
    except NotFound:
        return gone(visit, _ASK)
    return visit.page("notice_address_confirm.html", address=address)


@router.post("/account/notices/confirm")
async def confirm(visit: FullVisit) -> Response:
    """Have notices go to the address from now on."""
    try:
        await notice_addresses.confirm(visit.ports, visit.actor, cookies.link(visit.request, _PURPOSE))
    except NotFound:
        return gone(visit, _ASK)
    response = see_other_with("/account/notices", "notice-address-confirmed")
    cookies.forget_link(response)
    return response


async def _page(visit: Visit, template: str, errors: Errors | None = None, typed: str = "") -> Response:
    shown = await notice_addresses.show(visit.ports, visit.actor)
    return visit.page(template, errors=errors, shown=shown, typed=typed[:320])
