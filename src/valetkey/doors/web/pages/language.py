"""The choice of a language, in the foot of every page."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.doors.web import cookies
from valetkey.doors.web.gate import AnyVisit
from valetkey.doors.web.rendering import see_other
from valetkey.doors.web.security import local_path

router = APIRouter()


@router.post("/language")
async def choose(visit: AnyVisit) -> Response:
    """Remember the language and go back to the page; one that is not spoken here changes nothing."""
    response = see_other(local_path(visit.form.one("next")))
    code = visit.form.one("language")
    if code in visit.portal.languages:
        cookies.set_language(response, code)
    return response
