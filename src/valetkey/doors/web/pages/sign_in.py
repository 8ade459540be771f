"""Signing in, out, and proving it again."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import NotAllowed, Refused
from valetkey.core.sentence import say
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, HalfVisit, LeavingVisit, SignedInVisit, SignInVisit, Visit
from valetkey.doors.web.rendering import see_other
from valetkey.doors.web.security import local_path
from valetkey.service import passkey_ceremonies, portal_sessions, proving, sign_in
from valetkey.service.passkey_ceremonies import Purpose
from valetkey.service.proving import Proof
from valetkey.service.sign_in import NextStep, Started

router = APIRouter()
_NO_PASSKEY = say("Your browser sent no passkey. Try again, or sign in with your main password.")


@router.api_route("/sign-in", methods=LOOK)
async def ask_password(visit: SignInVisit) -> Response:
    """Ask for address and main password."""
    return _password_page(visit, "", _next_of(visit))


@router.post("/sign-in")
async def take_password(visit: SignInVisit) -> Response:
    """Check the main password and go on to the second factor."""
    name = visit.form.one("name", 400)
    back = local_path(visit.form.one("next"))
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
        return _password_page(visit, name, back, Errors({"": refusal.sentence}))
    return _go_on(started, back)


@router.post("/sign-in/passkey")
async def take_passkey(visit: SignInVisit) -> Response:
    """Sign in with a passkey alone."""
    back = local_path(visit.form.one("next"))
    answer = visit.passkey_answer()
    if answer is None:
        return _password_page(visit, "", back, Errors({"": _NO_PASSKEY}))
    try:
        started = await sign_in.start_with_passkey(
            visit.ports,
            answer,
            binding=visit.csrf,
            address=visit.address,
            client=visit.client,
            old_token=visit.token or None,
        )
    except Refused as refusal:
        return _password_page(visit, "", back, Errors({"": refusal.sentence}))
    return _go_on(started, back)


def _password_page(visit: Visit, name: str, back: str, errors: Errors | None = None) -> Response:
    passkey = passkey_ceremonies.offer_sign_in(visit.ports, visit.party, binding=visit.csrf) if visit.party else None
    return visit.page("sign_in.html", errors=errors, name=name[:320], back=back, passkey=passkey)


@router.api_route("/sign-in/code", methods=LOOK)
async def ask_code(visit: HalfVisit) -> Response:
    """Ask for the second factor: a passkey, a code, or a recovery code."""
    return _factor_page(visit, _next_of(visit))


@router.post("/sign-in/code")
async def take_code(visit: HalfVisit) -> Response:
    """Check the second factor and finish the sign-in."""
    back = local_path(visit.form.one("next"))
    used = next((name for name in ("answer", "recovery_code") if visit.form.has(name)), "code")
    try:
        started = await _prove(visit, used)
    except NotAllowed:
        return _begin_again()
    except Refused as refusal:
        return _factor_page(visit, back, used, Errors({"" if used == "answer" else used: refusal.sentence}))
    return _go_on(started, back)


async def _prove(visit: Visit, used: str) -> Started:
    if used == "answer":
        answer = visit.passkey_answer()
        if answer is None:
            raise Refused(_NO_PASSKEY)
        return await sign_in.prove_passkey(visit.ports, visit.token, answer, address=visit.address)
    code = visit.form.one(used, 200)
    prove = sign_in.prove_recovery_code if used == "recovery_code" else sign_in.prove_code
    return await prove(visit.ports, visit.token, code, address=visit.address)


def _factor_page(visit: Visit, back: str, used: str = "", errors: Errors | None = None) -> Response:
    return visit.page(
        "code.html",
        errors=errors,
        back=back,
        recovering=used == "recovery_code",
        passkey=visit.passkey_for(Purpose.SECOND_FACTOR),
        has_passkey=bool(visit.signed_in and visit.signed_in.passkeys),
        takes_codes=visit.signed_in is not None and visit.signed_in.has_authenticator,
    )


@router.post("/sign-out")
async def leave(visit: LeavingVisit) -> Response:
    """End this session; a half-finished one too."""
    await portal_sessions.sign_out(visit.ports, visit.token)
    response = see_other("/sign-in")
    cookies.forget_session(response)
    cookies.set_notice(response, "signed-out")
    return response


@router.api_route("/prove", methods=LOOK)
async def ask_again(visit: SignedInVisit) -> Response:
    """Ask for password and code once more, before something sensitive."""
    return visit.page("prove.html", back=_next_of(visit))


@router.post("/prove")
async def take_again(visit: SignedInVisit) -> Response:
    """Check password and code, and go back to where the visitor was."""
    back = local_path(visit.form.one("next"))
    try:
        started = await prove_again(visit)
    except NotAllowed:
        return _begin_again()
    except Refused as refusal:
        return visit.page("prove.html", errors=Errors({"": refusal.sentence}), back=back)
    response = see_other(back)
    cookies.set_session(response, started.token)
    return response


async def prove_again(visit: Visit) -> Started:
    """Prove identity again with what the posted form has of `parts.prove_fields`.

    Raises:
        core.errors.Refused: It was not proven.
    """
    proof = Proof(
        visit.form.one("prove_password", 2000), visit.form.one("prove_code", 200), visit.passkey_answer("prove_")
    )
    return await proving.prove_again(visit.ports, visit.token, proof, address=visit.address)


def _begin_again() -> Response:
    response = see_other("/sign-in")
    cookies.forget_session(response)
    cookies.set_notice(response, "too-late")
    return response


def _next_of(visit: Visit) -> str:
    return local_path(visit.request.query_params.get("next", ""))


def _go_on(started: Started, back: str) -> Response:
    match started.next:
        case NextStep.SECOND_FACTOR:
            path = "/sign-in/code" if back == "/" else f"/sign-in/code?next={back}"
        case NextStep.SET_UP_SECOND_FACTOR:
            path = "/set-up"
        case NextStep.DONE:
            path = back
    response = see_other(path)
    cookies.set_session(response, started.token)
    return response
