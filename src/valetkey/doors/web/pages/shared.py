"""The shared accounts that somebody owns: who else owns them, what is in use, and who made it."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.doors.web.gate import LOOK, SignedInVisit
from valetkey.doors.web.happenings import by_whom
from valetkey.service import history

router = APIRouter()


@router.api_route("/shared", methods=LOOK)
async def show(visit: SignedInVisit) -> Response:
    """List the shared accounts of the visitor."""
    found = await history.shared_accounts(visit.ports, visit.actor)
    makers = {
        one.id: by_whom(visit, one.created_by, shared.overview.names)
        for shared in found
        for one in shared.overview.app_passwords
    }
    return visit.page("shared.html", accounts=found, makers=makers)
