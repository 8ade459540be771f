"""One account: how it is protected, what opens it, what happened, and what can be done about it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import AccountKind
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Refused, Unavailable
from valetkey.core.role import Action, Role
from valetkey.core.sentence import say
from valetkey.doors.web.console import naming
from valetkey.doors.web.console.accounts import LIST, invited_page
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.asking import one_of
from valetkey.doors.web.console.gate import (
    ConsoleVisit,
    ToDisableAccounts,
    ToInvite,
    ToResetSecondFactors,
    ToRevokeAppPasswords,
    ToSeeAccounts,
    ToSetRoles,
)
from valetkey.doors.web.console.recoveries import recovery_of
from valetkey.doors.web.effective import effective
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.happenings import Happening, by_day
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, api_tokens, app_passwords, history, invitations, live, proposals
from valetkey.service.accounts import AccountDetails
from valetkey.service.ports import LiveSession

router = APIRouter()
PAGE = f"{LIST}/{{account_id}}"
_HAPPENINGS = 12
_SHOWN = 10  # app passwords, and connections
_REVOKED_BY = "Revoked by an administrator"  # kept in the record; translated where it is shown

Show = Callable[[ConsoleVisit, Errors | None], Awaitable[Response]]


@router.api_route(PAGE, methods=LOOK)
async def show(visit: ToSeeAccounts, account_id: str) -> Response:
    """Show one account."""
    details = await accounts.details(visit.ports, visit.actor, account_id)
    found = await history.of_account(visit.ports, visit.actor, account_id, limit=_HAPPENINGS)
    sessions = await connections_of(visit, account_id)
    tokens = await api_tokens.of_account(visit.ports, visit.actor, account_id) if visit.may(Action.SEE_TOKENS) else ()
    return visit.page(
        "account.html",
        details=details,
        account=details.account,
        app_passwords=await _live_app_passwords(visit, account_id),
        shown=_SHOWN,
        sessions=sessions,
        connections=Counter(session.credential_id for session in sessions or ()),
        tokens=tokens,
        days=in_console(by_day(visit, found)),
        is_self=details.account.id == visit.account.id,
        is_set_up=is_set_up(details),
        recovery=await recovery_of(visit, details.account),
        may_act=details.account.role is None or visit.role is Role.ADMIN,
    )


def in_console(days: dict[str, list[Happening]]) -> dict[str, list[Happening]]:
    """Have the lines of a history lead to pages of the console."""
    return {
        day: [replace(one, link=f"/console{one.link}" if one.link else "") for one in lines]
        for day, lines in days.items()
    }


def is_set_up(details: AccountDetails) -> bool:
    """Tell whether somebody can sign in already, so that an invitation takes two administrators."""
    return details.has_main_password or details.account.has_second_factor


async def connections_of(visit: ConsoleVisit, account_id: str | None) -> tuple[LiveSession, ...] | None:
    """Give the open connections of an account or of all, the newest first; None if it cannot be told now."""
    try:
        found = await live.survey(visit.ports, visit.actor, account_id)
    except Unavailable:  # the mail side does not answer; revoking works without it
        return None
    sessions = tuple(sorted(found.sessions, key=lambda one: one.opened_at, reverse=True))
    return None if found.silent and not sessions else sessions


async def _live_app_passwords(visit: ConsoleVisit, account_id: str) -> tuple[AppPassword, ...]:
    found = await app_passwords.of_account(visit.ports, visit.actor, account_id, live_only=True)
    return tuple(effective(one, visit.ports.policy) for one in found)


@router.api_route(f"{PAGE}/invite", methods=LOOK)
async def ask_invite(visit: ToInvite, account_id: str) -> Response:
    """Ask before somebody is invited; again takes two administrators."""
    return await _asker("account_invite.html", account_id)(visit, None)


@router.post(f"{PAGE}/invite")
async def invite(visit: ToInvite, account_id: str) -> Response:
    """Make the one-time link, or propose it."""
    reason = visit.form.one("reason")

    async def do(here: ConsoleVisit) -> Response:
        details = await accounts.details(here.ports, here.actor, account_id)
        if is_set_up(details):
            proposal = await proposals.propose_reinvite(here.ports, here.actor, account_id, reason)
            return see_other_with(f"/console/proposals/{proposal.id}", "proposed")
        return invited_page(here, details.account, await invitations.invite(here.ports, here.actor, account_id))

    return await act(visit, do, _asker("account_invite.html", account_id, reason=reason))


@router.api_route(f"{PAGE}/disable", methods=LOOK)
async def ask_disable(visit: ToDisableAccounts, account_id: str) -> Response:
    """Say what disabling will stop, and ask."""
    return await _asker("account_disable.html", account_id)(visit, None)


@router.post(f"{PAGE}/disable")
async def disable(visit: ToDisableAccounts, account_id: str) -> Response:
    """Disable it, or enable it again."""
    enables = visit.form.has("enable")

    async def do(here: ConsoleVisit) -> Response:
        if enables:
            await accounts.enable(here.ports, here.actor, account_id)
            return see_other_with(f"{LIST}/{account_id}", "account-enabled")
        closed = await accounts.disable(here.ports, here.actor, account_id)
        return see_other_with(f"{LIST}/{account_id}", "account-disabled", closed)

    return await act(visit, do, _asker("account_disable.html", account_id))


@router.api_route(f"{PAGE}/role", methods=LOOK)
async def ask_role(visit: ToSetRoles, account_id: str) -> Response:
    """Ask for the role in the console."""
    return await _asker("account_role.html", account_id, roles=_roles(), chosen=None)(visit, None)


@router.post(f"{PAGE}/role")
async def set_role(visit: ToSetRoles, account_id: str) -> Response:
    """Set the role, or take it away."""
    chosen = visit.form.one("role", 20)

    async def do(here: ConsoleVisit) -> Response:
        role = one_of(Role, chosen)
        if role is None and chosen:
            raise Refused("Choose one of the roles.")
        await accounts.set_role(here.ports, here.actor, account_id, role)
        return see_other_with(f"{LIST}/{account_id}", "role-set")

    return await act(visit, do, _asker("account_role.html", account_id, roles=_roles(), chosen=chosen))


def _roles() -> list[tuple[str, object, object]]:
    none = ("", say("No role"), say("Nothing in the console; this is what most people have"))
    return [none, *((role.value, name, what) for role, (name, what) in naming.ROLES.items())]


@router.api_route(f"{PAGE}/reset-second-factors", methods=LOOK)
async def ask_reset(visit: ToResetSecondFactors, account_id: str) -> Response:
    """Ask why somebody's second factors shall be taken away."""
    return await _asker("account_reset.html", account_id)(visit, None)


