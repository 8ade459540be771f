"""The site's rules: from the file until something is saved, then from the store, in every process at once."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from valetkey.adapters.rules import StoredRules
from valetkey.adapters.store import SqliteStore, open_store
from valetkey.core.errors import Unavailable
from valetkey.core.event import PolicyChanged
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy, policy_facts
from valetkey.service.ports import OPERATOR, Writer
from valetkey.service.store_parts import SavedRules

FILE = Policy(max_app_passwords=7)
OFFICE = NamedNetworks({"office": (ip_network("203.0.113.0/24"),)})
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(tmp_path / "valetkey.db")
    yield opened
    opened.close()


async def save(store: SqliteStore, rules: SavedRules) -> None:
    def work(writer: Writer) -> None:
        writer.set_site_rules(rules)
        writer.record(PolicyChanged({}, {}), actor=OPERATOR, at=NOW, account_id=None)

    await store.write(work)


async def test_the_file_holds_until_something_is_saved(store: SqliteStore) -> None:
    rules = StoredRules(store, FILE, OFFICE)
    assert rules.current().policy == FILE
    assert rules.current().networks == OFFICE


async def test_what_is_saved_holds_at_once_in_another_process_too(store: SqliteStore, tmp_path: Path) -> None:
    rules = StoredRules(store, FILE, OFFICE)
    assert rules.current().policy == FILE
    other = open_store(tmp_path / "valetkey.db")
    try:
        wanted = replace(FILE, max_lifetime=timedelta(days=30))
        await save(other, SavedRules(policy_facts(wanted), {"vpn": ["2001:db8::/32"]}))
        assert rules.current().policy == wanted
        assert rules.current().networks == NamedNetworks({"vpn": (ip_network("2001:db8::/32"),)})
        await save(other, SavedRules(None, None))
        assert rules.current().policy == FILE
        assert rules.current().networks == OFFICE
    finally:
        other.close()


async def test_each_part_is_the_files_until_it_is_saved(store: SqliteStore) -> None:
    rules = StoredRules(store, FILE, OFFICE)
    await save(store, SavedRules(None, {"vpn": ["2001:db8::/32"]}))
    assert rules.current().policy == FILE
    assert set(rules.current().networks.by_name) == {"vpn"}


async def test_unchanged_rules_are_not_read_again(store: SqliteStore) -> None:
    rules = StoredRules(store, FILE, OFFICE)
    await save(store, SavedRules(policy_facts(FILE), None))
    before = rules.current()
    await store.write(lambda writer: writer.record(PolicyChanged({}, {}), actor=OPERATOR, at=NOW, account_id=None))
    assert rules.current() is before


@pytest.mark.parametrize(
    ("policy", "networks"),
    [
        ("{", None),
        ("[]", None),
        ('"text"', None),
        ('{"require_tls": "no"}', None),
        ('{"max_app_passwords": 100000}', None),
        ('{"unknown": 1}', None),
        (None, "7"),
        (None, '{"office": ["0.0.0.0/0"]}'),
        (None, '{"office": 7}'),
        (None, '{"office": [7]}'),
        (None, '{"": ["192.0.2.0/24"]}'),
    ],
)
async def test_damaged_rules_are_unavailable_and_never_looser(
    store: SqliteStore, tmp_path: Path, policy: str | None, networks: str | None
) -> None:
    rules = StoredRules(store, FILE, OFFICE)
    await save(store, SavedRules(policy_facts(replace(FILE, strict_hash=True)), None))
    assert rules.current().policy.strict_hash
    with sqlite3.connect(tmp_path / "valetkey.db") as raw:
        raw.execute("UPDATE site_rules SET policy = ?, networks = ?", (policy, networks))
        raw.execute("UPDATE counter SET number = number + 1")
    raw.close()
    for _ in range(2):
        with pytest.raises(Unavailable, match="policy reset"):
            rules.current()


async def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = open_store(tmp_path / "valetkey.db")
    rules = StoredRules(store, FILE, OFFICE)
    store.close()
    with pytest.raises(Unavailable):
        rules.current()


async def test_a_look_up_of_the_moment_spares_another_and_an_old_one_does_not(store: SqliteStore) -> None:
    rules = StoredRules(store, FILE, OFFICE)
    rules.current()
    number = store.change_number()
    assert rules.current(number) is rules.current()
    stricter = replace(FILE, max_app_passwords=3)
    await save(store, SavedRules(policy_facts(stricter), None))
    # Whoever has read the number after the change gets the rules after it.
    assert rules.current(store.change_number()).policy == stricter
    assert rules.current(store.change_number()).policy == stricter
    assert rules.current(number).policy == stricter
