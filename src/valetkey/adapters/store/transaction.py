"""One open transaction, which the parts of a reader and a writer share."""

from typing import Any

from sqlalchemy import Connection, Executable

from valetkey.core.errors import NotFound


class Transaction:
    """Holds the connection of one transaction; never outlives it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _rows(self, statement: Executable) -> list[Any]:
        return list(self._connection.execute(statement))

    def _row(self, statement: Executable) -> Any:
        return self._connection.execute(statement).first()

    def _value(self, statement: Executable) -> Any:
        return self._connection.execute(statement).scalar()

    def _affected(self, statement: Executable) -> int:
        return self._connection.execute(statement).rowcount

    def _change_one(self, statement: Executable, what: str) -> None:
        if self._affected(statement) != 1:
            raise NotFound(f"There is no such {what}.")