@router.post(f"{PAGE}/reset-second-factors")
async def reset(visit: ToResetSecondFactors, account_id: str) -> Response:
    """Propose it to a second administrator."""
    reason = visit.form.one("reason")

    async def do(here: ConsoleVisit) -> Response:
        proposal = await proposals.propose_reset(here.ports, here.actor, account_id, reason)
        return see_other_with(f"/console/proposals/{proposal.id}", "proposed")

    return await act(visit, do, _asker("account_reset.html", account_id, reason=reason))


@router.api_route(f"{PAGE}/revoke-all", methods=LOOK)
async def ask_revoke_all(visit: ToRevokeAppPasswords, account_id: str) -> Response:
    """Say how much stops when every app password of the account is revoked, and ask."""
    return await _asker("account_revoke_all.html", account_id)(visit, None)


@router.post(f"{PAGE}/revoke-all")
async def revoke_all(visit: ToRevokeAppPasswords, account_id: str) -> Response:
    """Revoke every app password of the account."""

    async def do(here: ConsoleVisit) -> Response:
        revoked = await app_passwords.revoke_all(here.ports, here.actor, account_id, _REVOKED_BY)
        return see_other_with(f"{LIST}/{account_id}", "revoked-many", len(revoked.app_passwords))

    return await act(visit, do, _asker("account_revoke_all.html", account_id))


def _asker(template: str, account_id: str, **typed: Any) -> Show:
    """Give what shows a question about an account, with what is wrong with the answer."""

    async def show_question(visit: ConsoleVisit, errors: Errors | None) -> Response:
        details = await accounts.details(visit.ports, visit.actor, account_id)
        sessions = await connections_of(visit, account_id)
        return visit.page(
            template,
            errors=errors,
            details=details,
            account=details.account,
            app_passwords=await _live_app_passwords(visit, account_id),
            sessions=sessions,
            is_set_up=is_set_up(details),
            is_person=details.account.kind is AccountKind.PERSON,
            **{"reason": "", **typed},
        )

    return show_question
