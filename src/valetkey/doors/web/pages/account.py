"""The account: second factors, main password, browsers that are signed in, and how they came in."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import Conflict, InvalidInput, NotFound, PolicyForbids
from valetkey.core.event_sentences import describe
from valetkey.core.sentence import say
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, SignedInVisit, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.moving_over import programs_to_move
from valetkey.doors.web.rendering import see_other
from valetkey.service import accounts, portal_sessions, second_factors, sign_in_history

router = APIRouter()


@router.api_route("/account", methods=LOOK)
async def show(visit: SignedInVisit) -> Response:
    """Show what protects the account."""
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    sessions = await portal_sessions.sessions(visit.ports, visit.actor)
    newest_first = sorted(sessions, key=lambda session: session.seen_at, reverse=True)
    own = visit.signed_in.session.id_hash if visit.signed_in else b""
    named = [(portal_sessions.public_id(session), session, session.id_hash == own) for session in newest_first]
    has_programs = visit.account.has_second_factor and bool(await programs_to_move(visit))
    return visit.page("account.html", details=details, sessions=named, has_programs=has_programs)


@router.api_route("/account/authenticators/{totp_id}/remove", methods=LOOK)
async def ask_remove(visit: FullVisit, totp_id: str) -> Response:
    """Ask before an authenticator is removed."""
    visit.need_recent_proof()
    return await _remove_page(visit, totp_id)


@router.post("/account/authenticators/{totp_id}/remove")
async def remove(visit: FullVisit, totp_id: str) -> Response:
    """Remove an authenticator."""
    visit.need_recent_proof()
    try:
        await second_factors.remove_totp(visit.ports, visit.actor, totp_id)
    except Conflict as refusal:
        return await _remove_page(visit, totp_id, Errors({"": refusal.sentence}))
    return see_other_with("/account", "authenticator-removed")


async def _remove_page(visit: Visit, totp_id: str, errors: Errors | None = None) -> Response:
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    totp = next((totp for totp in details.totps if totp.id == totp_id), None)
    if totp is None:
        raise NotFound("There is no such authenticator.")
    is_last = len(details.totps) + len(details.passkeys) == 1
    return visit.page("authenticator_remove.html", errors=errors, totp=totp, is_last=is_last)


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
        strength = await accounts.set_main_password(visit.ports, visit.actor, visit.account.id, password)
    except (InvalidInput, PolicyForbids) as refusal:
        return _password_page(visit, Errors({"password": refusal.sentence}))
    return see_other_with("/account", "password-changed", int(strength.log_guesses))


def _password_page(visit: Visit, errors: Errors | None = None) -> Response:
    return visit.page("password.html", errors=errors, least=visit.ports.policy.min_password_length)


@router.post("/account/sessions/end-others")
async def end_others(visit: SignedInVisit) -> Response:
    """Sign out every other browser."""
    ended = await portal_sessions.sign_out_others(visit.ports, visit.actor, visit.token)
    return see_other_with("/account", "others-out", ended)


@router.post("/account/sessions/end-all")
async def end_all(visit: SignedInVisit) -> Response:
    """Sign out every browser, this one too."""
    await portal_sessions.sign_out_all(visit.ports, visit.actor)
    response = see_other("/sign-in")
    cookies.forget_session(response)
    cookies.set_notice(response, "signed-out")
    return response


@router.post("/account/sessions/{name}/end")
async def end_one(visit: SignedInVisit, name: str) -> Response:
    """Sign out one browser."""
    await portal_sessions.sign_out_one(visit.ports, visit.actor, name)
    return see_other_with("/account", "one-out")


@router.api_route("/account/sign-ins", methods=LOOK)
async def sign_ins(visit: SignedInVisit, before: str = "") -> Response:
    """Show who came into the portal, and who was turned away."""
    number = int(before[:18]) if before.isascii() and before.isdecimal() else None
    history = await sign_in_history.history(visit.ports, visit.actor, before=number)
    lines = [
        {"at": record.at, "said": describe(record.event), "client": getattr(record.event, "client", "")}
        for record in history.records
    ]
    return visit.page("sign_ins.html", history=history, lines=lines, is_later=number is not None)


@router.api_route("/.well-known/change-password", methods=LOOK)
async def change_password(_visit: SignedInVisit) -> Response:
    """Lead password managers to the page for the main password (W3C, A Well-Known URL for Changing Passwords)."""
    return see_other("/account/password")
