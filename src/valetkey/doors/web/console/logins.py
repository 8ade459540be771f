"""Logins and refusals of everybody, drawn over time."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.scope import MailProtocol
from valetkey.core.sentence import say
from valetkey.doors.web.console.asking import one_of
from valetkey.doors.web.console.gate import ToSeeLogins
from valetkey.doors.web.console.login_charts import SPANS, summed
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.names import PROTOCOLS
from valetkey.service import console

router = APIRouter()


@router.api_route("/console/logins", methods=LOOK)
async def show(visit: ToSeeLogins, span: str = "month", protocol: str = "") -> Response:
    """Draw logins by protocol, and refusals by reason."""
    span = span if span in SPANS else "month"
    kind = one_of(MailProtocol, protocol)
    begin = SPANS[span].begin(visit.now.astimezone(visit.language.zone))
    counts = await console.logins(visit.ports, visit.actor, begin)
    wanted = [one for one in counts if kind is None or one.protocol is kind]
    return visit.page(
        "logins.html",
        span=span,
        spans=[(key, one.name) for key, one in SPANS.items()],
        protocol=kind.value if kind else "",
        protocols=[("", say("All")), *((one.value, name) for one, name in PROTOCOLS.items())],
        counted=summed(visit.language, SPANS[span], wanted, visit.now),
    )
