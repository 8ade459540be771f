"""Recoveries of lost second factors that are under way, and an end to one that its owner did not begin."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import Account
from valetkey.core.errors import NotFound
from valetkey.core.recovery import Phase, phase_at
from valetkey.doors.web.console.accounts import LIST as ACCOUNTS
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.asking import link, place_from, place_of
from valetkey.doors.web.console.gate import ConsoleVisit, ToDisableAccounts, ToSeeAccounts
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, calling_off
from valetkey.service.store_parts import Recovery

router = APIRouter()
LIST = "/console/recoveries"
_CALL_OFF = f"{ACCOUNTS}/{{account_id}}/recovery"
_SHOWN = 50


@router.api_route(LIST, methods=LOOK)
async def show(visit: ToSeeAccounts, after: str = "") -> Response:
    """List the recoveries that are under way, the one that opens first before the others."""
    place = place_from(after)
    found = await calling_off.under_way(visit.ports, visit.actor, after=place, limit=_SHOWN + 1)
    shown = [
        (one, await accounts.find(visit.ports, visit.actor, one.account_id), is_open(visit, one))
        for one, _ in found[:_SHOWN]
    ]
    onward = place_of(shown[-1][0].opens_at, shown[-1][0].id) if len(found) > _SHOWN else ""
    return visit.page(
        "recoveries.html",
        found=shown,
        first=LIST if place else "",
        rest=link(LIST, after=onward) if onward else "",
    )


@router.api_route(_CALL_OFF, methods=LOOK)
async def ask(visit: ToDisableAccounts, account_id: str) -> Response:
    """Say what is under way, and ask before it is called off."""
    return await _question(visit, account_id)


@router.post(_CALL_OFF)
async def call_off(visit: ToDisableAccounts, account_id: str) -> Response:
    """Call it off; the second factors stay, and the owner is told."""

    async def do(here: ConsoleVisit) -> Response:
        await calling_off.cancel(here.ports, here.actor, account_id)
        return see_other_with(f"{ACCOUNTS}/{account_id}", "recovery-ended")

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        return await _question(here, account_id, errors)

    return await act(visit, do, again)


def is_open(visit: ConsoleVisit, recovery: Recovery) -> bool:
    """Tell whether its waiting time is over, so that it may be finished now."""
    return phase_at(visit.now, recovery.opens_at, recovery.closes_at) is Phase.OPEN


async def recovery_of(visit: ConsoleVisit, account: Account) -> Recovery | None:
    """Give the recovery of an account that is under way."""
    return await calling_off.of_account(visit.ports, visit.actor, account.id)


async def _question(visit: ConsoleVisit, account_id: str, errors: Errors | None = None) -> Response:
    account = await accounts.find(visit.ports, visit.actor, account_id)
    recovery = await recovery_of(visit, account)
    if recovery is None:
        raise NotFound("No recovery of this account is under way.")
    return visit.page(
        "recovery.html", errors=errors, account=account, recovery=recovery, is_open=is_open(visit, recovery)
    )
