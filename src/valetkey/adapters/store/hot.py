"""What is asked at every login and several times a second: prepared statements on one connection, no thread between.

SQLAlchemy would cost more than the look-up itself, so these four speak to sqlite3 directly.
"""

from collections.abc import Sequence
from pathlib import Path

from valetkey.adapters.store.connect import connect
from valetkey.adapters.store.failures import DAMAGED
from valetkey.adapters.store.rows import (
    APP_PASSWORD_COLUMNS,
    PROOF_COLUMNS,
    account_from,
    app_password_from,
    proof_from,
)
from valetkey.adapters.store.schema import account
from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Unavailable
from valetkey.service.ports import Change, FoundLogin

_BUSY_TIMEOUT = 0.25  # seconds; readers of a WAL wait only while another process recovers or migrates it

_ACCOUNT = ", ".join(f"a.{column.name}" for column in account.c)
_HAS_SECOND_FACTOR = (
    "(EXISTS (SELECT 1 FROM totp t WHERE t.account_id = a.id)"
    " OR EXISTS (SELECT 1 FROM passkey k WHERE k.account_id = a.id))"
)
_APP_PASSWORD = ", ".join(f"p.{column.name}" for column in APP_PASSWORD_COLUMNS)
_PROOF = ", ".join(f"p.{column.name}" for column in PROOF_COLUMNS)
_ACCOUNT_END = len(account.c) + 1
_APP_PASSWORD_END = _ACCOUNT_END + len(APP_PASSWORD_COLUMNS)
_PROOF_END = _APP_PASSWORD_END + len(PROOF_COLUMNS)

# The name is looked up whether or not a secret is found, and a row always comes back.
_FIND_LOGIN = f"""
SELECT {_ACCOUNT}, {_HAS_SECOND_FACTOR}, {_APP_PASSWORD}, {_PROOF}, n.account_id = a.id,
    (SELECT number FROM counter WHERE id = 1)
FROM (SELECT (SELECT account_id FROM address WHERE address = ?) AS account_id) n
LEFT JOIN app_password p ON p.secret_index IN (%s)
LEFT JOIN account a ON a.id = p.account_id
LIMIT 1
"""  # noqa: S608  (only column names of the schema are put in)
_FIND_ACCOUNT = f"SELECT {_ACCOUNT}, {_HAS_SECOND_FACTOR} FROM account a WHERE a.id = ?"  # noqa: S608  (the same)
# One statement, not two: each takes and lets go of the database's read lock.
_FIND_PROVEN = f"""
SELECT {_ACCOUNT}, {_HAS_SECOND_FACTOR}, {_APP_PASSWORD}
FROM app_password p JOIN account a ON a.id = p.account_id
WHERE p.id = ? AND p.account_id = ?
"""  # noqa: S608  (the same)
_CHANGE_NUMBER = "SELECT number FROM counter"
# What is nobody's and changes no rule is nothing that a login stands on.
_CHANGES = """
SELECT number, CASE WHEN account_id IS NULL AND kind NOT IN ('PolicyChanged', 'NetworksChanged') THEN '' ELSE account_id END
FROM audit WHERE number > ? ORDER BY number LIMIT ?
"""


class HotReader:
    """The look-ups that run on the event loop."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, busy_timeout=_BUSY_TIMEOUT, query_only=True)
        self._find_login: dict[int, str] = {}

    def find_login(self, name: str, indexes: Sequence[bytes]) -> FoundLogin | None:
        """Find a secret by its index under each key, and tell whether `name` is its account's."""
        statement = self._find_login.get(len(indexes)) or self._find_login_by(len(indexes))
        row = self._connection.execute(statement, (name, *indexes)).fetchone()
        if row is None or row[0] is None:
            return None
        return FoundLogin(
            account_from(row[:_ACCOUNT_END]),
            app_password_from(row[_ACCOUNT_END:_APP_PASSWORD_END]),
            proof_from(row[_APP_PASSWORD_END:_PROOF_END]),
            row[_PROOF_END] == 1,
            row[_PROOF_END + 1],
        )

    def find_proven(self, account_id: str, credential_id: str | None) -> tuple[Account, AppPassword | None] | None:
        """Look up an account and one of its app passwords; None if either is not there."""
        if credential_id is None:
            row = self._connection.execute(_FIND_ACCOUNT, (account_id,)).fetchone()
            return None if row is None else (account_from(row), None)
        row = self._connection.execute(_FIND_PROVEN, (credential_id, account_id)).fetchone()
        if row is None:
            return None
        return account_from(row[:_ACCOUNT_END]), app_password_from(row[_ACCOUNT_END:])

    def change_number(self) -> int:
        """Give the number of the newest change."""
        row = self._connection.execute(_CHANGE_NUMBER).fetchone()
        if row is None:
            raise Unavailable(DAMAGED)
        return int(row[0])

    def changes(self, after: int, limit: int) -> tuple[Change, ...]:
        """List the changes behind a number, in order."""
        return tuple(Change(*row) for row in self._connection.execute(_CHANGES, (after, limit)))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _find_login_by(self, count: int) -> str:
        statement = _FIND_LOGIN % ", ".join("?" * count)
        self._find_login[count] = statement
        return statement
