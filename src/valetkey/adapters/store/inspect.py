"""Looks a whole database file over, for `valetkey check` and for each backup."""

import sqlite3
import stat
from pathlib import Path

from valetkey.adapters.store.chain import ChainCheck
from valetkey.adapters.store.connect import connect
from valetkey.adapters.store.failures import DAMAGED, failures_translated
from valetkey.adapters.store.migrate import known_revision
from valetkey.core.errors import CannotStart, ValetkeyError
from valetkey.service.ports import AuditFault

_BUSY_TIMEOUT = 5.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST = 20  # problems of one kind that are listed
_CHAIN = "SELECT * FROM audit ORDER BY number"
_RESTORE = "Restore a backup of it."


def check_file(path: Path) -> list[str]:
    """Look a database over: rights, version, every page, every reference, the audit chain.

    It may be in use meanwhile. Takes about a second for each 200 MB. An empty list says that all is well.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return [f"{path} cannot be looked at: {error.strerror}."]
    problems = [f"{path} can be used by others. Mend it: chmod 600 {path}"] if mode & _OTHERS else []
    try:
        if known_revision(path) is None:
            return [*problems, f"{path} is empty. {_RESTORE}"]
        with failures_translated():
            connection = connect(path, busy_timeout=_BUSY_TIMEOUT, query_only=True)
            try:
                return problems + _damages(path, connection)
            finally:
                connection.close()
    except ValetkeyError as error:
        said = str(error).replace(DAMAGED, f"The database is damaged. {_RESTORE}")
        return [*problems, said if isinstance(error, CannotStart) else f"{path}: {said}"]


def _damages(path: Path, connection: sqlite3.Connection) -> list[str]:
    connection.execute("BEGIN")
    found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
    problems = [f"{path} is damaged: {what}. {_RESTORE}" for what in found if what != "ok"]
    if problems:
        return problems  # nothing else can be believed
    lost = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST)
    problems = [
        f"{path}: a row of {table} belongs to a row of {parent} that is not there." for table, _, parent, _ in lost
    ]
    fault = _chain_fault(connection)
    if fault is not None:
        problems.append(f"{path}: audit record {fault.number}: {fault.what}")
    return problems


def _chain_fault(connection: sqlite3.Connection) -> AuditFault | None:
    check = ChainCheck()
    fault = check.follow(connection.execute(_CHAIN))
    end = connection.execute("SELECT number, hash FROM counter").fetchone()
    return fault or check.finish(*(end or (0, b"")))
