"""Records that leave the house: the audit log, and everything."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any

from valetkey.core.account import Account
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict, NotFound
from valetkey.core.event import Exported, to_facts
from valetkey.core.limits import limit_facts
from valetkey.core.network import network_facts
from valetkey.core.policy import policy_facts
from valetkey.core.proposal import EXPORT_LASTS, Proposal, ProposalKind, ProposalState
from valetkey.core.role import Action
from valetkey.service.authority import own_account, require, require_recent_proof
from valetkey.service.ports import Actor, AuditRecord, Ports, Reader, Writer
from valetkey.service.store_parts import AccountFilter, AuditFilter

_PART = 500

_Place = tuple[datetime, str]  # of one in a list that is sorted by time and id
_FETCHED = "fetched_at"  # among the facts of a proposal


async def export_audit(ports: Ports, actor: Actor, wanted: AuditFilter) -> AsyncIterator[tuple[AuditRecord, ...]]:
    """Give the audit records that a filter lets pass, in parts, newest first, by `Action.EXPORT_AUDIT`.

    That they are exported is recorded before the first part; what comes after that is not among them.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed; while the parts are read, too.
    """
    now = ports.clock.now()

    def begin(writer: Writer) -> int:
        require(writer, actor, Action.EXPORT_AUDIT, now)
        count = writer.audit_count(wanted)
        return writer.record(Exported("audit log", count), actor=actor, at=now, account_id=None)

    return _audit_parts(ports, wanted, await ports.store.write(begin))


async def _audit_parts(ports: Ports, wanted: AuditFilter, before: int) -> AsyncIterator[tuple[AuditRecord, ...]]:
    while True:
        part = await ports.store.read(partial(_audit_part, wanted=wanted, before=before))
        if part:
            yield part
            before = part[-1].number
        if len(part) < _PART:
            return


def _audit_part(reader: Reader, *, wanted: AuditFilter, before: int) -> tuple[AuditRecord, ...]:
    return reader.audit_where(wanted, before=before, limit=_PART)


async def export_everything(ports: Ports, actor: Actor, proposal_id: str) -> AsyncIterator[str]:
    """Give all that is kept except secrets, as JSON lines, once a second administrator has countersigned it.

    Only who proposed it, within an hour, and once: an export that breaks off is proposed anew.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such proposal of one's own.
        NotAllowed: The role does not permit it any more.
        Conflict: It is not countersigned, it was fetched already, or the hour is over.
        Unavailable: The store failed; while it is read, too.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def begin(writer: Writer) -> int:
        proposal = writer.proposal(proposal_id) if proposal_id.isascii() else None
        is_own = proposal is not None and own_account(writer, actor).id == proposal.proposed_by
        if proposal is None or not is_own or proposal.kind is not ProposalKind.EXPORT_EVERYTHING:
            raise NotFound("There is no such proposal.")
        require(writer, actor, Action.EXPORT_AUDIT, now)
        _require_fetchable(proposal, now)
        writer.set_proposal_facts(proposal.id, {**proposal.facts, _FETCHED: now.isoformat()})
        event = Exported("everything", writer.audit_count(AuditFilter()))
        return writer.record(event, actor=actor, at=now, account_id=None)

    return _everything(ports, await ports.store.write(begin))


def is_fetchable(proposal: Proposal, now: datetime) -> bool:
    """Tell whether an export that was proposed can be downloaded now."""
    try:
        _require_fetchable(proposal, now)
    except Conflict:
        return False
    return proposal.kind is ProposalKind.EXPORT_EVERYTHING


def _require_fetchable(proposal: Proposal, now: datetime) -> None:
    if proposal.state is not ProposalState.COUNTERSIGNED or proposal.decided_at is None:
        raise Conflict("This export is not countersigned.")
    if _FETCHED in proposal.facts:
        raise Conflict("This export was downloaded already. Propose it anew.")
    if now >= proposal.decided_at + EXPORT_LASTS:
        raise Conflict("The hour for this download is over. Propose it anew.")


