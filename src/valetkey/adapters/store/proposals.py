"""Proposals that wait for a second administrator, in the store."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, insert, select, tuple_, update

from valetkey.adapters.store.rows import micros, micros_or_none, moment, moment_or_none
from valetkey.adapters.store.schema import proposal
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.proposal import Proposal, ProposalKind, ProposalState

_PLACE = tuple_(proposal.c.proposed_at, proposal.c.id)


class ProposalReader(Transaction):
    """What can be read of proposals."""

    def proposal(self, proposal_id: str) -> Proposal | None:
        """Find a proposal."""
        row = self._row(select(proposal).where(proposal.c.id == proposal_id))
        return None if row is None else _proposal_from(row)

    def proposals(
        self, *, open_only: bool, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> tuple[Proposal, ...]:
        """List proposals, newest first, behind (proposed_at, id)."""
        statement = select(proposal)
        if open_only:
            statement = statement.where(proposal.c.state == ProposalState.OPEN.value)
        if after is not None:
            statement = statement.where(tuple_(micros(after[0]), after[1]) > _PLACE)
        ordered = statement.order_by(proposal.c.proposed_at.desc(), proposal.c.id.desc()).limit(limit)
        return tuple(_proposal_from(row) for row in self._rows(ordered))

    def open_proposal_count(self, now: datetime) -> int:
        """Count the proposals that can still be countersigned."""
        is_open = (proposal.c.state == ProposalState.OPEN.value, proposal.c.expires_at > micros(now))
        return int(self._value(select(func.count()).select_from(proposal).where(*is_open)))

    def is_proposed(self, kind: ProposalKind, account_id: str | None, now: datetime) -> bool:
        """Tell whether the same can still be countersigned."""
        same = (
            proposal.c.kind == kind.value,
            proposal.c.account_id.is_not_distinct_from(account_id),
            proposal.c.state == ProposalState.OPEN.value,
            proposal.c.expires_at > micros(now),
        )
        return bool(self._value(select(exists().where(*same))))


class ProposalWriter(ProposalReader):
    """What can be changed of proposals."""

    def add_proposal(self, value: Proposal) -> None:
        """Store a new proposal."""
        values = {
            "id": value.id,
            "kind": value.kind.value,
            "account_id": value.account_id,
            "facts": json.dumps(value.facts, sort_keys=True),
            "reason": value.reason,
            "proposed_by": value.proposed_by,
            "proposed_at": micros(value.proposed_at),
            "expires_at": micros(value.expires_at),
            "state": value.state.value,
            "decided_by": value.decided_by,
            "decided_at": micros_or_none(value.decided_at),
        }
        self._affected(insert(proposal).values(values))

    def decide_proposal(self, proposal_id: str, *, state: ProposalState, by: str, at: datetime) -> bool:
        """Decide an open proposal; False if it is not open, or who proposed it would countersign it."""
        statement = update(proposal).where(proposal.c.id == proposal_id, proposal.c.state == ProposalState.OPEN.value)
        if state is ProposalState.COUNTERSIGNED:
            statement = statement.where(proposal.c.proposed_by != by)
        return self._affected(statement.values(state=state.value, decided_by=by, decided_at=micros(at))) == 1

    def set_proposal_facts(self, proposal_id: str, facts: dict[str, Any]) -> None:
        """Keep what became of a proposal, such as that its export was fetched."""
        statement = update(proposal).where(proposal.c.id == proposal_id)
        self._affected(statement.values(facts=json.dumps(facts, sort_keys=True)))


def _proposal_from(row: Any) -> Proposal:
    return Proposal(
        id=row.id,
        kind=ProposalKind(row.kind),
        account_id=row.account_id,
        facts=json.loads(row.facts),
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=moment(row.proposed_at),
        expires_at=moment(row.expires_at),
        state=ProposalState(row.state),
        decided_by=row.decided_by,
        decided_at=moment_or_none(row.decided_at),
    )
