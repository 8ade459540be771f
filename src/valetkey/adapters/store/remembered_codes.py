"""Main passwords with a one-time code that were proven and may be used again for a while; only a keyed hash is kept."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from valetkey.adapters.store.rows import micros, moment
from valetkey.adapters.store.schema import remembered_code
from valetkey.adapters.store.transaction import Transaction

KEPT = 50  # per account; the one that ends first goes first


class RememberedCodeReader(Transaction):
    """What can be read of remembered codes."""

    def remembered_until(self, hashed: bytes) -> tuple[str, datetime] | None:
        """Tell whose it is and until when it is remembered; None if it is not."""
        row = self._row(select(remembered_code).where(remembered_code.c.hashed == hashed))
        return None if row is None else (row.account_id, moment(row.until))


class RememberedCodeWriter(RememberedCodeReader):
    """Writes remembered codes."""

    def remember_code(self, hashed: bytes, account_id: str, until: datetime) -> None:
        """Remember one until a moment; an account's number of them is bounded."""
        table = remembered_code
        new = insert(table).values(hashed=hashed, account_id=account_id, until=micros(until))
        self._affected(new.on_conflict_do_update(index_elements=["hashed"], set_={"until": new.excluded.until}))
        latest = select(table.c.hashed).where(table.c.account_id == account_id).order_by(table.c.until.desc())
        self._affected(delete(table).where(table.c.account_id == account_id, ~table.c.hashed.in_(latest.limit(KEPT))))

    def forget_codes_of(self, account_id: str) -> int:
        """Forget all of an account. Gives how many."""
        return self._affected(delete(remembered_code).where(remembered_code.c.account_id == account_id))

    def forget_remembered_codes(self, before: datetime) -> int:
        """Forget those that ended before a moment. Gives how many."""
        return self._affected(delete(remembered_code).where(remembered_code.c.until < micros(before)))
