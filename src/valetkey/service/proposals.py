"""Proposals: what takes effect only when a second administrator countersigns it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.errors import Conflict, NotAllowed, NotFound, PolicyForbids
from valetkey.core.event import ProposalDecided, SecondFactorReset
from valetkey.core.notice import NoticeKind
from valetkey.core.proposal import Proposal, ProposalKind, ProposalState
from valetkey.core.role import Action, Role
from valetkey.core.sentence import Sentence, say
from valetkey.service import api_tokens, factors
from valetkey.service.authority import own_account, require, require_over, require_recent_proof
from valetkey.service.closing import NOTHING, Closed, ask_all, close_what_fails
from valetkey.service.invitations import Invitation, invite_countersigned
from valetkey.service.notices import tell
from valetkey.service.ports import SYSTEM, Actor, ActorKind, Ports, Reader, Writer
from valetkey.service.proposing import has_new_role, is_newly_invited, others_who_could_countersign, propose_in
from valetkey.service.saved_rules import apply_proposed_in

_NONE = say("There is no such proposal.")

# What the proposer must still be permitted when it is countersigned.
_PROPOSED_BY: dict[ProposalKind, Action] = {
    ProposalKind.LOWER_POLICY: Action.CHANGE_POLICY,
    ProposalKind.RESET_SECOND_FACTORS: Action.RESET_SECOND_FACTORS,
    ProposalKind.REINVITE: Action.INVITE,
    ProposalKind.EXPORT_EVERYTHING: Action.EXPORT_AUDIT,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the policy, or one named network, as a proposal would change it; None: it is not there."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ShownProposal:
    """A proposal with the people around it."""

    proposal: Proposal  # an open one that has run out is shown as lapsed
    account: Account | None  # whom it is about
    proposer: Account | None
    decider: Account | None
    differences: tuple[Difference, ...]
    may_countersign: bool  # by who looks
    why_not: Sentence | None  # why who looks may not
    other_administrators: int  # who could countersign it


@dataclass(frozen=True, slots=True)
class Countersigned:
    """What came of a countersigned proposal."""

    proposal: Proposal
    closed: Closed = NOTHING  # mail connections
    invitation: Invitation | None = None  # its link is shown once, to who countersigned


async def listed(
    ports: Ports,
    actor: Actor,
    *,
    open_only: bool = True,
    after: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> tuple[tuple[ShownProposal, ...], tuple[datetime, str] | None]:
    """List proposals, newest first, behind (proposed_at, id), for everybody with a role.

    Returns:
        `limit` of them at most, and behind which one more follow; None: there are no more. One that has lapsed a moment
        ago is open to nobody, and left out with those that are decided.

    Raises:
        NotAllowed: The role or the token does not permit `Action.SEE_POLICY`.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[tuple[ShownProposal, ...], tuple[datetime, str] | None]:
        require(reader, actor, Action.SEE_POLICY, now)
        part = reader.proposals(open_only=open_only, after=after, limit=limit + 1)
        onward = (part[limit - 1].proposed_at, part[limit - 1].id) if len(part) > limit else None
        found = (_shown(reader, actor, each, now) for each in part[:limit])
        shown = (each for each in found if not open_only or each.proposal.state is ProposalState.OPEN)
        return tuple(shown), onward

    return await ports.store.read(look)


