"""Every way in which a database can be out of order: each is named, none is a wrong answer, none lasts longer than it must."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from tests.contract.values import NOW, a_login, add_person, add_secret, an_account, index_of

from valetkey.adapters.store import check_file, open_store
from valetkey.core.errors import CannotStart, Unavailable

CHILD = Path(__file__).with_name("child.py")


def run_child(*arguments):
    done = subprocess.run(
        [sys.executable, CHILD, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def every_use(store):
    """What each way of asking the store says."""

    async def said(use):
        try:
            answer = use()
            if asyncio.iscoroutine(answer):
                await answer
        except Unavailable as error:
            return str(error)
        return "answered"

    uses = {
        "find_login": lambda: store.find_login("alice@example.org", [index_of("phone")]),
        "find_proven": lambda: store.find_proven("ac_alice", "ap_phone"),
        "change_number": store.change_number,
        "changes": lambda: store.changes(0),
        "read": lambda: store.read(lambda reader: reader.accounts()),
        "write": lambda: store.write(lambda writer: add_person(writer, "new")),
        "add_login_events": lambda: store.add_login_events([a_login()]),
        "verify_audit": store.verify_audit,
    }
    return {name: await said(use) for name, use in uses.items()}


@pytest.fixture
def watchful(monkeypatch):
    """Look at the file before each look-up, not only ten times a second."""
    monkeypatch.setattr("valetkey.adapters.store.store._LOOK_EVERY", -1)


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    await store.write(add_secret)
    return store


async def test_locked_by_another_process(alice, path):
    with subprocess.Popen(
        [sys.executable, CHILD, "hold_lock", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"locked\n"
        began = time.monotonic()
        with pytest.raises(Unavailable, match="locked"):
            await alice.write(add_person)
        assert 0.2 < time.monotonic() - began < 30
        assert alice.find_login("alice@example.org", [index_of("phone")]).is_named
        assert (await alice.read(lambda reader: reader.account("ac_alice"))).id == "ac_alice"
        holder.stdin.close()
        holder.wait(10)
    await alice.write(lambda writer: add_person(writer, "bob"))


async def test_full(alice):
    def fill(writer):
        pages = writer._connection.exec_driver_sql("PRAGMA page_count").scalar()
        writer._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        for number in range(2_000):
            add_person(writer, f"person{number}")

    with pytest.raises(Unavailable, match="full"):
        await alice.write(fill)
    assert await alice.read(lambda reader: reader.account_count()) == 1
    assert alice.find_login("alice@example.org", [index_of("phone")]).is_named
    await alice.write(lambda writer: writer._connection.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    await alice.write(lambda writer: add_person(writer, "bob"))
    assert (await alice.verify_audit())[0] == 2


@pytest.fixture
def shown():
    """A folder that other users can look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def test_read_only(shown, alice, path):
    copy = shown / "valetkey.db"
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    writing = target.execute("PRAGMA journal_mode = WAL") and target
    writing.execute("CREATE TABLE kept (open)")  # the log and its index stay while this connection is open
    for part in shown.iterdir():
        part.chmod(0o444)
    said = run_child("read_only", copy)
    writing.close()
    assert said[0] == "change 1"
    assert said[1].startswith("refused: The database is read-only")
    assert said[2] == "accounts 1"


async def test_gone(watchful, alice, path):
    kept = path.with_name("kept")
    path.rename(kept)
    said = await every_use(alice)
    assert {text for text in said.values() if "is gone" not in text} == set()
    kept.rename(path)
    assert set((await every_use(alice)).values()) == {"answered"}


async def test_replaced(watchful, alice, path):
    """A file that was put in its place is not taken for the one that was opened: nothing goes to a file without a name."""
    other = open_store(path.with_name("other.db"))
    other.close()
    path.with_name("other.db").replace(path)
    said = await every_use(alice)
    assert {text for text in said.values() if "restart" not in text} == set()


def damage(path, beginning=4096):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(beginning)
        file.write(b"\xa5" * (size - beginning))


async def test_damaged_while_it_is_open(alice, path):
    await alice.read(lambda reader: None)
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    damage(path)
    fresh = open_or_reason(path)
    said = {"open": fresh} if isinstance(fresh, str) else await every_use(fresh)
    assert {text for text in said.values() if "damaged" not in text} == set()
    assert "damaged" in check_file(path)[0]


def open_or_reason(path):
    try:
        return open_store(path)
    except CannotStart as error:
        return str(error)


