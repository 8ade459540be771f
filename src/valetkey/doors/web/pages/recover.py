"""Recovery of a lost second factor, from the page for the code on."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import NotAllowed, NotFound, Refused
from valetkey.core.recovery import OPEN_FOR
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, AnyVisit, FullVisit, HalfVisit, SignInVisit, Stage, Visit
from valetkey.doors.web.links import gone, lead_on
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.rendering import see_other
from valetkey.service import calling_off, recovery, sign_in
from valetkey.service.sign_in import NextStep

router = APIRouter()

_LINK = "recover"
_CALL_OFF = "call-off"
_OVER = say("If you got it by mail, look for a newer mail. If the recovery goes on, sign in with your second factor.")


@router.api_route("/recover", methods=LOOK)
async def show(visit: AnyVisit) -> Response:
    """Show how far the recovery is; who is not half signed in is asked for the main password."""
    if visit.stage > Stage.HALF:
        return see_other("/")
    return await _page(visit)


@router.post("/recover/password")
async def take_password(visit: SignInVisit) -> Response:
    """Check the main password, the first proof."""
    name = visit.form.one("name", 400)
    try:
        started = await sign_in.start(
            visit.ports,
            name,
            visit.form.one("password", 2000),
            address=visit.address,
            client=visit.client,
            old_token=visit.token or None,
        )
    except Refused as refusal:
        return await _page(visit, Errors({"": refusal.sentence}), name)
    response = see_other("/recover" if started.next is NextStep.SECOND_FACTOR else "/set-up")
    cookies.set_session(response, started.token)
    return response


@router.post("/recover/mail")
async def mail_link(visit: HalfVisit) -> Response:
    """Mail the link, the second proof."""
    try:
        await recovery.mail_link(visit.ports, visit.token, address=visit.address)
    except NotAllowed:
        return see_other_with("/recover", "too-late")
    except Refused as refusal:
        return await _page(visit, Errors({"": refusal.sentence}))
    return see_other_with("/recover", "link-mailed")


@router.api_route("/recover/link/{token}", methods=LOOK)
async def open_link(_visit: AnyVisit, token: str) -> Response:
    """Take the link of the mail."""
    return lead_on("/recover", _LINK, token)


@router.post("/recover/begin")
async def begin(visit: HalfVisit) -> Response:
    """Begin the waiting time, with both proofs."""
    token = cookies.link(visit.request, _LINK)
    try:
        await recovery.begin(visit.ports, visit.token, token, address=visit.address)
    except NotAllowed:
        return see_other_with("/recover", "too-late")
    except Refused as refusal:
        return await _refused(visit, refusal)
    response = see_other("/recover")
    cookies.forget_link(response)
    return response


@router.post("/recover/finish")
async def finish(visit: HalfVisit) -> Response:
    """Take the second factors away, and go on to set up a new one."""
    token = cookies.link(visit.request, _LINK)
    try:
        fresh, _ = await recovery.finish(visit.ports, visit.token, token, address=visit.address, client=visit.client)
    except NotAllowed:
        return see_other_with("/recover", "too-late")
    except Refused as refusal:
        return await _refused(visit, refusal)
    response = see_other_with("/set-up", "recovered")
    cookies.set_session(response, fresh)
    cookies.forget_link(response)
    return response


@router.post("/recover/stop")
async def call_off(visit: FullVisit) -> Response:
    """Call the recovery off, from the banner that every page shows."""
    await calling_off.call_off(visit.ports, visit.actor)
    return see_other_with("/account", "recovery-called-off")


@router.api_route("/recover/call-off/{token}", methods=LOOK)
async def open_call_off(_visit: AnyVisit, token: str) -> Response:
    """Take the link of a notice."""
    return lead_on("/recover/call-off", _CALL_OFF, token)


@router.api_route("/recover/call-off", methods=LOOK)
async def ask_call_off(visit: AnyVisit) -> Response:
    """Ask before the recovery is called off; no sign-in is needed."""
    try:
        under_way = await calling_off.look_at_link(visit.ports, cookies.link(visit.request, _CALL_OFF))
    except NotFound:
        return gone(visit, _OVER)
    return visit.page("recover_call_off.html", recovery=under_way, done=False)


@router.post("/recover/called-off")
async def call_off_by_link(visit: AnyVisit) -> Response:
    """Call the recovery off with the link of a notice."""
    token = cookies.link(visit.request, _CALL_OFF)
    try:
        await calling_off.call_off_by_link(visit.ports, token, address=visit.address)
    except NotFound:
        return gone(visit, _OVER)
    response = visit.page("recover_call_off.html", recovery=None, done=True)
    cookies.forget_link(response)
    return response


async def _refused(visit: Visit, refusal: Refused) -> Response:
    """Say why a link did not do, and have another one mailed."""
    sentence: Sentence = refusal.sentence
    response = await _page(visit, Errors({"": sentence}), has_link=False)
    cookies.forget_link(response)
    return response


async def _page(visit: Visit, errors: Errors | None = None, name: str = "", *, has_link: bool = True) -> Response:
    has_link = has_link and bool(cookies.link(visit.request, _LINK))
    if visit.stage is not Stage.HALF:
        return visit.page("recover_password.html", errors=errors, name=name[:320], has_link=has_link)
    try:
        standing = await recovery.standing(visit.ports, visit.token)
    except NotAllowed:
        return visit.page("recover_password.html", errors=errors, name=name[:320], has_link=has_link)
    return visit.page(
        "recover.html",
        errors=errors,
        standing=standing,
        has_link=has_link,
        wait_hours=int(visit.ports.policy.recovery_wait.total_seconds() // 3600),
        open_hours=int(OPEN_FOR.total_seconds() // 3600),
    )
