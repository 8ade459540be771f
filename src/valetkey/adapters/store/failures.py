"""What a failing database means to the person who asked: every error of SQLite becomes one of ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy.exc import DBAPIError

from valetkey.core.errors import Conflict, Unavailable, ValetkeyError

PRIMARY_CODE = 0xFF  # SQLite's extended codes keep the primary code in the low octet

DAMAGED = "The database is damaged: run `valetkey check`, and restore a backup if it says so."
CLOSED = "The database is closed."
GONE = "The database file is gone or was replaced: put it back, or restart Valetkey to use the new one."

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "The database is locked by another process.",
    sqlite3.SQLITE_LOCKED: "The database is locked by another process.",
    sqlite3.SQLITE_READONLY: "The database is read-only: check the rights of its file and folder, and how its disk is mounted.",
    sqlite3.SQLITE_FULL: "The disk of the database is full.",
    sqlite3.SQLITE_IOERR: "The disk of the database cannot be read or written.",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_CANTOPEN: "The database cannot be opened: check that its folder exists and who may read it.",
    sqlite3.SQLITE_PERM: "The database cannot be opened: check that its folder exists and who may read it.",
    sqlite3.SQLITE_INTERRUPT: "The database took too long to answer.",
    sqlite3.SQLITE_NOMEM: "There is not enough memory for the database.",
}


def raise_ours(error: sqlite3.Error) -> NoReturn:
    """Raise our error for one of SQLite's.

    Raises:
        Unavailable: Locked, full, read-only, damaged, gone.
        Conflict: A name that must be unique is taken.
        sqlite3.Error: The error itself, if it is a bug of ours (a broken constraint, a wrong statement).
    """
    ours = _translated(error)
    if ours is None:
        raise error
    raise ours from None


def _translated(error: sqlite3.Error) -> ValetkeyError | None:
    if isinstance(error, sqlite3.ProgrammingError):
        return Unavailable(CLOSED) if "closed" in str(error) else None
    code = error.sqlite_errorcode
    if code in {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}:
        return Conflict("This exists already.")
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return Conflict("What this belongs to is not there.")
    if isinstance(error, sqlite3.IntegrityError):
        return None
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return Unavailable(GONE)
    return Unavailable(_SENTENCES.get(code & PRIMARY_CODE, f"{DAMAGED} ({error.sqlite_errorname})"))


@contextmanager
def failures_translated() -> Iterator[None]:
    """Turn the errors of SQLite and SQLAlchemy into ours; see `raise_ours`."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error) and _translated(error.orig) is not None:
            raise_ours(error.orig)
        raise
    except sqlite3.Error as error:
        raise_ours(error)
