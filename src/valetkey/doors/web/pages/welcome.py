"""The page that an invitation leads to: the first main password."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import InvalidInput, NotFound
from valetkey.core.sentence import say
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, AnyVisit, Visit
from valetkey.doors.web.links import gone, lead_on
from valetkey.doors.web.rendering import see_other
from valetkey.service import invitations, portal_sessions
from valetkey.service.sign_in import NextStep

router = APIRouter()

_PURPOSE = "welcome"
_ASK = say("If you have set your main password already, sign in. Else ask whoever invited you for a new link.")


@router.api_route("/welcome/{token}", methods=LOOK)
async def open_link(_visit: AnyVisit, token: str) -> Response:
    """Take the link of the invitation."""
    return lead_on("/welcome", _PURPOSE, token)


@router.api_route("/welcome", methods=LOOK)
async def ask_password(visit: AnyVisit) -> Response:
    """Ask for a main password; nothing is used up."""
    return await _page(visit)


@router.post("/welcome")
async def set_password(visit: AnyVisit) -> Response:
    """Set the main password and sign in."""
    password = visit.form.one("password", 2000)
    if password != visit.form.one("repeated", 2000):
        return await _page(visit, Errors({"repeated": say("The two passwords are not the same.")}))
    token = cookies.link(visit.request, _PURPOSE)
    try:
        started = await invitations.accept(visit.ports, token, password, address=visit.address, client=visit.client)
    except InvalidInput as refusal:
        return await _page(visit, Errors({"password": refusal.sentence}))
    except NotFound:
        return gone(visit, _ASK)
    if visit.signed_in is not None:
        await portal_sessions.sign_out(visit.ports, visit.token)
    response = see_other("/set-up" if started.next is NextStep.SET_UP_SECOND_FACTOR else "/sign-in/code")
    cookies.set_session(response, started.token)
    cookies.forget_link(response)
    return response


async def _page(visit: Visit, errors: Errors | None = None) -> Response:
    try:
        account = await invitations.invited(visit.ports, cookies.link(visit.request, _PURPOSE))
    except NotFound:
        return gone(visit, _ASK)
    least = visit.ports.policy.min_password_length
    return visit.page("welcome.html", errors=errors, account=account, least=least)
