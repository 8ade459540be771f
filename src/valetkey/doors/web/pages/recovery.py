"""Recovery codes: how many are left, and a new set."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.doors.web.gate import LOOK, FullVisit
from valetkey.service import accounts, second_factors

router = APIRouter()


@router.api_route("/account/recovery-codes", methods=LOOK)
async def explain(visit: FullVisit) -> Response:
    """Say what a new set means before it is drawn."""
    visit.need_recent_proof()
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    return visit.page("recovery_codes_new.html", left=details.recovery_codes_left)


@router.post("/account/recovery-codes")
async def draw(visit: FullVisit) -> Response:
    """Draw a new set and show it, once."""
    codes = await second_factors.draw_recovery_codes(visit.ports, visit.actor)
    return visit.page("recovery_codes.html", codes=codes, first=False, languages=())
