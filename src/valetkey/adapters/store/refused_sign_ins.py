"""Sign-ins to the portal with a wrong main password, for their owners to see: coalesced, and bounded per account."""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from valetkey.adapters.store.rows import micros, moment
from valetkey.adapters.store.schema import refused_sign_in
from valetkey.adapters.store.transaction import Transaction
from valetkey.service.store_parts import RefusedSignIn

KEPT = 30  # networks per account; the one that was quiet for the longest goes first
_NOBODY = ""


class RefusedSignInReader(Transaction):
    """What can be read of refused sign-ins."""

    def refused_sign_ins(self, account_id: str) -> tuple[RefusedSignIn, ...]:
        """List those of an account, the latest first."""
        statement = select(refused_sign_in).where(refused_sign_in.c.account_id == account_id)
        return tuple(
            RefusedSignIn(row.network, moment(row.first_at), moment(row.last_at), row.count)
            for row in self._rows(statement.order_by(refused_sign_in.c.last_at.desc(), refused_sign_in.c.network))
        )


class RefusedSignInWriter(RefusedSignInReader):
    """Writes refused sign-ins."""

    def count_refused_sign_in(self, account_id: str | None, network: str, at: datetime) -> None:
        """Count one; what nobody has is counted too, so that it costs the same."""
        whose, table = account_id or _NOBODY, refused_sign_in
        new = insert(table).values(account_id=whose, network=network, first_at=micros(at), last_at=micros(at), count=1)
        again = {"count": table.c.count + 1, "last_at": func.max(table.c.last_at, new.excluded.last_at)}
        self._affected(new.on_conflict_do_update(index_elements=["account_id", "network"], set_=again))
        newest = select(table.c.network).where(table.c.account_id == whose).order_by(table.c.last_at.desc())
        is_kept = table.c.network.in_(newest.limit(KEPT))
        self._affected(delete(table).where(table.c.account_id == whose, ~is_kept))

    def forget_refused_sign_ins(self, before: datetime) -> int:
        """Forget what was last seen before a moment. Gives how many networks."""
        return self._affected(delete(refused_sign_in).where(refused_sign_in.c.last_at < micros(before)))
