"""Changing an account: its aliases, its owners, what its app passwords may be given at most."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import AccountKind
from valetkey.core.errors import InvalidInput, NotFound
from valetkey.core.scope import Permission
from valetkey.doors.web.console.account import PAGE
from valetkey.doors.web.console.accounts import LIST
from valetkey.doors.web.console.acting import PROVE, act
from valetkey.doors.web.console.asking import one_of
from valetkey.doors.web.console.gate import ConsoleVisit, ToChangeAccounts
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, SendTo
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts

T = TypeVar("T")

router = APIRouter()
_CHANGE = f"{PAGE}/change"


@router.api_route(_CHANGE, methods=LOOK)
async def ask(visit: ToChangeAccounts, account_id: str) -> Response:
    """Show the names, owners and rights of an account, to be changed."""
    visit.need_recent_proof()
    return await _page(visit, account_id)


@router.post(f"{_CHANGE}/add-alias")
async def add_alias(visit: ToChangeAccounts, account_id: str) -> Response:
    """Add an alias."""
    alias = visit.form.one("address")

    async def do(here: ConsoleVisit) -> Response:
        await accounts.add_alias(here.ports, here.actor, account_id, alias)
        return see_other_with(f"{LIST}/{account_id}/change", "alias-added")

    return await act(visit, do, _asking_again(account_id))


@router.post(f"{_CHANGE}/remove-alias")
async def remove_alias(visit: ToChangeAccounts, account_id: str) -> Response:
    """Remove an alias."""
    alias = visit.form.one("alias")

    async def do(here: ConsoleVisit) -> Response:
        await _there(accounts.remove_alias(here.ports, here.actor, account_id, alias))
        return see_other_with(f"{LIST}/{account_id}/change", "alias-removed")

    return await act(visit, do, _asking_again(account_id))


@router.post(f"{_CHANGE}/add-owner")
async def add_owner(visit: ToChangeAccounts, account_id: str) -> Response:
    """Let a person manage a shared account."""
    address = visit.form.one("owner")

    async def do(here: ConsoleVisit) -> Response:
        owner = await _there(accounts.find(here.ports, here.actor, address), "owner")
        await accounts.add_owner(here.ports, here.actor, account_id, owner.id)
        return see_other_with(f"{LIST}/{account_id}/change", "owner-added")

    return await act(visit, do, _asking_again(account_id))


@router.post(f"{_CHANGE}/remove-owner")
async def remove_owner(visit: ToChangeAccounts, account_id: str) -> Response:
    """Take the management of a shared account from a person."""
    owner = visit.form.one("owner")

    async def do(here: ConsoleVisit) -> Response:
        await _there(accounts.remove_owner(here.ports, here.actor, account_id, owner))
        return see_other_with(f"{LIST}/{account_id}/change", "owner-removed")

    return await act(visit, do, _asking_again(account_id))


@router.post(f"{_CHANGE}/rights")
async def set_rights(visit: ToChangeAccounts, account_id: str) -> Response:
    """Set what its app passwords may be given at most."""
    rights = frozenset(filter(None, (one_of(Permission, text) for text in visit.form.many("rights"))))

    async def do(here: ConsoleVisit) -> Response:
        closed = await accounts.set_rights(here.ports, here.actor, account_id, rights)
        return see_other_with(f"{LIST}/{account_id}/change", "narrowed", closed)

    return await act(visit, do, _asking_again(account_id))


async def _there(work: Awaitable[T], field: str = "") -> T:
    """Say in the form that something is not there: the page itself is."""
    try:
        return await work
    except NotFound as none:
        raise InvalidInput(field, none.sentence) from None


def _asking_again(account_id: str) -> Callable[[ConsoleVisit, Errors], Awaitable[Response]]:
    async def again(visit: ConsoleVisit, errors: Errors) -> Response:
        if PROVE in errors:  # there are several forms on this page, so it is proven on its own page
            raise SendTo(f"/prove?next={LIST}/{account_id}/change")
        return await _page(visit, account_id, errors)

    return again


async def _page(visit: ConsoleVisit, account_id: str, errors: Errors | None = None) -> Response:
    details = await accounts.details(visit.ports, visit.actor, account_id)
    return visit.page(
        "account_change.html",
        errors=errors,
        details=details,
        account=details.account,
        is_shared=details.account.kind is AccountKind.SHARED,
        rights=[(one.value, name, aside) for one, (name, aside) in visit.words.PERMISSIONS.items()],
    )
