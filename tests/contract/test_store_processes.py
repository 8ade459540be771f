"""Several processes on one database, and backups while it is written."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.values import CLI, NOW, add_person, add_secret, index_of

from valetkey.adapters.store import SqliteStore, backup, check_file, open_store
from valetkey.core.errors import CannotStart, Conflict, Unavailable
from valetkey.core.event import KeysRotated

CHILD = Path(__file__).with_name("child.py")


def test_processes_that_start_together_make_one_database(path):
    """Four processes make, migrate and fill the same database at once; every change has its own number."""
    children = [
        subprocess.Popen([sys.executable, CHILD, "write_some", path, f"p{each}", "25"], stdout=subprocess.PIPE)
        for each in range(4)
    ]
    assert [child.communicate(timeout=60)[0] for child in children] == [b"done\n"] * 4
    store = open_store(path)
    assert asyncio.run(store.verify_audit())[0] == 200
    assert asyncio.run(store.read(lambda reader: reader.account_count())) == 100
    store.close()
    assert check_file(path) == []


async def test_another_process_sees_a_change_at_once(store, path):
    other = open_store(path)
    await store.write(add_person)
    await store.write(add_secret)
    assert other.change_number() == 1
    assert other.find_login("alice@example.org", [index_of("phone")]).is_named
    await store.write(lambda writer: writer.set_revoked("ap_phone", at=NOW, by="cli", reason=""))
    assert other.find_login("alice@example.org", [index_of("phone")]) is None
    other.close()


async def test_a_read_is_one_state(store, path):
    """What is written meanwhile is not seen half."""
    other = open_store(path)
    await store.write(add_person)

    def counted(reader):
        before = reader.account_count()
        asyncio.run(other.write(lambda writer: add_person(writer, "bob")))
        return before, reader.account_count()

    assert await store.read(counted) == (1, 1)
    assert await store.read(lambda reader: reader.account_count()) == 2
    other.close()


async def write_until(store: SqliteStore, is_over: asyncio.Event) -> int:
    count = 0
    while not is_over.is_set():
        count += 1
        await store.write(lambda writer, name=f"p{count}": add_person(writer, name))
    return count


async def test_backups_while_it_is_written(store, path, tmp_path):
    is_over = asyncio.Event()
    writing = asyncio.create_task(write_until(store, is_over))
    counts = []
    for number in range(5):
        target = tmp_path / f"backup{number}.db"
        await asyncio.to_thread(backup, path, target)
        assert target.stat().st_mode & 0o777 == 0o600
        assert check_file(target) == []
        copy = open_store(target)
        verified = await copy.verify_audit()
        assert verified[0] == await copy.read(lambda reader: reader.account_count())
        counts.append(verified[0])
        copy.close()
    is_over.set()
    assert counts == sorted(counts)
    assert counts[-1] <= await writing
    assert {part.suffix for part in tmp_path.iterdir()} <= {".db", ".db-wal", ".db-shm"}


async def test_a_backup_is_one_file(store, path, tmp_path):
    await store.write(add_person)
    folder = tmp_path / "backups"
    folder.mkdir()
    backup(path, folder / "today.db")
    assert [part.name for part in folder.iterdir()] == ["today.db"]


async def test_a_backup_overwrites_nothing(store, path, tmp_path):
    target = tmp_path / "there"
    target.write_text("kept")
    with pytest.raises(Conflict, match="overwrites nothing"):
        backup(path, target)
    with pytest.raises(Conflict):
        backup(path, path)
    assert target.read_text() == "kept"


def test_a_backup_of_nothing(tmp_path):
    with pytest.raises(CannotStart, match="no database"):
        backup(tmp_path / "missing.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_backup_to_nowhere(store, path, tmp_path):
    with pytest.raises(Unavailable, match="cannot be written"):
        backup(path, tmp_path / "missing" / "copy.db")


async def test_a_tampered_database_makes_no_backup(store, path, tmp_path):
    await store.write(lambda writer: writer.record(KeysRotated(1), actor=CLI, at=NOW, account_id=None))
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER audit_is_not_altered")
        other.execute("UPDATE audit SET at = 1")
    other.close()
    with pytest.raises(Unavailable, match="audit record 1"):
        backup(path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert not [part for part in tmp_path.iterdir() if "copy" in part.name]