async def find(ports: Ports, actor: Actor, proposal_id: str) -> ShownProposal:
    """Give one proposal, for everybody with a role.

    Raises:
        NotFound: No such proposal.
        NotAllowed: The role or the token does not permit `Action.SEE_POLICY`.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> ShownProposal:
        require(reader, actor, Action.SEE_POLICY, now)
        return _shown(reader, actor, _existing(reader, proposal_id), now)

    return await ports.store.read(look)


async def propose_reset(ports: Ports, actor: Actor, account_id: str, reason: str) -> Proposal:
    """Propose to take all second factors from a person, by `Action.RESET_SECOND_FACTORS`.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such account.
        NotAllowed: The role or the token does not permit it, or not on this account.
        InvalidInput: No reason.
        Conflict: There is nothing to reset, or it is proposed already.
        Refused: There is no second administrator.
        Unavailable: The store failed.
    """

    def check(_: Writer, account: Account) -> None:
        if not account.has_second_factor:
            raise Conflict("This person has no second factor.")

    return await _propose_about(ports, actor, ProposalKind.RESET_SECOND_FACTORS, account_id, reason=reason, check=check)


async def propose_reinvite(ports: Ports, actor: Actor, account_id: str, reason: str) -> Proposal:
    """Propose to invite somebody again who is set up already, by `Action.INVITE`. Raises as `propose_reset`."""

    def check(writer: Writer, account: Account) -> None:
        if account.kind is not AccountKind.PERSON or account.state is not AccountState.ACTIVE:
            raise Conflict("Only an active person can be invited.")
        if writer.main_password(account.id) is None and not account.has_second_factor:
            raise Conflict("This person can be invited without a second administrator.")

    return await _propose_about(ports, actor, ProposalKind.REINVITE, account_id, reason=reason, check=check)


async def propose_export(ports: Ports, actor: Actor, reason: str) -> Proposal:
    """Propose to export everything, by `Action.EXPORT_AUDIT`. Raises as `propose_reset`."""
    now = ports.clock.now()
    require_recent_proof(actor, now)
    kind = ProposalKind.EXPORT_EVERYTHING

    def work(writer: Writer) -> Proposal:
        require(writer, actor, _PROPOSED_BY[kind], now)
        _require_new(writer, kind, None, now)
        return propose_in(ports, writer, actor, kind, reason=reason, facts={}, account_id=None, now=now)

    return await ports.store.write(work)


async def countersign(ports: Ports, actor: Actor, proposal_id: str) -> Countersigned:
    """Countersign somebody else's proposal: it takes effect in the same transaction. Never by a token.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such proposal.
        NotAllowed: Not an administrator in person, one's own proposal, or about oneself.
        Conflict: It is decided or has lapsed, its proposer may no longer propose it, or things have changed since.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def work(writer: Writer) -> Countersigned:
        proposal = _open(_existing(writer, proposal_id), now)
        _require_may_countersign(writer, actor, proposal, now)
        _require_still_proposed(writer, proposal, now)
        decided = _decide(writer, actor, proposal, ProposalState.COUNTERSIGNED, now)
        return Countersigned(decided, invitation=_take_effect(ports, writer, actor, proposal, now))

    done = await ports.store.write(work)
    changes_rules = done.proposal.kind is ProposalKind.LOWER_POLICY
    return replace(done, closed=await close_what_fails(ports, None)) if changes_rules else done


async def decline(ports: Ports, actor: Actor, proposal_id: str) -> Proposal:
    """Decline a proposal, by `Action.COUNTERSIGN`; no proof is asked for.

    Raises:
        NotFound: No such proposal.
        NotAllowed: Not an administrator in person.
        Conflict: It is decided or has lapsed.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def work(writer: Writer) -> Proposal:
        require(writer, actor, Action.COUNTERSIGN, now)
        return _decide(writer, actor, _open(_existing(writer, proposal_id), now), ProposalState.DECLINED, now)

    return await ports.store.write(work)


async def withdraw(ports: Ports, actor: Actor, proposal_id: str) -> Proposal:
    """Withdraw one's own proposal.

    Raises:
        NotFound: No such proposal of one's own.
        NotAllowed: The token does not permit what was proposed.
        Conflict: It is decided or has lapsed.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def work(writer: Writer) -> Proposal:
        proposal = _existing(writer, proposal_id)
        if own_account(writer, actor, now).id != proposal.proposed_by:
            raise NotFound(_NONE)
        require(writer, actor, _PROPOSED_BY[proposal.kind], now)
        return _decide(writer, actor, _open(proposal, now), ProposalState.WITHDRAWN, now)

    return await ports.store.write(work)


def lapse_in(writer: Writer, now: datetime) -> int:
    """Let open proposals lapse whose time is over, each with its record; give how many."""
    over = [each for each in writer.proposals(open_only=True) if now >= each.expires_at]
    for proposal in over:
        _decide(writer, SYSTEM, proposal, ProposalState.LAPSED, now)
    return len(over)


async def _propose_about(
    ports: Ports,
    actor: Actor,
    kind: ProposalKind,
    account_id: str,
    *,
    reason: str,
    check: Callable[[Writer, Account], None],
) -> Proposal:
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def work(writer: Writer) -> Proposal:
        action = _PROPOSED_BY[kind]
        require(writer, actor, action, now)
        account = writer.account(account_id) if account_id.isascii() else None
        if account is None:
            raise NotFound("There is no such account.")
        require_over(writer, actor, action, account, now)
        check(writer, account)
        _require_new(writer, kind, account_id, now)
        return propose_in(ports, writer, actor, kind, reason=reason, facts={}, account_id=account_id, now=now)

    return await ports.store.write(work)


def _require_new(reader: Reader, kind: ProposalKind, account_id: str | None, now: datetime) -> None:
    if reader.is_proposed(kind, account_id, now):
        raise Conflict("This is proposed already.")


def _existing(reader: Reader, proposal_id: str) -> Proposal:
    proposal = reader.proposal(proposal_id) if proposal_id.isascii() else None
    if proposal is None:
        raise NotFound(_NONE)
    return proposal


