"""The passkeys of an account: a new one, and an end to one."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import Conflict, InvalidInput, NotFound, Refused
from valetkey.core.sentence import say
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, SignedInVisit, Stage, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.set_up import first_factor_page
from valetkey.service import accounts, passkeys

router = APIRouter()
_NOTHING = say("Your browser sent no passkey. Try again.")
_NOT_HERE = say("Under this address browsers permit no passkeys. Use an authenticator app.")


@router.api_route("/account/passkeys/new", methods=LOOK)
async def ask_new(visit: SignedInVisit) -> Response:
    """Ask for a name, and have the browser make a passkey."""
    if visit.stage is Stage.FULL:
        visit.need_recent_proof()
    return await _page(visit)


@router.post("/account/passkeys/new")
async def set_up(visit: SignedInVisit) -> Response:
    """Take the passkey that the browser made; the first second factor brings recovery codes."""
    name = visit.form.one("name", 200)
    answer = visit.passkey_answer()
    if answer is None:
        return await _page(visit, name, Errors({"": _NOTHING if visit.party else _NOT_HERE}))
    try:
        registered = await passkeys.register(visit.ports, visit.actor, answer, name, binding=visit.csrf)
    except InvalidInput as problem:
        return await _page(visit, name, Errors({"name" if problem.field == "name" else "": problem.sentence}))
    except Conflict as refusal:
        return await _page(visit, name, Errors({"": refusal.sentence}))
    except Refused as refusal:
        if type(refusal) is not Refused:
            raise  # such as ProveAgain, which has an answer of its own
        return await _page(visit, name, Errors({"": refusal.sentence}))
    if registered.recovery_codes:
        return await first_factor_page(visit, registered.token, registered.recovery_codes)
    return see_other_with("/account", "passkey-added")


async def _page(visit: Visit, name: str = "", errors: Errors | None = None) -> Response:
    ceremony = None
    if visit.party is not None:
        try:
            ceremony = await passkeys.offer(visit.ports, visit.actor, visit.party, binding=visit.csrf)
        except Conflict as refusal:
            errors = Errors({"": refusal.sentence})
    return visit.page(
        "passkey_new.html",
        errors=errors,
        ceremony=ceremony,
        name=name or visit.language.translated(visit.words.browser(visit.client)),
        first=visit.stage is not Stage.FULL,
    )


@router.api_route("/account/passkeys/{passkey_id}/remove", methods=LOOK)
async def ask_remove(visit: FullVisit, passkey_id: str) -> Response:
    """Ask before a passkey is removed."""
    visit.need_recent_proof()
    return await _remove_page(visit, passkey_id)


@router.post("/account/passkeys/{passkey_id}/remove")
async def remove(visit: FullVisit, passkey_id: str) -> Response:
    """Remove a passkey."""
    visit.need_recent_proof()
    try:
        await passkeys.remove(visit.ports, visit.actor, passkey_id)
    except Conflict as refusal:
        return await _remove_page(visit, passkey_id, Errors({"": refusal.sentence}))
    return see_other_with("/account", "passkey-removed")


async def _remove_page(visit: Visit, passkey_id: str, errors: Errors | None = None) -> Response:
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    passkey = next((passkey for passkey in details.passkeys if passkey.id == passkey_id), None)
    if passkey is None:
        raise NotFound("There is no such passkey.")
    is_last = len(details.totps) + len(details.passkeys) == 1
    return visit.page("passkey_remove.html", errors=errors, passkey=passkey, is_last=is_last)