async def _everything(ports: Ports, before: int) -> AsyncIterator[str]:
    rules = ports.rules.current()
    yield _line("rules", {"policy": policy_facts(rules.policy), "networks": network_facts(rules.networks)})
    after = ""
    while part := await ports.store.read(partial(_part_of_accounts, after=after)):
        for facts in part:
            yield _line("account", facts)
        after = part[-1]["address"]
    for name, read in (("api-token", _part_of_tokens), ("proposal", _part_of_proposals)):
        place: _Place | None = None
        while found := await ports.store.read(partial(read, after=place)):
            for place, facts in found:  # noqa: B007  (the last one is where to go on)
                yield _line(name, facts)
    async for records in _audit_parts(ports, AuditFilter(), before):
        for record in records:
            yield _line("audit", _record_facts(record))


def _part_of_accounts(reader: Reader, *, after: str) -> list[dict[str, Any]]:
    return [_account_facts(reader, each) for each in reader.accounts_where(AccountFilter(), after=after, limit=100)]


def _account_facts(reader: Reader, account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "address": account.address,
        "kind": account.kind,
        "state": account.state,
        "role": account.role,
        "rights": sorted(account.rights),
        "created_at": account.created_at,
        "aliases": reader.aliases(account.id),
        "owners": [owner.id for owner in reader.owners(account.id)],
        "has_main_password": reader.main_password(account.id) is not None,
        "authenticators": [_named(each) for each in reader.totps(account.id)],
        "passkeys": [_named(each) for each in reader.passkeys(account.id)],
        "app_passwords": [_app_password_facts(each) for each in reader.app_passwords(account.id)],
    }


def _named(factor: Any) -> dict[str, Any]:
    return {"id": factor.id, "name": factor.name, "made": factor.created_at, "last_used": factor.last_used_at}


def _app_password_facts(value: AppPassword) -> dict[str, Any]:
    limits = value.restrictions
    return {
        "id": value.id,
        "description": value.description,
        "mode": value.scope.mode,
        "permissions": sorted(value.scope.permissions),
        "protocols": sorted(value.scope.protocols),
        "expires_at": limits.expires_at,
        "idle_for": None if limits.idle_for is None else limits.idle_for.total_seconds(),
        "network_rule": limits.network_rule,
        "allowed_ips": limits.allowed_ips,
        "limits": limit_facts(limits.limits),
        "created_at": value.created_at,
        "created_by": value.created_by,
        "created_from": value.created_from,
        "lapsed_at": value.lapsed_at,
        "revoked_at": value.revoked_at,
        "revoked_by": value.revoked_by,
        "revoked_reason": value.revoked_reason,
        "last_used_at": value.last_use.at if value.last_use else None,
        "rotated_from": value.rotated_from,
    }


def _part_of_tokens(reader: Reader, *, after: _Place | None) -> list[tuple[_Place, dict[str, Any]]]:
    part = reader.api_tokens_where(live_only=False, after=after, limit=_PART)
    return [((each.created_at, each.id), _token_facts(each)) for each in part]


def _token_facts(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "account_id": token.account_id,
        "name": token.name,
        "actions": sorted(token.actions),
        "allowed_ips": token.allowed_ips,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def _part_of_proposals(reader: Reader, *, after: _Place | None) -> list[tuple[_Place, dict[str, Any]]]:
    part = reader.proposals(open_only=False, after=after, limit=_PART)
    return [((each.proposed_at, each.id), _proposal_facts(each)) for each in part]


def _proposal_facts(proposal: Proposal) -> dict[str, Any]:
    return {
        "id": proposal.id,
        "kind": proposal.kind,
        "account_id": proposal.account_id,
        "facts": proposal.facts,
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at,
        "state": proposal.state,
        "decided_by": proposal.decided_by,
        "decided_at": proposal.decided_at,
    }


def _record_facts(record: AuditRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "at": record.at,
        "actor": record.actor,
        "actor_address": record.actor_address,
        "account_id": record.account_id,
        "credential_id": record.credential_id,
        "event": record.kind,
        "facts": to_facts(record.event),
        "hash": record.hash.hex(),
    }


def _line(kind: str, facts: dict[str, Any]) -> str:
    return json.dumps({"record": kind, **facts}, default=_text) + "\n"


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
