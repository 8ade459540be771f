"""Browser sessions in the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from valetkey.adapters.store.rows import micros, micros_or_none, moment, moment_or_none
from valetkey.adapters.store.schema import portal_session
from valetkey.adapters.store.transaction import Transaction
from valetkey.service.ports import PortalSession


def _session_from(row: Any) -> PortalSession:
    return PortalSession(
        id_hash=row.id_hash,
        account_id=row.account_id,
        csrf=row.csrf,
        created_at=moment(row.created_at),
        seen_at=moment(row.seen_at),
        proven_at=moment_or_none(row.proven_at),
        has_second_factor=bool(row.has_second_factor),
        address=row.address,
        client=row.client,
    )


class PortalSessionReader(Transaction):
    """What can be read of browser sessions."""

    def portal_session(self, id_hash: bytes) -> PortalSession | None:
        """Find a session by the keyed hash of its token."""
        row = self._row(select(portal_session).where(portal_session.c.id_hash == id_hash))
        return None if row is None else _session_from(row)

    def portal_sessions(self, account_id: str) -> tuple[PortalSession, ...]:
        """List the sessions of an account, the one seen last first."""
        statement = select(portal_session).where(portal_session.c.account_id == account_id)
        return tuple(_session_from(row) for row in self._rows(statement.order_by(portal_session.c.seen_at.desc())))


class PortalSessionWriter(PortalSessionReader):
    """What can be changed of browser sessions."""

    def add_portal_session(self, session: PortalSession) -> None:
        """Store a new session."""
        self._affected(
            insert(portal_session).values(
                id_hash=session.id_hash,
                account_id=session.account_id,
                csrf=session.csrf,
                created_at=micros(session.created_at),
                seen_at=micros(session.seen_at),
                proven_at=micros_or_none(session.proven_at),
                has_second_factor=int(session.has_second_factor),
                address=session.address,
                client=session.client,
            )
        )

    def touch_portal_session(self, id_hash: bytes, *, seen_at: datetime) -> None:
        """Keep when a session was seen last."""
        statement = update(portal_session).where(portal_session.c.id_hash == id_hash)
        self._affected(statement.values(seen_at=micros(seen_at)))

    def remove_portal_sessions(self, account_id: str, *, only: bytes | None = None, keep: bytes | None = None) -> int:
        """End the sessions of an account: all, only one, or all but one. Gives how many."""
        statement = delete(portal_session).where(portal_session.c.account_id == account_id)
        if only is not None:
            statement = statement.where(portal_session.c.id_hash == only)
        if keep is not None:
            statement = statement.where(portal_session.c.id_hash != keep)
        return self._affected(statement)

    def remove_stale_portal_sessions(self, *, created_before: datetime, seen_before: datetime) -> int:
        """End every session that is too old or was unused for too long. Gives how many."""
        is_stale = or_(
            portal_session.c.created_at < micros(created_before), portal_session.c.seen_at < micros(seen_before)
        )
        return self._affected(delete(portal_session).where(is_stale))
