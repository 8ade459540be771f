"""Making a proposal within a verb's own transaction."""

from datetime import datetime
from typing import Any

from valetkey.core.errors import InvalidInput, NotAllowed, Refused
from valetkey.core.event import InvitationUsed, Invited, ProposalMade, RoleSet
from valetkey.core.proposal import LASTS, MAX_REASON, NEW_ADMINISTRATOR, Proposal, ProposalKind
from valetkey.core.sentence import say
from valetkey.service.ports import OPERATOR, Actor, Ports, Reader, Writer
from valetkey.service.store_parts import AuditFilter

MAX_OPEN = 50

_ALONE = say(
    "This needs a second administrator, and there is no other one. Make one first, or use the command line on the server."
)
_NEW = say("You have got your role, or used an invitation, within the last 24 hours. Somebody else must propose this.")


def propose_in(
    ports: Ports,
    writer: Writer,
    actor: Actor,
    kind: ProposalKind,
    *,
    reason: str,
    facts: dict[str, Any],
    account_id: str | None,
    now: datetime,
) -> Proposal:
    """Keep a proposal, with its record. The caller has made sure that the actor may propose it.

    Raises:
        InvalidInput: No reason, or one that cannot be shown.
        NotAllowed: Neither a person nor a person's token.
        Refused: Nobody else could countersign it, too many are open, or the actor got the role or came in lately: else
            one administrator would make the proposer and countersign.
    """
    # Never the token's id: its owner must not countersign what it has proposed.
    if actor.account_id is None:
        raise NotAllowed("Only a person can propose this.")
    if has_new_role(writer, actor.account_id, now) or is_newly_invited(writer, actor.account_id, now):
        raise Refused(_NEW)
    if not others_who_could_countersign(writer, actor.account_id):
        raise Refused(_ALONE)
    if len(writer.proposals(open_only=True, limit=MAX_OPEN)) >= MAX_OPEN:
        raise Refused("{most} proposals are open. Decide some of them first.", most=MAX_OPEN)
    proposal = Proposal(
        id=ports.entropy.new_id("pr"),
        kind=kind,
        account_id=account_id,
        facts=facts,
        reason=_reason(reason),
        proposed_by=actor.account_id,
        proposed_at=now,
        expires_at=now + LASTS,
    )
    writer.add_proposal(proposal)
    made = ProposalMade(proposal.id, kind.value, proposal.reason)
    writer.record(made, actor=actor, at=now, account_id=account_id)
    return proposal


def others_who_could_countersign(reader: Reader, account_id: str) -> int:
    """Count the administrators who are not this one and can act."""
    return sum(each.id != account_id and each.has_second_factor for each in reader.administrators())


def has_new_role(reader: Reader, account_id: str, now: datetime) -> bool:
    """Tell whether somebody got the role in the console lately: else one administrator makes the second alone."""
    wanted = AuditFilter(account_id=account_id, kinds=(RoleSet.__name__,), since=now - NEW_ADMINISTRATOR)
    return any(record.actor != OPERATOR.name for record in reader.audit_where(wanted))


def is_newly_invited(reader: Reader, account_id: str, now: datetime) -> bool:
    """Tell whether somebody came in lately by a link of the console: whoever made the link may have used it."""
    used = AuditFilter(account_id=account_id, kinds=(InvitationUsed.__name__,), since=now - NEW_ADMINISTRATOR)
    made = AuditFilter(account_id=account_id, kinds=(Invited.__name__,))
    return any(
        link.actor != OPERATOR.name
        for use in reader.audit_where(used)
        for link in reader.audit_where(made, before=use.number, limit=1)
    )


def _reason(typed: str) -> str:
    reason = " ".join(typed.split())
    if not reason:
        raise InvalidInput("reason", "Say why, for the administrator who countersigns it.")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise InvalidInput(
            "reason", "Give a reason of {most} characters at most, in letters that can be shown.", most=MAX_REASON
        )
    return reason
