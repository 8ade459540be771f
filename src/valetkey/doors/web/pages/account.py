"""The account: second factors, main password, browsers that are signed in."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import Conflict, InvalidInput, NotFound, PolicyForbids
from valetkey.core.sentence import say
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, SignedInVisit, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.rendering import see_other
from valetkey.service import accounts, portal_sessions, second_factors
from valetkey.service.ports import Totp

router = APIRouter()


@router.api_route("/account", methods=LOOK)
async def show(visit: SignedInVisit) -> Response:
    """Show what protects the account."""
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    sessions = await portal_sessions.sessions(visit.ports, visit.actor)
    newest_first = sorted(sessions, key=lambda session: session.seen_at, reverse=True)
    own = visit.signed_in.session.id_hash if visit.signed_in else b""
    return visit.page("account.html", details=details, sessions=newest_first, own=own)


@router.api_route("/account/authenticators/{totp_id}/remove", methods=LOOK)
async def ask_remove(visit: FullVisit, totp_id: str) -> Response:
    """Ask before an authenticator is removed."""
    visit.need_recent_proof()
    totp, is_last = await _authenticator(visit, totp_id)
    return visit.page("authenticator_remove.html", totp=totp, is_last=is_last)


@router.post("/account/authenticators/{totp_id}/remove")
async def remove(visit: FullVisit, totp_id: str) -> Response:
    """Remove an authenticator."""
    totp, is_last = await _authenticator(visit, totp_id)
    visit.need_recent_proof()
    try:
        await second_factors.remove_totp(visit.ports, visit.actor, totp_id)
    except Conflict as refusal:
        errors = Errors({"": refusal.sentence})
        return visit.page("authenticator_remove.html", errors=errors, totp=totp, is_last=is_last)
    return see_other_with("/account", "authenticator-removed")


async def _authenticator(visit: Visit, totp_id: str) -> tuple[Totp, bool]:
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    totp = next((totp for totp in details.totps if totp.id == totp_id), None)
    if totp is None:
        raise NotFound("There is no such authenticator.")
    return totp, len(details.totps) == 1


@router.api_route("/account/password", methods=LOOK)
async def ask_password(visit: FullVisit) -> Response:
    """Ask for a new main password."""
    visit.need_recent_proof()
    return _password_page(visit)


@router.post("/account/password")
async def set_password(visit: FullVisit) -> Response:
    """Set the main password; other browsers are signed out."""
    password = visit.form.one("password", 2000)
    if password != visit.form.one("repeated", 2000):
        return _password_page(visit, Errors({"repeated": say("The two passwords are not the same.")}))
    try:
        await accounts.set_main_password(visit.ports, visit.actor, visit.account.id, password)
    except (InvalidInput, PolicyForbids) as refusal:
        return _password_page(visit, Errors({"password": refusal.sentence}))
    return see_other_with("/account", "password-changed")


def _password_page(visit: Visit, errors: Errors | None = None) -> Response:
    return visit.page("password.html", errors=errors, least=visit.ports.policy.min_password_length)


@router.post("/account/sessions/end-others")
async def end_others(visit: SignedInVisit) -> Response:
    """Sign out every other browser."""
    ended = await portal_sessions.sign_out_others(visit.ports, visit.actor, visit.token)
    return see_other_with("/account", "others-out", ended)


@router.api_route("/.well-known/change-password", methods=LOOK)
async def change_password(_visit: SignedInVisit) -> Response:
    """Lead password managers to the page for the main password (W3C, A Well-Known URL for Changing Passwords)."""
    return see_other("/account/password")
