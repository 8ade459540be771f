"""Bringing a database file to the schema of this version, or saying why that cannot be."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from valetkey.adapters.store.connect import APPLICATION_ID, connect, copy_pages, create_file
from valetkey.adapters.store.failures import PRIMARY_CODE, failures_translated, raise_ours
from valetkey.core.errors import CannotStart, Unavailable
from valetkey.late import late

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT = 60.0  # seconds that a process waits while another migrates
_LOOK_AGAIN = 0.05  # seconds between two attempts to get what another process holds
_OLDEST_SQLITE = (3, 38, 0)  # STRICT, RETURNING and JSON functions
_upgrade: Callable[..., None] = late("valetkey.adapters.store.upgrade:upgrade")


def bring_up_to_date(path: Path, *, migrations: Path = MIGRATIONS) -> None:
    """Make the database file if there is none, and migrate it if it is older than this version.

    A copy of an older database is kept beside it first, as `….before-<revision>`. Several processes may call this at
    the same time; one migrates, the others wait for it.

    Raises:
        CannotStart: Not our database, damaged, from a newer version, or its folder is not usable.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise CannotStart(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed.")
    try:
        create_file(path)
        with failures_translated():
            revision = known_revision(path, migrations=migrations)
            if revision != revisions(migrations)[-1]:
                _keep_copy(path, revision)
                _upgrade(path, migrations, busy_timeout=_BUSY_TIMEOUT)
            _use_wal(path)
    except OSError as error:
        raise CannotStart(f"The database {path} cannot be made or opened: {error.strerror}.") from None
    except Unavailable as error:
        raise CannotStart(f"{path}: {error}") from None


def known_revision(path: Path, *, migrations: Path = MIGRATIONS) -> str | None:
    """Read the revision of an existing database; None for an empty file.

    Raises:
        CannotStart: Not our database, damaged, or from a newer version.
        Unavailable: It cannot be read now.
    """
    revision = _revision_of(path)
    known = revisions(migrations)
    if revision is not None and revision not in known:
        raise CannotStart(
            f"{path} was written by a newer Valetkey (schema {revision}, this one knows {known[-1]}). "
            "Install that version again; an older one would damage the data."
        )
    return revision


def revisions(migrations: Path) -> tuple[str, ...]:
    """Give the revisions that this version knows, the newest last.

    The name of a migration's file begins with its revision, so that Alembic is needed only when one is due.
    """
    return tuple(sorted(file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*.py")))


def _revision_of(path: Path) -> str | None:
    try:
        connection = connect(path, busy_timeout=_BUSY_TIMEOUT)
        try:
            return _stored_revision(path, connection)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise CannotStart(
                f"{path} is damaged, or no database at all. Restore a backup of it, or move it away to begin anew."
            ) from None
        raise_ours(error)


def _stored_revision(path: Path, connection: sqlite3.Connection) -> str | None:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return None
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    if application_id != APPLICATION_ID or "alembic_version" not in tables:
        raise CannotStart(f"{path} is a database of another program; name another file for Valetkey.")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _keep_copy(path: Path, revision: str | None) -> None:
    """Keep a database that holds data as it was before it is migrated; an existing copy stands."""
    if revision is None:
        return
    copy = path.with_name(f"{path.name}.before-{revision}")
    if copy.exists():
        return
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    create_file(part)
    copy_pages(path, part, busy_timeout=_BUSY_TIMEOUT)
    part.rename(copy)


def _use_wal(path: Path) -> None:
    connection = connect(path, busy_timeout=_BUSY_TIMEOUT)
    try:
        mode = _journal_mode(connection)
    finally:
        connection.close()
    if mode != "wal":
        raise CannotStart(f"{path}: its file system does not carry SQLite's WAL; put the database on a local disk.")


def _journal_mode(connection: sqlite3.Connection) -> str:
    """Set the journal to WAL, and give what it is then.

    SQLite does not wait for other processes' locks while it changes the journal, whatever its busy timeout; we do.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_AGAIN)
