"""API tokens of everybody, and the mail servers that are connected."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import Unavailable
from valetkey.core.sentence import say
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.asking import link, place_from, place_of, searched
from valetkey.doors.web.console.gate import ConsoleVisit, ToRevokeTokens, ToSeeServers, ToSeeTokens
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.notices import see_other_with
from valetkey.service import api_tokens, closing_upkeep, servers
from valetkey.service.server_parts import MailServer
from valetkey.service.tallies import AskedOutcome

router = APIRouter()
_SHOWN = 30
_TOKENS = "/console/tokens"
ENCRYPTIONS = {"implicit": say("SSL/TLS"), "starttls": say("STARTTLS"), "none": say("none")}
# How mail servers ask, by the kind of the door. Names of protocols and programs are the same everywhere.
KINDS = {
    "http": "HTTP",
    "sasl": "SASL",
    "policy": say("policy service"),
    "socketmap": "socketmap",
    "saslauthd": "saslauthd",
    "authdaemon": "authdaemon",
    "radius": "RADIUS",
    "ldap": "LDAP",
}
# What came of a peer's last question: the tone of the word, and the word.
STATES = {
    None: ("new", say("Has not asked yet")),
    AskedOutcome.YES: ("good", say("Asks")),
    AskedOutcome.NO: ("good", say("Asks")),
    AskedOutcome.CANNOT_TELL: ("bad", say("Could not tell")),
    AskedOutcome.MISUNDERSTOOD: ("warn", say("Not understood")),
    AskedOutcome.TURNED_AWAY: ("warn", say("Turned away")),
}
TROUBLES = (AskedOutcome.CANNOT_TELL, AskedOutcome.MISUNDERSTOOD, AskedOutcome.TURNED_AWAY)


@router.api_route(_TOKENS, methods=LOOK)
async def show_tokens(visit: ToSeeTokens, q: str = "", after: str = "") -> Response:
    """List the API tokens that are not revoked, the newest first."""
    q, place = searched(q), place_from(after)
    found = await api_tokens.all_of(visit.ports, visit.actor, search=q, after=place, limit=_SHOWN + 1)
    shown = found[:_SHOWN]
    onward = place_of(shown[-1][0].created_at, shown[-1][0].id) if len(found) > _SHOWN else ""
    return visit.page(
        "tokens.html",
        q=q,
        found=shown,
        first=link(_TOKENS, q=q) if place else "",
        rest=link(_TOKENS, q=q, after=onward) if onward else "",
    )


@router.api_route("/console/tokens/{token_id}/revoke", methods=LOOK)
async def ask_revoke(visit: ToRevokeTokens, token_id: str) -> Response:
    """Ask before an API token is revoked."""
    return await _revoke_page(visit, token_id)


@router.post("/console/tokens/{token_id}/revoke")
async def revoke(visit: ToRevokeTokens, token_id: str) -> Response:
    """Revoke an API token."""

    async def do(here: ConsoleVisit) -> Response:
        await api_tokens.revoke(here.ports, here.actor, token_id)
        return see_other_with(_TOKENS, "token-revoked")

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        return await _revoke_page(here, token_id, errors)

    return await act(visit, do, again)


async def _revoke_page(visit: ConsoleVisit, token_id: str, errors: Errors | None = None) -> Response:
    token, account = await api_tokens.find(visit.ports, visit.actor, token_id)
    return visit.page("token_revoke.html", errors=errors, token=token, account=account)


@router.api_route("/console/servers", methods=LOOK)
async def show_servers(visit: ToSeeServers) -> Response:
    """List the mail servers behind the gateway, and how they stand; and those that ask."""
    found = await servers_now(visit)
    late = await closing_upkeep.late_servers(visit.ports, visit.actor)
    return visit.page(
        "servers.html",
        found=found or (),
        is_known=found is not None,
        late=late,
        doors=await servers.asking(visit.ports, visit.actor),
        encryptions=ENCRYPTIONS,
        kinds=KINDS,
        states=STATES,
        troubles=TROUBLES,
    )


async def servers_now(visit: ConsoleVisit) -> tuple[MailServer, ...] | None:
    """Give the mail servers; None if it cannot be told now how they stand."""
    try:
        return await servers.connected(visit.ports, visit.actor)
    except Unavailable:
        return None
