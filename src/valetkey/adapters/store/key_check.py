"""Holds the key file against the database, before the first login."""

from valetkey.adapters.store.key_numbers import check_value
from valetkey.adapters.store.store import SqliteStore
from valetkey.adapters.store.work import SqliteReader, SqliteWriter
from valetkey.core.errors import CannotStart
from valetkey.service.ports import Keys


async def check_keys(store: SqliteStore, keys: Keys) -> None:
    """Refuse to start with a key file that is not this database's; remember the keys that are new to it.

    Raises:
        CannotStart: A key is another one than before, or one is missing that something is still kept under.
        Unavailable: The database cannot be asked.
    """
    held = {number: check_value(keys, number) for number in keys.numbers}
    known = await store.read(lambda reader: _hold_against(reader, held))
    if held.keys() - known:
        await store.write(lambda writer: _remember(writer, held))


def _hold_against(reader: SqliteReader, held: dict[int, bytes]) -> frozenset[int]:
    known = reader.key_checks()
    other = sorted(number for number, value in known.items() if held.get(number, value) != value)
    if other:
        raise CannotStart(
            f"This key file does not belong to this database: key {other[0]} is another one. "
            "Put the right key file back; with this one no password would work."
        )
    used = frozenset(reader.key_usage()) | reader.sealing_keys() | reader.token_keys()
    missing = sorted(used - held.keys())
    if missing:
        raise CannotStart(
            f"This key file does not belong to this database: key {missing[0]} is missing, and still in use. "
            "Put the right key file back; with this one some passwords would not work."
        )
    return frozenset(known)


def _remember(writer: SqliteWriter, held: dict[int, bytes]) -> None:
    known = _hold_against(writer, held)  # again: another process may have been faster
    for number in sorted(held.keys() - known):
        writer.add_key_check(number, held[number])
