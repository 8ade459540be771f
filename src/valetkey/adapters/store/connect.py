"""How the database file is opened: mode, rights, and the settings of every connection."""

import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from valetkey.adapters.store.failures import PRIMARY_CODE

APPLICATION_ID = 0x564B4559  # "VKEY", in the file's header

_LOOK_AGAIN = 0.001  # seconds between two attempts to begin while another process writes
_LARGEST_LOG = 64 * 1024 * 1024  # octets that the write-ahead log keeps after a long backup has let it grow


def create_file(path: Path) -> None:
    """Make an empty file that only its owner may read; SQLite gives the files beside it the same mode.

    Does nothing if it exists: opening and closing it here would drop the locks of this process.
    """
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def connect(path: Path, *, busy_timeout: float, query_only: bool = False) -> sqlite3.Connection:
    """Open one connection on an existing file. Transactions are begun by hand.

    Args:
        path: The database.
        busy_timeout: How long a statement waits for another's lock, in seconds.
        query_only: Whether writing is refused.
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # an erased digest leaves no trace in free pages
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_LOG}")
        connection.execute(f"PRAGMA query_only = {'ON' if query_only else 'OFF'}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def copy_pages(path: Path, target: Path, *, busy_timeout: float, journal_mode: str | None = None) -> None:
    """Copy every page of a database as it is at one moment; writers go on meanwhile.

    Args:
        path: The database.
        target: An empty file, which becomes the copy.
        busy_timeout: See `connect`, in seconds.
        journal_mode: The copy's, if it shall not be the database's own.
    """
    source = connect(path, busy_timeout=busy_timeout, query_only=True)
    copy = connect(target, busy_timeout=busy_timeout)
    try:
        source.backup(copy)
        if journal_mode is not None:
            copy.execute(f"PRAGMA journal_mode = {journal_mode}")
    finally:
        copy.close()
        source.close()


def engine(path: Path, *, connections: int, busy_timeout: float, begin: str, query_only: bool = False) -> Engine:
    """Give SQLAlchemy's side of a fixed number of connections, opened when first needed.

    Args:
        path: The database.
        connections: How many, at most; each serves one thread at a time.
        busy_timeout: See `connect`, in seconds.
        begin: The statement that begins each transaction.
        query_only: Whether writing is refused.
    """
    made = create_engine(
        "sqlite://",
        creator=lambda: connect(path, busy_timeout=busy_timeout, query_only=query_only),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=busy_timeout,
        hide_parameters=True,
    )
    if query_only:
        event.listen(made, "begin", lambda connection: connection.exec_driver_sql(begin))
    else:
        event.listen(made, "begin", partial(_begin, statement=begin, patience=busy_timeout))
    return made


def _begin(connection: Connection, *, statement: str, patience: float) -> None:
    """Begin to write, as soon as no other process does.

    SQLite itself looks again after up to a tenth of a second. A process that writes without pause has ended and begun
    many times by then, and so keeps all others out until their time is over.
    """
    raw = connection.connection.driver_connection
    if raw is None:
        raise ValueError("the connection is closed")
    deadline = time.monotonic() + patience
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                raw.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_AGAIN)
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
