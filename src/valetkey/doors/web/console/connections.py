"""Every open mail connection, as programs come and go; close one."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import NotFound
from valetkey.core.scope import MailProtocol
from valetkey.core.sentence import say
from valetkey.doors.web.console.account import connections_of
from valetkey.doors.web.console.asking import link, one_of, searched
from valetkey.doors.web.console.gate import ConsoleVisit, ToCloseConnections, ToSeeConnections
from valetkey.doors.web.console.naming import ConsoleWords
from valetkey.doors.web.fragments import fragment
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.live import Update, events
from valetkey.doors.web.names import PROTOCOLS
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, app_passwords, live
from valetkey.service.ports import LiveSession
from valetkey.service.store_parts import AccountFilter

router = APIRouter()
LIST = "/console/connections"
_SHOWN = 30
_MOST_NAMED = 500  # accounts that a search may find
_LOOK_EVERY = 5.0  # seconds


@router.api_route(LIST, methods=LOOK)
async def show(visit: ToSeeConnections, q: str = "", protocol: str = "") -> Response:
    """List the open connections, the newest first."""
    protocols = [("", say("Any")), *((one.value, name) for one, name in PROTOCOLS.items())]
    return visit.page(
        "connections.html",
        protocols=protocols,
        q=searched(q),
        protocol=protocol,
        follow=link(f"{LIST}/live", q=searched(q), protocol=protocol),
        **await _open_now(visit, searched(q), protocol),
    )


@router.api_route(f"{LIST}/live", methods=LOOK)
async def follow(visit: ToSeeConnections, q: str = "", protocol: str = "") -> Response:
    """Send the list anew when connections come and go."""

    async def look() -> Update:
        found = await _open_now(visit, searched(q), protocol)
        return Update(fragment(visit, "console/_connections.html", named=ConsoleWords(visit.language), **found))

    return events(visit, look, every=_LOOK_EVERY)


@router.post(f"{LIST}/{{session_id}}/close")
async def close(visit: ToCloseConnections, session_id: str) -> Response:
    """Close one connection; its app password stays valid."""
    if not await live.close(visit.ports, visit.actor, session_id):
        raise NotFound("There is no such open connection.")
    back = visit.form.one("account", 64)
    is_account = back.startswith("ac_") and back.isascii() and back.replace("_", "").isalnum()
    return see_other_with(f"/console/accounts/{back}" if is_account else LIST, "closed", 1)


async def _open_now(visit: ConsoleVisit, q: str, protocol: str) -> dict[str, Any]:
    sessions = await connections_of(visit, None)
    kind = one_of(MailProtocol, protocol)
    found = [one for one in sessions or () if kind is None or one.protocol is kind]
    if q:
        named = await accounts.listed(visit.ports, visit.actor, AccountFilter(search=q), limit=_MOST_NAMED)
        ids, sought = {one.id for one in named}, q.casefold()
        found = [one for one in found if one.account_id in ids or sought in f"{one.address} {one.client}".casefold()]
    shown = [await _with_names(visit, one) for one in found[:_SHOWN]]
    return {"shown": shown, "number": len(found), "is_known": sessions is not None}


async def _with_names(visit: ConsoleVisit, session: LiveSession) -> tuple[LiveSession, Account, AppPassword | None]:
    account = await accounts.find(visit.ports, visit.actor, session.account_id)
    if session.credential_id is None:
        return session, account, None
    return session, account, await app_passwords.get(visit.ports, visit.actor, session.credential_id)
