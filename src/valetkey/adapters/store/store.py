"""The store of a running process: one writer, a few readers, and the look-ups of the event loop."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine

from valetkey.adapters.lane import Lane
from valetkey.adapters.store.activity import merged
from valetkey.adapters.store.chain import ChainCheck
from valetkey.adapters.store.connect import engine
from valetkey.adapters.store.failures import GONE, failures_translated, raise_ours
from valetkey.adapters.store.hot import HotReader
from valetkey.adapters.store.migrate import bring_up_to_date
from valetkey.adapters.store.rules import SavedRulesReader
from valetkey.adapters.store.work import SqliteReader, SqliteWriter
from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import CannotStart, Unavailable
from valetkey.service.ports import AuditFault, Change, FoundLogin, LoginEvent
from valetkey.service.store_parts import SavedRules

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_WHAT = "The database"
_READERS = 2
_MAX_WAITING = 2_000  # reads that wait for a thread, and writes
_GRACE = 5.0  # seconds beyond the busy timeout for a transaction's own work
_LOOK_EVERY = 0.1  # seconds between two looks of the event loop at whether the file is still in its place
_STEPS_PER_LOOK = 100_000  # steps of SQLite's machine between two looks at the deadline
_CHAIN_PART = 1_000  # audit records checked per transaction


def open_store(path: Path, *, busy_timeout: float = 5.0) -> "SqliteStore":
    """Open the database, made or migrated if need be.

    The store belongs to the process that opened it: after a fork the child opens its own.

    Args:
        path: The database file.
        busy_timeout: How long a transaction waits for another process's lock, in seconds.

    Raises:
        CannotStart: The database cannot be used; the text says what to do.
    """
    bring_up_to_date(path)
    return SqliteStore(path, busy_timeout=busy_timeout)


class SqliteStore:
    """Fulfils `service.ports.Store`."""

    def __init__(self, path: Path, *, busy_timeout: float) -> None:
        self.path = path
        self._name = str(path.absolute())
        self._deadline = busy_timeout + _GRACE
        self._process = os.getpid()
        self._look_again = 0.0
        self._write_lane = Lane("store-write", threads=1, waiting=_MAX_WAITING)
        self._read_lane = Lane("store-read", threads=_READERS, waiting=_MAX_WAITING)
        self._writing = engine(path, connections=1, busy_timeout=busy_timeout, begin="BEGIN IMMEDIATE")
        self._reading = engine(path, connections=_READERS, busy_timeout=busy_timeout, begin="BEGIN", query_only=True)
        try:
            with failures_translated():
                self._hot = HotReader(path)
                self._rules = SavedRulesReader(path)
                self._file = _identity(self._name)
                self._hot.change_number()
        except Unavailable as error:
            raise CannotStart(f"{path}: {error}") from None

    def close(self) -> None:
        """Finish the transactions that run, and close every connection."""
        self._write_lane.close()
        self._read_lane.close()
        self._writing.dispose()
        self._reading.dispose()
        self._hot.close()
        self._rules.close()

    def find_login(self, name: str, indexes: Sequence[bytes]) -> FoundLogin | None:
        """Find a secret by its indexes. Microseconds, on the event loop.

        Raises:
            Unavailable: The database cannot be asked.
        """
        return self._ask(self._hot.find_login, name, indexes)

    def find_proven(self, account_id: str, credential_id: str | None) -> tuple[Account, AppPassword | None] | None:
        """Look up again what a live session was opened with. Microseconds, on the event loop.

        Raises:
            Unavailable: The database cannot be asked.
        """
        return self._ask(self._hot.find_proven, account_id, credential_id)

    def change_number(self) -> int:
        """Give the number of the newest change. Microseconds, on the event loop.

        Raises:
            Unavailable: The database cannot be asked.
        """
        return self._ask(self._hot.change_number)

    def changes(self, after: int, limit: int = 1000) -> tuple[Change, ...]:
        """List the changes behind a number, in order. On the event loop.

        Raises:
            Unavailable: The database cannot be asked.
        """
        return self._ask(self._hot.changes, after, limit)

    def saved_rules(self, as_of: int | None = None) -> SavedRules:
        """Give policy and named networks as the console saved them. Microseconds, from any thread.

        Args:
            as_of: The change number that the caller has just read, which spares a look-up.

        Raises:
            Unavailable: The database cannot be asked, or what it holds cannot be read.
        """
        return self._rules.known(as_of) or self._ask(self._rules.current)

    async def read(self, work: Callable[[SqliteReader], T]) -> T:
        """Run `work` on one consistent state, in a thread.

        Raises:
            Unavailable: The database cannot be asked, or not in time.
        """
        return await self._run(self._read_lane, partial(self._read_in_thread, work))

    async def write(self, work: Callable[[SqliteWriter], T]) -> T:
        """Run `work` in one transaction, in a thread; what it returns is durable.

        Raises:
            Unavailable: The database cannot be written, or not in time; in the second case it is not known whether
                the transaction was committed.
            Conflict: A name that must be unique is taken.
        """
        return await self._run(self._write_lane, partial(self._write_in_thread, work))

    async def add_login_events(self, events: Sequence[LoginEvent]) -> None:
        """Merge login events, and count them, in one transaction.

        Raises:
            Unavailable: The database cannot be written, or not in time.
        """

        def add(writer: SqliteWriter) -> None:
            batch = merged(events)
            writer.merge_login_events(batch)
            writer.count_logins(batch)

        if events:
            await self.write(add)

    async def verify_audit(self) -> tuple[int, bytes] | AuditFault:
        """Check the whole chain, part by part: the number of records and the last hash, or the first bad record.

        Raises:
            Unavailable: The database cannot be asked.
        """
        check = ChainCheck()
        while True:
            rows, end = await self.read(lambda reader: reader.chain_part(check.number, _CHAIN_PART))
            fault = check.follow(rows)
            if fault is None and len(rows) < _CHAIN_PART:
                fault = check.finish(*end)
                return fault or (check.number, check.hash)
            if fault is not None:
                return fault

    async def _run(self, lane: Lane, work: Callable[[float], T]) -> T:
        self._check_usable()
        deadline = time.monotonic() + self._deadline
        return await lane.run(partial(work, deadline), timeout=self._deadline, what=_WHAT)

    def _read_in_thread(self, work: Callable[[SqliteReader], T], deadline: float) -> T:
        with self._transaction(self._reading, deadline) as connection:
            return work(SqliteReader(connection))

    def _write_in_thread(self, work: Callable[[SqliteWriter], T], deadline: float) -> T:
        with self._transaction(self._writing, deadline) as connection:
            return work(SqliteWriter(connection))

    @contextmanager
    def _transaction(self, on: Engine, deadline: float) -> Iterator[Connection]:
        if time.monotonic() > deadline:
            raise Unavailable(f"{_WHAT} is too busy; try again in a moment.")
        self._check_usable()
        with failures_translated(), on.begin() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_PER_LOOK)
            yield connection

    def _ask(self, look_up: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Ask at once, on the event loop, what needs no transaction."""
        self._check_lately_usable()
        try:
            return look_up(*arguments)
        except sqlite3.Error as error:
            raise_ours(error)

    def _check_lately_usable(self) -> None:
        if time.monotonic() > self._look_again or os.getpid() != self._process:
            self._check_usable()

    def _check_usable(self) -> None:
        if os.getpid() != self._process:
            raise Unavailable("This store was opened by another process; after a fork, open one of your own.")
        if _identity(self._name) != self._file:
            raise Unavailable(GONE)
        self._look_again = time.monotonic() + _LOOK_EVERY


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116  (before every transaction; Path.stat costs three times as much)
    except OSError:
        return None
    return found.st_dev, found.st_ino
