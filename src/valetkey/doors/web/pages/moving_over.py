"""From the main password to app passwords: the programs that stop with the first second factor, one by one."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.doors.web.gate import LOOK, FullVisit, Visit
from valetkey.service import history
from valetkey.service.ports import LoginEvent

router = APIRouter()
_LATELY = timedelta(days=90)
_SHOWN = 20


@router.api_route("/set-up/programs", methods=LOOK)
async def show(visit: FullVisit) -> Response:
    """Name the programs that need an app password now."""
    return visit.page("moving_over.html", programs=await programs_to_move(visit))


async def programs_to_move(visit: Visit) -> tuple[LoginEvent, ...]:
    """Give what logged in to mail with the main password lately, each program once, as it came last."""
    found = await history.by_main_password(visit.ports, visit.actor, visit.now - _LATELY)
    newest_first = sorted(found, key=lambda event: event.last_at)
    return tuple({(event.client, event.protocol): event for event in newest_first}.values())[::-1][:_SHOWN]
