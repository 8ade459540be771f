"""Policy and named networks as the console saved them."""

import json
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from valetkey.adapters.store.connect import connect
from valetkey.adapters.store.failures import DAMAGED
from valetkey.adapters.store.schema import site_rules
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.errors import Unavailable
from valetkey.service.store_parts import SavedRules

_BUSY_TIMEOUT = 0.25  # seconds; see `hot`
_NUMBER = "SELECT number FROM counter"
# One statement, so that number and rules are of one moment.
_RULES = "SELECT c.number, r.policy, r.networks FROM counter c LEFT JOIN site_rules r ON r.id = 1"


class SavedRulesReader:
    """Reads the saved rules anew when something has changed; on a connection of its own, for any thread."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, busy_timeout=_BUSY_TIMEOUT, query_only=True)
        self._lock = Lock()
        self._number: int | None = None
        self._texts: tuple[str | None, str | None] | None = None
        self._saved = SavedRules(None, None)
        self._known: tuple[int | None, SavedRules] = (None, self._saved)

    def known(self, as_of: int | None) -> SavedRules | None:
        """Give what was read at a change number, if it was read at this one."""
        number, saved = self._known
        return saved if as_of is not None and as_of == number else None

    def current(self) -> SavedRules:
        """Give what is saved now: the same object until it changes.

        Raises:
            Unavailable: It cannot be read.
            sqlite3.Error: The database cannot be asked.
        """
        with self._lock:
            row = self._connection.execute(_NUMBER).fetchone()
            if row is None:
                raise Unavailable(DAMAGED)
            if row[0] != self._number:
                self._look()
            return self._saved

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _look(self) -> None:
        row: Any = self._connection.execute(_RULES).fetchone()
        if row is None:
            raise Unavailable(DAMAGED)
        if row[1:] != self._texts:
            self._saved = saved_from(row[1], row[2])
            self._texts = row[1:]
        self._number = row[0]
        self._known = (row[0], self._saved)


def saved_from(policy: str | None, networks: str | None) -> SavedRules:
    """Read the two columns.

    Raises:
        Unavailable: They hold no JSON objects.
    """
    return SavedRules(_object(policy), _object(networks))


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable("The saved policy cannot be read. On the server, `valetkey policy reset` puts it right.")
    return found


class RulesReader(Transaction):
    """The saved rules, read in a transaction."""

    def site_rules(self) -> SavedRules:
        """Give what is saved.

        Raises:
            Unavailable: It cannot be read.
        """
        row = self._row(select(site_rules.c.policy, site_rules.c.networks))
        return SavedRules(None, None) if row is None else saved_from(row.policy, row.networks)


class RulesWriter(RulesReader):
    """The saved rules, written."""

    def set_site_rules(self, rules: SavedRules) -> None:
        """Save both; a part that is None is the configuration file's again."""
        values = {"policy": _text(rules.policy), "networks": _text(rules.networks)}
        statement = upsert(site_rules).values(id=1, **values)
        self._affected(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _text(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
