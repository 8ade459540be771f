"""The list of app passwords, and revoking."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict, NotFound, Unavailable
from valetkey.core.sentence import say
from valetkey.doors.web.effective import effective
from valetkey.doors.web.fragments import fragment
from valetkey.doors.web.gate import LOOK, SignedInVisit, Visit
from valetkey.doors.web.happenings import by_whom
from valetkey.doors.web.listing import FILTERS, SORTS, read_listing
from valetkey.doors.web.live import Update, events
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, app_passwords, history, live
from valetkey.service.ports import LiveSession

router = APIRouter()
_LOOK_EVERY = 3.0  # seconds
_REASONS = (say("No longer used"), say("Device lost or stolen"), say("Used by somebody else"), say("Other"))


@dataclass(frozen=True, slots=True)
class Whose:
    """The account whose app passwords a page shows, among all that the visitor may manage."""

    account: Account
    choices: tuple[Account, ...]  # one's own first

    @property
    def query(self) -> str:
        """What links within this account carry."""
        return f"?account={self.id_if_shared}" if self.id_if_shared else ""

    @property
    def id_if_shared(self) -> str:
        """The id of a shared account, or "" for one's own."""
        return "" if self.account == self.choices[0] else self.account.id


async def whose(visit: Visit, account_id: str = "") -> Whose:
    """Find the account that a page is about: one's own, or a shared one that one owns.

    Raises:
        core.errors.NotFound: Neither.
    """
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    choices = (details.account, *details.owned)
    wanted = account_id or details.account.id
    account = next((choice for choice in choices if choice.id == wanted), None)
    if account is None:
        raise NotFound("There is no such account.")
    return Whose(account, choices)


@router.api_route("/", methods=LOOK)
async def show_list(visit: SignedInVisit, account: str = "") -> Response:
    """List the app passwords of one account, as its address asks."""
    shown = await whose(visit, account)
    return visit.page("app_passwords.html", whose=shown, **await _listed(visit, shown))


@router.api_route("/app-passwords/live", methods=LOOK)
async def follow_list(visit: SignedInVisit, account: str = "") -> Response:
    """Send the list anew when something in it changes."""
    shown = await whose(visit, account)

    async def look() -> Update:
        return Update(fragment(visit, "_app_passwords.html", whose=shown, **await _listed(visit, shown)))

    return events(visit, look, every=_LOOK_EVERY)


async def _listed(visit: Visit, shown: Whose) -> dict[str, Any]:
    listing = replace(read_listing(visit.request.query_params), account=shown.id_if_shared)
    found = await history.overview(visit.ports, visit.actor, shown.account.id)
    alive = sum(one.is_live for one in found.app_passwords)
    policy = visit.ports.policy
    return {
        "listing": listing,
        "filters": [(key, choice.title) for key, choice in FILTERS.items()],
        "sorts": tuple(SORTS.items()),
        "chosen": listing.chosen([effective(one, policy) for one in found.app_passwords], visit.now),
        "alive": alive,
        "past": len(found.app_passwords) - alive,
        "makers": {one.id: by_whom(visit, one.created_by, found.names) for one in found.app_passwords},
        "replaced": {one.rotated_from: one for one in found.app_passwords if one.rotated_from},
        "connections": Counter(session.credential_id for session in await _connections(visit, shown)),
    }


@router.api_route("/app-passwords/revoke-all", methods=LOOK)
async def ask_revoke_all(visit: SignedInVisit, account: str = "") -> Response:
    """Ask before every app password of an account is revoked."""
    shown = await whose(visit, account)
    alive = await app_passwords.of_account(visit.ports, visit.actor, shown.account.id, live_only=True)
    return visit.page("revoke_all.html", whose=shown, alive=alive)


@router.post("/app-passwords/revoke-all")
async def revoke_all(visit: SignedInVisit) -> Response:
    """Revoke every app password of an account."""
    shown = await whose(visit, visit.form.one("account"))
    revoked = await app_passwords.revoke_all(visit.ports, visit.actor, shown.account.id, "All revoked by the owner")
    return see_other_with(f"/{shown.query}", "revoked-all", revoked.closed)


@router.api_route("/app-passwords/{credential_id}/revoke", methods=LOOK)
async def ask_revoke(visit: SignedInVisit, credential_id: str) -> Response:
    """Ask before an app password is revoked."""
    credential, shown = await one_of(visit, credential_id)
    open_now = sum(session.credential_id == credential.id for session in await _connections(visit, shown))
    return visit.page("revoke.html", credential=credential, whose=shown, reasons=_REASONS, open=open_now)


@router.post("/app-passwords/{credential_id}/revoke")
async def revoke(visit: SignedInVisit, credential_id: str) -> Response:
    """Revoke an app password and say how many connections that closed. Never asks for a proof."""
    credential, shown = await one_of(visit, credential_id)
    if credential.revoked_at is not None:
        raise Conflict("This app password is revoked already.")
    reason = visit.form.one("reason")
    revoked = await app_passwords.revoke(
        visit.ports, visit.actor, credential_id, reason if reason in map(str, _REASONS) else ""
    )
    return see_other_with(f"/{shown.query}", "revoked", revoked.closed)


async def _connections(visit: Visit, shown: Whose) -> tuple[LiveSession, ...]:
    try:
        return await live.of_account(visit.ports, visit.actor, shown.account.id)
    except Unavailable:  # the mail side does not answer; the pages and revoking work without it
        return ()


async def one_of(visit: Visit, credential_id: str) -> tuple[AppPassword, Whose]:
    """Find an app password that the visitor may manage, and its account.

    Raises:
        core.errors.NotFound: There is none, or it is not the visitor's.
    """
    credential = await app_passwords.get(visit.ports, visit.actor, credential_id)
    return credential, await whose(visit, credential.account_id)