async def test_a_missing_table_is_damage(alice, path):
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE address")
    other.close()
    with pytest.raises(Unavailable, match="damaged"):
        alice.find_login("alice@example.org", [index_of("phone")])
    with pytest.raises(Unavailable, match="damaged"):
        await alice.write(add_person)


async def test_closed(alice):
    alice.close()
    said = await every_use(alice)
    assert {text for text in said.values() if "closed" not in text} == set()


async def test_work_that_takes_too_long_is_cut_off(path):
    slow = open_store(path, busy_timeout=0.1)
    slow._deadline = 0.2
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    began = time.monotonic()
    with pytest.raises(Unavailable, match="too long"):
        await slow.read(lambda reader: reader._connection.exec_driver_sql(endless).scalar())
    assert time.monotonic() - began < 30
    slow._deadline = 10
    assert await slow.read(lambda reader: reader.account_count()) == 0
    slow.close()


async def test_a_crowd_is_turned_away_and_not_queued_for_ever(path, monkeypatch):
    monkeypatch.setattr("valetkey.adapters.store.store._MAX_WAITING", 9)
    store = open_store(path)
    asked = [store.write(lambda writer: writer.account_count()) for _ in range(50)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    turned_away = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert (answers.count(0), len(turned_away)) == (10, 40)
    assert await store.write(lambda writer: writer.account_count()) == 0
    store.close()


async def test_a_write_that_nobody_waits_for_any_more_is_not_begun(store):
    is_free, has_begun = threading.Event(), threading.Event()

    def hold(_):
        has_begun.set()
        assert is_free.wait(10)

    holding = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(has_begun.wait, 10)
    waiting = asyncio.create_task(store.write(add_person))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    is_free.set()
    await holding
    assert await store.read(lambda reader: reader.account_count()) == 0


@pytest.mark.parametrize("content", [b"no database\n" * 1000, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 8000])
def test_no_database_at_all(path, content):
    path.write_bytes(content)
    with pytest.raises(CannotStart, match="damaged, or no database"):
        open_store(path)
    assert path.read_bytes() == content
    assert "damaged" in " ".join(check_file(path))


def test_another_programs_database(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photos (name)")
    other.close()
    with pytest.raises(CannotStart, match="another program"):
        open_store(path)


def test_a_newer_version(store, path):
    store.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()
    before = path.read_bytes()
    with pytest.raises(CannotStart, match="newer Valetkey"):
        open_store(path)
    assert path.read_bytes() == before
    assert any("newer Valetkey" in problem for problem in check_file(path))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CannotStart, match="cannot be made"):
        open_store(tmp_path / "missing" / "valetkey.db")
    assert "cannot be looked at" in check_file(tmp_path / "missing" / "valetkey.db")[0]


def test_a_folder_in_its_place(tmp_path):
    with pytest.raises(CannotStart):
        open_store(tmp_path)


def test_only_the_owner_may_read_it(path):
    before = os.umask(0)
    try:
        store = open_store(path)
        asyncio.run(store.write(add_person))
        modes = {part.name: part.stat().st_mode & 0o777 for part in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert set(modes) == {"valetkey.db", "valetkey.db-wal", "valetkey.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_file_that_others_may_read_is_a_problem(store, path):
    path.chmod(0o644)
    assert any(f"chmod 600 {path}" in problem for problem in check_file(path))


def test_an_empty_file_is_filled(path):
    path.touch()
    assert "empty" in " ".join(check_file(path))
    open_store(path).close()
    assert check_file(path.with_name(path.name))[-1:] != []
    path.chmod(0o600)
    assert check_file(path) == []


async def test_opened_again_it_holds_what_was_written(store, path):
    await store.write(add_person)
    store.close()
    again = open_store(path)
    assert (await again.read(lambda reader: reader.account("ac_alice"))) == an_account(changed=1, created_at=NOW)
    again.close()


def test_a_store_is_used_by_the_process_that_opened_it(path):
    """A child after a fork is refused four ways, opens a store of its own, and both go on."""
    assert run_child("fork", path) == ["child ended with 4, accounts 3"]


def test_a_copied_file_is_the_same_database(store, path):
    asyncio.run(store.write(add_person))
    store.close()
    shutil.copy(path, path.with_name("copy.db"))
    copy = open_store(path.with_name("copy.db"))
    assert copy.change_number() == 1
    copy.close()
