"""The open mail connections of one's own and of shared accounts: see them as they come and go, close one."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import NotFound, Unavailable
from valetkey.doors.web.fragments import fragment
from valetkey.doors.web.gate import LOOK, SignedInVisit, Visit
from valetkey.doors.web.live import Update, events
from valetkey.doors.web.notices import see_other_with
from valetkey.service import app_passwords, live
from valetkey.service.live import OwnConnections
from valetkey.service.ports import LiveSession

router = APIRouter()
_LOOK_EVERY = 2.0  # seconds
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Group:
    """The connections that one app password opened."""

    account: Account
    app_password: AppPassword | None  # None: the main password
    sessions: tuple[LiveSession, ...]


@router.api_route("/connections", methods=LOOK)
async def show(visit: SignedInVisit) -> Response:
    """List the open connections."""
    return visit.page("connections.html", **await _open_now(visit))


@router.api_route("/connections/live", methods=LOOK)
async def follow(visit: SignedInVisit) -> Response:
    """Send the list anew when connections come and go."""

    async def look() -> Update:
        return Update(fragment(visit, "_connections.html", **await _open_now(visit)))

    return events(visit, look, every=_LOOK_EVERY)


@router.post("/connections/{session_id}/close")
async def close(visit: SignedInVisit, session_id: str) -> Response:
    """Close one connection."""
    if not await live.close(visit.ports, visit.actor, session_id):
        raise NotFound("There is no such open connection.")
    back = visit.form.one("back", 64)
    is_of_one = back.startswith("ap_") and back.replace("_", "").isalnum()
    return see_other_with(f"/app-passwords/{back}" if is_of_one else "/connections", "closed", 1)


async def _open_now(visit: Visit) -> dict[str, Any]:
    try:
        found = await live.of_own(visit.ports, visit.actor)
    except Unavailable:  # of the mail side; the store was just asked and would fail again below
        found = OwnConnections((), (), is_complete=False)
    return {
        "groups": await _groups(visit, found),
        "number": len(found.sessions),
        "is_complete": found.is_complete,
        "has_shared": len(found.accounts) > 1,
        "left_out": max(0, len(found.sessions) - _SHOWN),
    }


async def _groups(visit: Visit, found: OwnConnections) -> list[Group]:
    """Put the connections under the app passwords that opened them, the one that was opened last first."""
    accounts = {account.id: account for account in found.accounts}
    by_secret: dict[tuple[str, str | None], list[LiveSession]] = {}
    for session in found.sessions[:_SHOWN]:
        by_secret.setdefault((session.account_id, session.credential_id), []).append(session)
    known: dict[str, AppPassword] = {}
    for account_id in {account_id for account_id, _ in by_secret}:
        for one in await app_passwords.of_account(visit.ports, visit.actor, account_id):
            known[one.id] = one
    return [
        Group(accounts[account_id], known.get(credential_id or ""), tuple(sessions))
        for (account_id, credential_id), sessions in by_secret.items()
    ]
