"""The audit log in the store. One record is one change: its number is the change number (docs/audit-log.md)."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update

from valetkey.adapters.store.chain import link
from valetkey.adapters.store.failures import DAMAGED
from valetkey.adapters.store.rows import micros, moment
from valetkey.adapters.store.schema import account, audit, counter
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.errors import Unavailable
from valetkey.core.event import Event, from_facts, to_facts
from valetkey.service.ports import Actor, AuditRecord
from valetkey.service.store_parts import AuditFilter

# Built once: every change of state passes here.
_END = select(counter.c.number, counter.c.hash)
_APPEND = insert(audit)
_MOVE_END = update(counter)
_STAMP = update(account).where(account.c.id == bindparam("account"))


def _record_from(row: Any) -> AuditRecord:
    try:
        event = from_facts(row.kind, json.loads(row.facts))
    except ValueError:
        raise Unavailable(f"Audit record {row.number} cannot be read: run `valetkey audit verify`.") from None
    return AuditRecord(
        number=row.number,
        at=moment(row.at),
        actor=row.actor,
        actor_address=row.actor_address,
        account_id=row.account_id,
        credential_id=row.credential_id,
        kind=row.kind,
        event=event,
        hash=row.hash,
    )


class AuditReader(Transaction):
    """What can be read of the audit log."""

    def audit(
        self, *, account_id: str | None = None, after: int = 0, before: int | None = None, limit: int = 100
    ) -> tuple[AuditRecord, ...]:
        """List audit records, newest first, of one account or of all, numbered above `after` and below `before`."""
        statement = select(audit).where(audit.c.number > after)
        if account_id is not None:
            statement = statement.where(audit.c.account_id == account_id)
        if before is not None:
            statement = statement.where(audit.c.number < before)
        return tuple(_record_from(row) for row in self._rows(statement.order_by(audit.c.number.desc()).limit(limit)))

    def audit_where(
        self, wanted: AuditFilter, *, before: int | None = None, limit: int = 100
    ) -> tuple[AuditRecord, ...]:
        """List the audit records that a filter lets pass, newest first, numbered below `before`."""
        statement = _filtered(select(audit), wanted)
        if before is not None:
            statement = statement.where(audit.c.number < before)
        return tuple(_record_from(row) for row in self._rows(statement.order_by(audit.c.number.desc()).limit(limit)))

    def audit_count(self, wanted: AuditFilter) -> int:
        """Count the audit records that a filter lets pass."""
        return int(self._value(_filtered(select(func.count()).select_from(audit), wanted)))

    def chain_part(self, after: int, limit: int) -> tuple[list[Any], tuple[int, bytes]]:
        """Give a part of the chain for checking, and the number and hash that the counter row remembers."""
        rows = self._rows(select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(limit))
        number, last_hash = self._row(_END) or (0, b"")
        return rows, (number, last_hash)


def _filtered(statement: Select[Any], wanted: AuditFilter) -> Select[Any]:
    for column, value in (
        (audit.c.account_id, wanted.account_id),
        (audit.c.credential_id, wanted.credential_id),
        (audit.c.actor, wanted.actor),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.kinds:
        statement = statement.where(audit.c.kind.in_(wanted.kinds))
    if wanted.since is not None:
        statement = statement.where(audit.c.at >= micros(wanted.since))
    if wanted.until is not None:
        statement = statement.where(audit.c.at < micros(wanted.until))
    return statement


class AuditWriter(AuditReader):
    """Appends to the audit log."""

    def record(
        self, event: Event, *, actor: Actor, at: datetime, account_id: str | None, credential_id: str | None = None
    ) -> int:
        """Append the audit event, take the next change number and stamp it on the account. Returns the change number."""
        end = self._row(_END)
        if end is None:
            raise Unavailable(DAMAGED)
        before, last_hash = end
        facts = json.dumps(to_facts(event), sort_keys=True, separators=(",", ":"))
        columns = (
            before + 1, micros(at), actor.name, actor.address, account_id, credential_id, type(event).__name__, facts
        )  # fmt: skip
        number, new_hash = before + 1, link(last_hash, columns)
        self._connection.execute(_APPEND, dict(zip(audit.c.keys(), (*columns, new_hash), strict=True)))
        self._connection.execute(_MOVE_END, {"number": number, "hash": new_hash})
        if account_id is not None:
            self._connection.execute(_STAMP, {"account": account_id, "changed": number})
        return int(number)
