"""The list of app passwords, one of them in detail, and revoking."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict, NotFound, Unavailable
from valetkey.core.sentence import say
from valetkey.doors.web.gate import LOOK, SignedInVisit, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, app_passwords, live
from valetkey.service.ports import LiveSession

router = APIRouter()
_REASONS = (say("No longer used"), say("Device lost or stolen"), say("Used by somebody else"), say("Other"))


@dataclass(frozen=True, slots=True)
class Whose:
    """The account whose app passwords a page shows, among all that the visitor may manage."""

    account: Account
    choices: tuple[Account, ...]  # one's own first

    @property
    def query(self) -> str:
        """What links within this account carry."""
        return "" if self.account == self.choices[0] else f"?account={self.account.id}"


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
    """List the app passwords of one account."""
    shown = await whose(visit, account)
    everyone = await app_passwords.of_account(visit.ports, visit.actor, shown.account.id)
    newest_first = sorted(everyone, key=lambda one: (one.created_at, one.description), reverse=True)
    open_now = await _connections(visit, shown)
    return visit.page(
        "app_passwords.html",
        whose=shown,
        alive=[credential for credential in newest_first if credential.is_live],
        past=[credential for credential in newest_first if not credential.is_live],
        connections=[session.credential_id for session in open_now],
    )


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
    return see_other_with(f"/{shown.query}", "revoked-all", sum(one.closed for one in revoked))


@router.api_route("/app-passwords/{credential_id}", methods=LOOK)
async def show(visit: SignedInVisit, credential_id: str) -> Response:
    """Show one app password in detail."""
    credential, shown = await one_of(visit, credential_id)
    open_now = await _connections(visit, shown)
    connections = [session for session in open_now if session.credential_id == credential.id]
    return visit.page("app_password.html", credential=credential, whose=shown, connections=connections)


@router.api_route("/app-passwords/{credential_id}/revoke", methods=LOOK)
async def ask_revoke(visit: SignedInVisit, credential_id: str) -> Response:
    """Ask before an app password is revoked."""
    credential, shown = await one_of(visit, credential_id)
    return visit.page("revoke.html", credential=credential, whose=shown, reasons=_REASONS)


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
