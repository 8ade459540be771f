"""Rotating an app password: a new one takes its place, and the old one works on for a while."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict, InvalidInput, PolicyForbids, ProveAgain
from valetkey.core.sentence import Sentence, counted, say
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, Visit
from valetkey.doors.web.pages.app_passwords import Whose, one_of
from valetkey.doors.web.pages.issued import show_issued
from valetkey.doors.web.pages.issuing import prove_here
from valetkey.service import rotation
from valetkey.service.app_passwords import Issued

router = APIRouter()
_HOUR = timedelta(hours=1)
_USUAL = "168"  # hours: a week to reach every device
_PROVE_AGAIN = say("Some minutes have passed. Prove again that it is you, then send the form again.")


@router.api_route("/app-passwords/{credential_id}/rotate", methods=LOOK)
async def ask(visit: FullVisit, credential_id: str) -> Response:
    """Ask how long the old one shall still work."""
    visit.need_recent_proof()
    credential, shown = await one_of(visit, credential_id)
    if not credential.is_live:
        raise Conflict("This app password is no longer in use; make a new one.")
    return _page(visit, shown, credential, _USUAL)


@router.post("/app-passwords/{credential_id}/rotate")
async def rotate(visit: FullVisit, credential_id: str) -> Response:
    """Make the new one and show its secret, once, in the answer itself."""
    credential, shown = await one_of(visit, credential_id)
    chosen = visit.form.one("overlap", 16)
    proved = await prove_here(visit)
    if proved.error:
        return _page(visit, shown, credential, chosen, Errors({"prove": proved.error}))
    if not visit.portal.sent.is_first(visit.account.id, visit.form.one("once", 64)):
        raise Conflict("This form was sent already, and its app password was shown. It is in your list.")
    return proved.keep(await _rotate(proved.visit, shown, credential, chosen))


async def _rotate(visit: Visit, shown: Whose, credential: AppPassword, chosen: str) -> Response:
    overlap = next((one for one in rotation.OVERLAPS if _hours(one) == chosen), timedelta(-1))
    try:
        rotated = await rotation.rotate(visit.ports, visit.actor, credential.id, overlap)
    except ProveAgain:
        return _page(visit, shown, credential, chosen, Errors({"prove": _PROVE_AGAIN}))
    except InvalidInput as refusal:
        return _page(visit, shown, credential, chosen, Errors({refusal.field: refusal.sentence}))
    except PolicyForbids as refusal:
        return _page(visit, shown, credential, chosen, Errors({"": refusal.sentence}))
    return show_issued(visit, shown, Issued(rotated.app_password, rotated.secret), replaced=rotated.replaced)


def _page(visit: Visit, shown: Whose, credential: AppPassword, chosen: str, errors: Errors | None = None) -> Response:
    return visit.page(
        "rotate.html",
        errors=errors,
        whose=shown,
        credential=credential,
        overlaps=[(_hours(one), _title(one), "") for one in rotation.OVERLAPS],
        chosen=chosen,
        proving=errors is not None and "prove" in errors,
        once=visit.ports.entropy.octets(12).hex(),
    )


def _hours(overlap: timedelta) -> str:
    return str(overlap // _HOUR)


def _title(overlap: timedelta) -> Sentence:
    if not overlap:
        return say("It stops at once")
    if overlap.days:
        return counted("It works for {number} more day", "It works for {number} more days", overlap.days)
    hours = overlap // _HOUR
    return counted("It works for {number} more hour", "It works for {number} more hours", hours)
