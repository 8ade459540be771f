"""One-time codes that were typed behind a right main password: what passes again from its place; keyed hashes only."""

from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.sqlite import insert

from valetkey.adapters.store.rows import micros, moment_or_none
from valetkey.adapters.store.schema import remembered_code
from valetkey.adapters.store.transaction import Transaction

KEPT = 200  # per account; the oldest goes first


class RememberedCodeReader(Transaction):
    """What can be read of remembered codes."""

    def code_proven_at(self, hashed: bytes) -> datetime | None:
        """Tell when a code was proven at its place; None if it was not, or is forgotten."""
        return moment_or_none(self._value(select(remembered_code.c.typed_at).where(remembered_code.c.hashed == hashed)))

    def is_code_known(self, account_id: str, code: bytes) -> bool:
        """Tell whether a code was typed for an account before, right or wrong, wherever."""
        table = remembered_code
        return bool(self._value(select(exists().where(table.c.account_id == account_id, table.c.code == code))))

    def accounts_with_codes(self, since: datetime) -> tuple[str, ...]:
        """List the accounts for which a code was typed since a moment, by their ids."""
        table = remembered_code
        found = select(table.c.account_id).where(table.c.typed_at >= micros(since)).distinct().order_by("account_id")
        return tuple(row.account_id for row in self._rows(found))


class RememberedCodeWriter(RememberedCodeReader):
    """Writes remembered codes."""

    def remember_code(self, hashed: bytes, account_id: str, code: bytes, at: datetime) -> None:
        """Remember one that was typed now; an account's number of them is bounded."""
        table = remembered_code
        new = insert(table).values(hashed=hashed, account_id=account_id, code=code, typed_at=micros(at))
        again = {"code": new.excluded.code, "typed_at": new.excluded.typed_at}
        self._affected(new.on_conflict_do_update(index_elements=["hashed"], set_=again))
        latest = select(table.c.hashed).where(table.c.account_id == account_id).order_by(table.c.typed_at.desc())
        self._affected(delete(table).where(table.c.account_id == account_id, ~table.c.hashed.in_(latest.limit(KEPT))))

    def forget_remembered_codes(self, before: datetime) -> int:
        """Forget those that were typed before a moment. Gives how many."""
        return self._affected(delete(remembered_code).where(remembered_code.c.typed_at < micros(before)))
