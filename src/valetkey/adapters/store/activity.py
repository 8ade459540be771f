"""Login events in the store: coalesced, written in batches, each list bounded."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select

from valetkey.adapters.store.rows import micros, moment
from valetkey.adapters.store.schema import login_event, login_event_list
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LoginEvent
from valetkey.service.store_parts import LoginFilter

ACCOUNT_ENTRIES = 1_000  # kept per account
NOBODY_ENTRIES = 10_000  # kept for names that no account has, all together
_MAX_TEXT = 200  # characters of what a client calls itself
_NOBODY = ""
_ALLOWED = "allowed"

_MERGE = """
INSERT INTO login_event (account_id, credential_id, protocol, network, client, result, first_at, last_at, count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, credential_id, protocol, network, client, result) DO UPDATE SET
  first_at = min(first_at, excluded.first_at),
  last_at = max(last_at, excluded.last_at),
  count = count + excluded.count
"""
_SET_LAST_USE = """
UPDATE app_password
SET last_use_at = ?1, last_use_address = ?2, last_use_protocol = ?3, last_use_client = ?4
WHERE id = ?5 AND (last_use_at IS NULL OR last_use_at < ?1)
"""
_SET_LAST_REFUSAL = """
UPDATE app_password
SET last_refusal_at = ?1, last_refusal_address = ?2, last_refusal_protocol = ?3, last_refusal_reason = ?4
WHERE id = ?5 AND (last_refusal_at IS NULL OR last_refusal_at < ?1)
"""
_OVERFULL = """
SELECT account_id, entries - CASE account_id WHEN '' THEN ?1 ELSE ?2 END FROM login_event_list
WHERE entries > CASE account_id WHEN '' THEN ?1 ELSE ?2 END AND account_id IN (SELECT value FROM json_each(?3))
"""
# First what proved nothing: anybody can bring it about, and could else wash a list clean of what was done.
_DROP_OLDEST = f"""
DELETE FROM login_event WHERE id IN
  (SELECT id FROM login_event WHERE account_id = ?1
   ORDER BY credential_id <> '' OR result = '{_ALLOWED}', last_at, id LIMIT ?2)
"""  # noqa: S608  (a word of ours)
_COUNT_DROPPED = "UPDATE login_event_list SET entries = entries - ?2, dropped = dropped + ?2 WHERE account_id = ?1"


def storable(text: str) -> str:
    """Give untrusted text as it can be stored: of bounded length, without half surrogates."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()


def merged(events: Iterable[LoginEvent]) -> tuple[LoginEvent, ...]:
    """Merge equal events of a batch into one each."""
    by_key: dict[tuple[str | None, ...], LoginEvent] = {}
    for event in events:
        known = by_key.get(event.key)
        by_key[event.key] = event if known is None else known.joined(event)
    return tuple(by_key.values())


class ActivityReader(Transaction):
    """What can be read of login events."""

    def login_events(self, account_id: str | None, limit: int = 100) -> tuple[LoginEvent, ...]:
        """List the login events of an account, or those of unknown names (None), the latest first."""
        statement = select(login_event).where(login_event.c.account_id == (account_id or _NOBODY))
        order = (login_event.c.last_at.desc(), login_event.c.id.desc())
        return tuple(_event_from(row) for row in self._rows(statement.order_by(*order).limit(limit)))

    def login_events_where(self, wanted: LoginFilter, limit: int = 100) -> tuple[LoginEvent, ...]:
        """List the login events of an account that a filter lets pass, the latest first."""
        statement = select(login_event).where(login_event.c.account_id == wanted.account_id)
        if wanted.credential_id is not None:
            statement = statement.where(login_event.c.credential_id == wanted.credential_id)
        if wanted.results:
            statement = statement.where(login_event.c.result.in_(wanted.results))
        if wanted.refused_only:
            statement = statement.where(login_event.c.result != _ALLOWED)
        if wanted.since is not None:
            statement = statement.where(login_event.c.last_at >= micros(wanted.since))
        if wanted.until is not None:
            statement = statement.where(login_event.c.last_at < micros(wanted.until))
        order = (login_event.c.last_at.desc(), login_event.c.id.desc())
        return tuple(_event_from(row) for row in self._rows(statement.order_by(*order).limit(limit)))

    def login_events_dropped(self, account_id: str | None) -> int:
        """Count how many entries of a list were dropped because it was full."""
        statement = select(login_event_list.c.dropped).where(login_event_list.c.account_id == (account_id or _NOBODY))
        return int(self._value(statement) or 0)


def _event_from(row: Any) -> LoginEvent:
    return LoginEvent(
        account_id=row.account_id or None,
        credential_id=row.credential_id or None,
        protocol=MailProtocol(row.protocol),
        network=row.network,
        client=row.client,
        result=row.result,
        first_at=moment(row.first_at),
        last_at=moment(row.last_at),
        count=row.count,
    )


class ActivityWriter(ActivityReader):
    """Writes login events."""

    def merge_login_events(self, events: Sequence[LoginEvent]) -> None:
        """Merge a batch that `merged` has made, and drop the oldest entries of lists that are too long by it."""
        self._many(_MERGE, [_merge_values(event) for event in events])
        self._many(_SET_LAST_USE, [_last_values(event, event.client) for event in events if _is_use(event)])
        self._many(_SET_LAST_REFUSAL, [_last_values(event, event.result) for event in events if _is_refusal(event)])
        lists = json.dumps(sorted({event.account_id or _NOBODY for event in events}))
        bounds = (NOBODY_ENTRIES, ACCOUNT_ENTRIES, lists)
        overfull = [(row[0], row[1]) for row in self._connection.exec_driver_sql(_OVERFULL, bounds)]
        self._many(_DROP_OLDEST, overfull)
        self._many(_COUNT_DROPPED, overfull)

    def _many(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        if values:
            self._connection.exec_driver_sql(statement, values)


def _is_use(event: LoginEvent) -> bool:
    return event.credential_id is not None and event.result == _ALLOWED


def _is_refusal(event: LoginEvent) -> bool:
    return event.credential_id is not None and event.result != _ALLOWED


def _merge_values(event: LoginEvent) -> tuple[Any, ...]:
    return (
        event.account_id or _NOBODY,
        event.credential_id or "",
        event.protocol.value,
        event.network,
        storable(event.client),
        event.result,
        micros(event.first_at),
        micros(event.last_at),
        event.count,
    )


def _last_values(event: LoginEvent, how: str) -> tuple[Any, ...]:
    return micros(event.last_at), event.network, event.protocol.value, storable(how), event.credential_id
