"""Records as text to take away: CSV (RFC 4180) and JSON lines. Pure: rows in, pieces of text out.

Spreadsheet programs take a cell for a formula that begins with one of a few characters, in quotes too. Names, reasons
and clients are other people's words, so such a cell gets an apostrophe in front, which makes it text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from valetkey.core.event import to_facts
from valetkey.core.event_sentences import describe
from valetkey.service.ports import AuditRecord, LoginEvent

Row = Mapping[str, Any]  # text, whole numbers, aware times, None, or lists and mappings of these

HISTORY_COLUMNS = (
    "at", "kind", "outcome", "reason", "count", "first_at", "protocol", "address", "client", "by", "credential_id", "said",
)  # fmt: skip
AUDIT_COLUMNS = (
    "number", "at", "actor", "actor_address", "account_id", "credential_id", "kind", "said", "facts", "hash",
)  # fmt: skip

# Signs in their full width count as signs, too; what is not seen before them does not help.
_BEGINS_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_UNSEEN = "".join(map(chr, (*range(0x21), 0x7F, 0x85, 0xA0, 0xAD, *range(0x2000, 0x2010), 0x2028, 0x2029, 0xFEFF)))


def csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Write rows as CSV, one piece for each, the names of the columns first. Every cell is in quotes."""
    yield _csv_line(columns)
    for row in rows:
        yield _csv_line([_text(row.get(column)) for column in columns])


def json_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Write rows as JSON, one object in each line."""
    for row in rows:
        yield json.dumps({column: _plain(row.get(column)) for column in columns}) + "\n"


def history_row(entry: AuditRecord | LoginEvent) -> Row:
    """Give a login, a refusal or a change as a row of `HISTORY_COLUMNS`."""
    if isinstance(entry, AuditRecord):
        return {
            "at": entry.at,
            "kind": "change",
            "outcome": entry.kind,
            "count": 1,
            "first_at": entry.at,
            "address": entry.actor_address,
            "by": entry.actor,
            "credential_id": entry.credential_id,
            "said": str(describe(entry.event)),
        }
    is_allowed = entry.result == "allowed"
    return {
        "at": entry.last_at,
        "kind": "login",
        "outcome": "allowed" if is_allowed else "refused",
        "reason": "" if is_allowed else entry.result,
        "count": entry.count,
        "first_at": entry.first_at,
        "protocol": entry.protocol.value,
        "address": entry.network,
        "client": entry.client,
        "credential_id": entry.credential_id,
    }


def audit_row(record: AuditRecord) -> Row:
    """Give an audit record as a row of `AUDIT_COLUMNS`."""
    return {
        "number": record.number,
        "at": record.at,
        "actor": record.actor,
        "actor_address": record.actor_address,
        "account_id": record.account_id,
        "credential_id": record.credential_id,
        "kind": record.kind,
        "said": str(describe(record.event)),
        "facts": to_facts(record.event),
        "hash": record.hash.hex(),
    }


def _csv_line(cells: Sequence[str]) -> str:
    return ",".join(f'"{_harmless(cell).replace(chr(34), chr(34) * 2)}"' for cell in cells) + "\r\n"


def _harmless(cell: str) -> str:
    cell = cell.replace("\0", "")
    begins = cell[:1] in _BEGINS_FORMULA or cell.lstrip(_UNSEEN)[:1] in _BEGINS_FORMULA
    return f"'{cell}" if cell and begins else cell


def _text(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return value
