"""Signing in, out, and proving it again."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import NotAllowed, Refused
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, HalfVisit, LeavingVisit, SignedInVisit, SignInVisit, Visit
from valetkey.doors.web.rendering import see_other
from valetkey.doors.web.security import local_path
from valetkey.service import portal_sessions, proving, sign_in
from valetkey.service.proving import Proof
from valetkey.service.sign_in import NextStep, Started

router = APIRouter()


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


def _password_page(visit: Visit, name: str, back: str, errors: Errors | None = None) -> Response:
    return visit.page("sign_in.html", errors=errors, name=name[:320], back=back)


@router.api_route("/sign-in/code", methods=LOOK)
async def ask_code(visit: HalfVisit) -> Response:
    """Ask for the code of the second factor."""
    return visit.page("code.html", back=_next_of(visit), recovering=False)


@router.post("/sign-in/code")
async def take_code(visit: HalfVisit) -> Response:
    """Check the code, or a recovery code, and finish the sign-in."""
    back = local_path(visit.form.one("next"))
    recovering = visit.form.has("recovery_code")
    try:
        if recovering:
            started = await sign_in.prove_recovery_code(
                visit.ports, visit.token, visit.form.one("recovery_code", 200), address=visit.address
            )
        else:
            started = await sign_in.prove_code(
                visit.ports, visit.token, visit.form.one("code", 200), address=visit.address
            )
    except NotAllowed:
        return _begin_again()
    except Refused as refusal:
        errors = Errors({"recovery_code" if recovering else "code": refusal.sentence})
        return visit.page("code.html", errors=errors, back=back, recovering=recovering)
    return _go_on(started, back)


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
    """Prove identity again with the fields `prove_password` and `prove_code` of the posted form.

    Raises:
        core.errors.Refused: It was not proven.
    """
    proof = Proof(visit.form.one("prove_password", 2000), visit.form.one("prove_code", 200))
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
