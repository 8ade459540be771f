"""Other names for one's own passkeys and authenticators."""

from collections.abc import Awaitable

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import InvalidInput, NotFound
from valetkey.core.passkey import Passkey
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, passkeys, second_factors
from valetkey.service.ports import Totp

router = APIRouter()


@router.api_route("/account/passkeys/{passkey_id}/rename", methods=LOOK)
async def ask_passkey_name(visit: FullVisit, passkey_id: str) -> Response:
    """Ask for another name of a passkey."""
    return await _page(visit, passkey_id)


@router.post("/account/passkeys/{passkey_id}/rename")
async def rename_passkey(visit: FullVisit, passkey_id: str) -> Response:
    """Give a passkey another name."""
    typed = visit.form.one("name", 200)
    return await _renamed(visit, passkey_id, passkeys.rename(visit.ports, visit.actor, passkey_id, typed))


@router.api_route("/account/authenticators/{totp_id}/rename", methods=LOOK)
async def ask_authenticator_name(visit: FullVisit, totp_id: str) -> Response:
    """Ask for another name of an authenticator."""
    return await _page(visit, totp_id)


@router.post("/account/authenticators/{totp_id}/rename")
async def rename_authenticator(visit: FullVisit, totp_id: str) -> Response:
    """Give an authenticator another name."""
    typed = visit.form.one("name", 200)
    return await _renamed(visit, totp_id, second_factors.rename_totp(visit.ports, visit.actor, totp_id, typed))


async def _renamed(visit: Visit, factor_id: str, renaming: Awaitable[None]) -> Response:
    try:
        await renaming
    except InvalidInput as refusal:
        return await _page(visit, factor_id, Errors({"name": refusal.sentence}))
    return see_other_with("/account", "factor-renamed")


async def _page(visit: Visit, factor_id: str, errors: Errors | None = None) -> Response:
    details = await accounts.details(visit.ports, visit.actor, visit.account.id)
    factors: tuple[Passkey | Totp, ...] = (*details.passkeys, *details.totps)
    found = next((one for one in factors if one.id == factor_id), None)
    if found is None:
        raise NotFound("There is no such second factor.")
    typed = visit.form.one("name", 200) if errors else found.name
    return visit.page("factor_rename.html", errors=errors, factor=found, name=typed)
