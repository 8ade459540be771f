"""Proposals: what one administrator wants and another must countersign."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.errors import Conflict, NotFound
from valetkey.core.proposal import ProposalKind
from valetkey.core.sentence import say
from valetkey.doors.http.long_answers import LongAnswer
from valetkey.doors.web.console.accounts import invited_page
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.asking import link, place_from, place_of
from valetkey.doors.web.console.gate import ConsoleVisit, ToCountersign, ToExportAudit, ToSeePolicy
from valetkey.doors.web.console.naming import POLICY, ConsoleWords
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, exporting, proposals
from valetkey.service.proposals import ShownProposal

router = APIRouter()
LIST = "/console/proposals"
_SHOWN = 40
_ONE = f"{LIST}/{{proposal_id}}"
_NOT_YOURS = say("Only who proposed it can withdraw it. You can decline it if you are an administrator.")


@router.api_route(LIST, methods=LOOK)
async def show_list(visit: ToSeePolicy, show: str = "", after: str = "") -> Response:
    """List what waits, or everything that was proposed, the newest first."""
    show, place = "all" if show == "all" else "", place_from(after)
    found, onward = await proposals.listed(visit.ports, visit.actor, open_only=not show, after=place, limit=_SHOWN)
    return visit.page(
        "proposals.html",
        found=found,
        is_all=bool(show),
        first=link(LIST, show=show) if place else "",
        rest=link(LIST, show=show, after=place_of(*onward)) if onward else "",
    )


@router.api_route(f"{LIST}/export", methods=LOOK)
async def ask_export(visit: ToExportAudit) -> Response:
    """Ask why everything shall be exported."""
    return visit.page("proposal_export.html", reason="")


@router.post(f"{LIST}/export")
async def propose_export(visit: ToExportAudit) -> Response:
    """Propose to export everything."""
    reason = visit.form.one("reason")

    async def do(here: ConsoleVisit) -> Response:
        proposal = await proposals.propose_export(here.ports, here.actor, reason)
        return see_other_with(f"{LIST}/{proposal.id}", "proposed")

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        return here.page("proposal_export.html", errors=errors, reason=reason)

    return await act(visit, do, again)


@router.api_route(_ONE, methods=LOOK)
async def show(visit: ToSeePolicy, proposal_id: str) -> Response:
    """Show one proposal in words."""
    return await _page(visit, proposal_id)


@router.post(f"{_ONE}/countersign")
async def countersign(visit: ToCountersign, proposal_id: str) -> Response:
    """Countersign it: it takes effect now."""

    async def do(here: ConsoleVisit) -> Response:
        done = await proposals.countersign(here.ports, here.actor, proposal_id)
        if done.invitation is not None and done.proposal.account_id is not None:
            account = await accounts.find(here.ports, here.actor, done.proposal.account_id)
            return invited_page(here, account, done.invitation)
        return see_other_with(f"{LIST}/{proposal_id}", "countersigned", done.closed)

    return await act(visit, do, _asking_again(proposal_id))


@router.post(f"{_ONE}/decline")
async def decline(visit: ToCountersign, proposal_id: str) -> Response:
    """Decline it: nothing changes."""

    async def do(here: ConsoleVisit) -> Response:
        await proposals.decline(here.ports, here.actor, proposal_id)
        return see_other_with(f"{LIST}/{proposal_id}", "declined")

    return await act(visit, do, _asking_again(proposal_id))


@router.post(f"{_ONE}/withdraw")
async def withdraw(visit: ToSeePolicy, proposal_id: str) -> Response:
    """Withdraw one's own proposal."""
    await proposals.find(visit.ports, visit.actor, proposal_id)

    async def do(here: ConsoleVisit) -> Response:
        try:
            await proposals.withdraw(here.ports, here.actor, proposal_id)
        except NotFound:
            raise Conflict(_NOT_YOURS) from None
        return see_other_with(f"{LIST}/{proposal_id}", "withdrawn")

    return await act(visit, do, _asking_again(proposal_id))


@router.post(f"{_ONE}/download")
async def download(visit: ToExportAudit, proposal_id: str) -> Response:
    """Give everything, once, to who proposed it, after it was countersigned."""
    await proposals.find(visit.ports, visit.actor, proposal_id)

    async def do(here: ConsoleVisit) -> Response:
        try:
            lines = await exporting.export_everything(here.ports, here.actor, proposal_id)
        except NotFound:
            raise Conflict("Only who proposed an export can download it.") from None
        headers = {"Content-Disposition": f'attachment; filename="valetkey-everything-{here.now:%Y-%m-%d}.jsonl"'}
        return LongAnswer(lines, media_type="application/jsonl; charset=utf-8", headers=headers)

    return await act(visit, do, _asking_again(proposal_id))


def _asking_again(proposal_id: str) -> Callable[[ConsoleVisit, Errors], Awaitable[Response]]:
    async def again(visit: ConsoleVisit, errors: Errors) -> Response:
        return await _page(visit, proposal_id, errors)

    return again


async def _page(visit: ConsoleVisit, proposal_id: str, errors: Errors | None = None) -> Response:
    shown = await proposals.find(visit.ports, visit.actor, proposal_id)
    proposal = shown.proposal
    is_own = proposal.proposed_by == visit.account.id
    return visit.page(
        "proposal.html",
        errors=errors,
        shown=shown,
        proposal=proposal,
        differences=_differences(visit, shown),
        is_own=is_own,
        is_fetchable=is_own and exporting.is_fetchable(proposal, visit.now),
        is_export=proposal.kind is ProposalKind.EXPORT_EVERYTHING,
    )


def _differences(visit: ConsoleVisit, shown: ShownProposal) -> list[tuple[str, ...]]:
    """Give the fields of the policy, or the networks, that a proposal changes: name, before, after."""
    named, none = ConsoleWords(visit.language), visit.words.said(say("not there"))
    found: list[tuple[str, ...]] = []
    for one in shown.differences:
        if one.name in POLICY:
            name = visit.words.said(POLICY[one.name][0])
            found.append((name, named.policy_value(one.name, one.before), named.policy_value(one.name, one.after)))
        else:
            found.append((one.name, *(", ".join(value) if value else none for value in (one.before, one.after))))
    return found
