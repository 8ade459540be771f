"""What mail servers have to be told: one row for each server and app password, account, or look at everything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, delete, func, select, text, update

from valetkey.adapters.store.rows import micros, moment
from valetkey.adapters.store.schema import closing, login_event
from valetkey.adapters.store.transaction import Transaction
from valetkey.service.closing_parts import Closing, ServerClosings

# The same asked for again is one row, as new.
_ADD = """
INSERT INTO closing (server, account_id, credential_id, made_at, tries, next_try_at)
VALUES (:server, :account_id, :credential_id, :made_at, 0, :next_try_at)
ON CONFLICT (server, ifnull(account_id, ''), ifnull(credential_id, '*')) DO UPDATE SET
  made_at = excluded.made_at, tries = 0, next_try_at = excluded.next_try_at, told_at = NULL, given_up_at = NULL
"""


class ClosingReader(Transaction):
    """What can be read of closings."""

    def due_closings(self, now: datetime, server: str, limit: int = 500) -> tuple[Closing, ...]:
        """List what one server is due to be told, the longest due first."""
        statement = select(closing).where(
            closing.c.next_try_at <= micros(now),
            closing.c.server == server,
            closing.c.account_id.is_not(None),
            closing.c.given_up_at.is_(None),
        )
        order = (closing.c.next_try_at, closing.c.id)
        return tuple(_closing_from(row) for row in self._rows(statement.order_by(*order).limit(limit)))

    def look_throughs(self) -> tuple[Closing, ...]:
        """List for which servers everything is to be looked through."""
        statement = select(closing).where(closing.c.account_id.is_(None))
        return tuple(_closing_from(row) for row in self._rows(statement.order_by(closing.c.id)))

    def closings_of(self, account_id: str) -> tuple[Closing, ...]:
        """List what servers were not told yet of an account."""
        statement = select(closing).where(
            closing.c.account_id == account_id, closing.c.told_at.is_(None), closing.c.given_up_at.is_(None)
        )
        return tuple(_closing_from(row) for row in self._rows(statement.order_by(closing.c.id)))

    def late_closings(self) -> tuple[ServerClosings, ...]:
        """Tell of each server that was told something in vain how much waits and how much was given up."""
        given_up = closing.c.given_up_at.is_not(None)
        waiting = closing.c.told_at.is_(None) & ~given_up
        statement = select(
            closing.c.server,
            func.count().filter(waiting).label("waiting"),
            func.min(closing.c.made_at).filter(waiting).label("since"),
            func.count().filter(given_up).label("given_up"),
        ).where((closing.c.tries > 0) & (closing.c.told_at.is_(None)))
        return tuple(
            ServerClosings(row.server, row.waiting, None if row.since is None else moment(row.since), row.given_up)
            for row in self._rows(statement.group_by(closing.c.server).order_by(closing.c.server))
        )

    def logged_in_since(self, since: datetime, *, after: str = "", limit: int = 100) -> tuple[str, ...]:
        """List the accounts, by id behind `after`, that somebody was let in to since a time."""
        table = login_event
        statement = (
            select(table.c.account_id)
            .distinct()
            .where(table.c.account_id > after, table.c.result == "allowed", table.c.last_at >= micros(since))
        )
        return tuple(row.account_id for row in self._rows(statement.order_by(table.c.account_id).limit(limit)))


class ClosingWriter(ClosingReader):
    """Writes closings. What was asked for anew since a closing was read is left as it is."""

    def add_closing(
        self, server: str, account_id: str | None, credential_id: str | None, *, at: datetime, next_try_at: datetime
    ) -> None:
        """Have a server told, for the first time at a moment."""
        values = {
            "server": server,
            "account_id": account_id,
            "credential_id": credential_id,
            "made_at": micros(at),
            "next_try_at": micros(next_try_at),
        }
        self._affected(text(_ADD).bindparams(**values))

    def set_closing_told(self, one: Closing, at: datetime, next_try_at: datetime) -> None:
        """Keep that a server was told; it is told once more."""
        self._affected(_same(one).values(told_at=micros(at), tries=0, next_try_at=micros(next_try_at)))

    def put_off_closing(self, one: Closing, next_try_at: datetime) -> None:
        """Count a try in vain, and try again later."""
        self._affected(_same(one).values(tries=closing.c.tries + 1, next_try_at=micros(next_try_at)))

    def hasten_closings(self, server: str, at: datetime) -> int:
        """Let a server that answers again be told at once what it was told in vain. Gives how much."""
        late = (closing.c.tries > 0) & closing.c.told_at.is_(None) & closing.c.given_up_at.is_(None)
        statement = update(closing).where(closing.c.server == server, late, closing.c.next_try_at > micros(at))
        return self._affected(statement.values(next_try_at=micros(at)))

    def give_up_closing(self, one: Closing, at: datetime, forget_at: datetime) -> None:
        """Try no more; it is due to be forgotten later."""
        self._affected(_same(one).values(given_up_at=micros(at), next_try_at=micros(forget_at)))

    def remove_closing(self, one: Closing) -> None:
        """Forget one."""
        self._affected(delete(closing).where(closing.c.id == one.id, closing.c.made_at == micros(one.made_at)))

    def forget_closings(self, servers: Sequence[str], now: datetime) -> int:
        """Forget what is for none of these servers, and what was given up and shown for long enough. Gives how much."""
        was_shown = closing.c.given_up_at.is_not(None) & (closing.c.next_try_at <= micros(now))
        return self._affected(delete(closing).where(closing.c.server.not_in(servers) | was_shown))


def _same(one: Closing) -> Update:
    return update(closing).where(closing.c.id == one.id, closing.c.made_at == micros(one.made_at))


def _closing_from(row: Any) -> Closing:
    return Closing(
        id=row.id,
        server=row.server,
        account_id=row.account_id,
        credential_id=row.credential_id,
        made_at=moment(row.made_at),
        tries=row.tries,
        next_try_at=moment(row.next_try_at),
        told_at=None if row.told_at is None else moment(row.told_at),
        given_up_at=None if row.given_up_at is None else moment(row.given_up_at),
    )