def _open(proposal: Proposal, now: datetime) -> Proposal:
    if proposal.state is not ProposalState.OPEN:
        raise Conflict("This proposal is decided already.")
    if now >= proposal.expires_at:
        raise Conflict("This proposal has lapsed. Propose it anew.")
    return proposal


def _require_may_countersign(reader: Reader, actor: Actor, proposal: Proposal, now: datetime) -> None:
    why = _why_not(reader, actor, proposal, now)
    if why is not None:
        raise NotAllowed(why)
    require(reader, actor, Action.COUNTERSIGN, now)


def _why_not(reader: Reader, actor: Actor, proposal: Proposal, now: datetime) -> Sentence | None:
    """Say why somebody cannot countersign a proposal, beside what the role permits; None if nothing speaks against it."""
    if actor.kind is not ActorKind.ACCOUNT:
        return say("Only an administrator in person can countersign.")
    if actor.account_id == proposal.proposed_by:
        return say("You have proposed this yourself. Another administrator must countersign it.")
    if actor.account_id == proposal.account_id:
        return say("This is about yourself. Another administrator must countersign it.")
    if own_account(reader, actor).role is not Role.ADMIN:
        return say("Only an administrator can countersign.")
    if has_new_role(reader, actor.account_id or "", now):
        return say("You have been made an administrator within the last 24 hours. Another one must countersign it.")
    if is_newly_invited(reader, actor.account_id or "", now):
        return say("You have used an invitation within the last 24 hours. Another administrator must countersign it.")
    return None


def _require_still_proposed(reader: Reader, proposal: Proposal, now: datetime) -> None:
    proposer, action = Actor(ActorKind.ACCOUNT, proposal.proposed_by), _PROPOSED_BY[proposal.kind]
    about = reader.account(proposal.account_id or "")
    try:
        require(reader, proposer, action, now)
        if about is not None:  # who may have got a role since
            require_over(reader, proposer, action, about, now)
    except (NotAllowed, PolicyForbids):
        raise Conflict("Who proposed this may no longer do so. Decline it.") from None


def _decide(writer: Writer, actor: Actor, proposal: Proposal, state: ProposalState, now: datetime) -> Proposal:
    # Never the token's id: two means two people.
    by = actor.account_id or actor.name
    if not writer.decide_proposal(proposal.id, state=state, by=by, at=now):
        raise Conflict("This proposal is decided already.")
    decided = ProposalDecided(proposal.id, proposal.kind.value, state.value)
    writer.record(decided, actor=actor, at=now, account_id=proposal.account_id)
    return replace(proposal, state=state, decided_by=by, decided_at=now)


def _take_effect(ports: Ports, writer: Writer, actor: Actor, proposal: Proposal, now: datetime) -> Invitation | None:
    account_id = proposal.account_id or ""
    match proposal.kind:
        case ProposalKind.LOWER_POLICY:
            apply_proposed_in(writer, actor, ports.rules.current(), proposal.facts, now)
            ask_all(ports, writer, now)
        case ProposalKind.RESET_SECOND_FACTORS:
            factors.take_all_away(writer, account_id, now)
            api_tokens.revoke_all_in(writer, actor, account_id, now)
            writer.record(SecondFactorReset(), actor=actor, at=now, account_id=account_id)
            tell(writer, account_id, NoticeKind.FACTORS_RESET, now)
        case ProposalKind.REINVITE:
            return invite_countersigned(ports, writer, actor, account_id, now)
        case ProposalKind.EXPORT_EVERYTHING:
            pass  # the proposer may download it now: service.exporting
    return None


def _shown(reader: Reader, actor: Actor, proposal: Proposal, now: datetime) -> ShownProposal:
    is_over = proposal.state is ProposalState.OPEN and now >= proposal.expires_at
    shown = replace(proposal, state=ProposalState.LAPSED) if is_over else proposal
    is_open = shown.state is ProposalState.OPEN
    why_not = _why_not(reader, actor, proposal, now) if is_open else None
    return ShownProposal(
        proposal=shown,
        account=reader.account(proposal.account_id or ""),
        proposer=reader.account(proposal.proposed_by),
        decider=reader.account(proposal.decided_by or ""),
        differences=_differences(proposal.facts),
        may_countersign=is_open and why_not is None,
        why_not=why_not,
        other_administrators=others_who_could_countersign(reader, proposal.proposed_by),
    )


def _differences(facts: dict[str, Any]) -> tuple[Difference, ...]:
    parts = [facts[part] for part in ("policy", "networks") if part in facts]
    return tuple(
        Difference(name, part["before"].get(name), part["after"].get(name))
        for part in parts
        for name in sorted(part["before"].keys() | part["after"].keys())
    )
