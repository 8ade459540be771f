"""The audit log: numbers, the feed of changes, and every way of tampering with it."""

import asyncio
import sqlite3
from datetime import timedelta

import pytest
from tests.contract.values import CLI, NOW, SECOND, add_person

from valetkey.adapters.store import check_file
from valetkey.core.errors import Unavailable
from valetkey.core.event import (
    AccountCreated,
    AliasAdded,
    AppPasswordIssued,
    Exported,
    KeysRotated,
    NetworksChanged,
    PolicyChanged,
    RightsSet,
)
from valetkey.service.ports import Actor, ActorKind, AuditFault, Change
from valetkey.service.store_parts import AuditFilter

ALICE = Actor(ActorKind.ACCOUNT, "ac_alice", "192.0.2.1")
COLUMNS = ("number", "at", "actor", "actor_address", "account_id", "credential_id", "kind", "facts", "hash")


@pytest.fixture
async def written(store):
    """Five records, the third with every column filled."""

    def fill(writer):
        add_person(writer)
        add_person(writer, "bob")
        issued = AppPasswordIssued("Phöne", "read", ("imap", "smtp"), None, ())
        writer.record(issued, actor=ALICE, at=NOW + SECOND, account_id="ac_alice", credential_id="ap_phone")
        writer.record(RightsSet(("read",)), actor=CLI, at=NOW, account_id="ac_bob")
        writer.record(KeysRotated(2), actor=CLI, at=NOW, account_id=None)

    await store.write(fill)
    return store


@pytest.fixture
def tamper(path):
    """Somebody with a tool for SQLite."""

    def run(*statements):
        with sqlite3.connect(path) as other:
            other.execute("DROP TRIGGER IF EXISTS audit_is_not_altered")
            other.execute("DROP TRIGGER IF EXISTS audit_is_not_deleted")
            for statement in statements:
                other.execute(statement)
        other.close()

    return run


async def test_records_come_back_newest_first(written):
    records = await written.read(lambda reader: reader.audit())
    assert [each.number for each in records] == [5, 4, 3, 2, 1]
    third = records[2]
    assert third.event == AppPasswordIssued("Phöne", "read", ("imap", "smtp"), None, ())
    assert (third.actor, third.actor_address) == ("ac_alice", "192.0.2.1")
    assert (third.account_id, third.credential_id, third.kind) == ("ac_alice", "ap_phone", "AppPasswordIssued")
    assert third.at == NOW + SECOND
    assert records[0].actor == "operator"


async def test_records_are_chosen_by_account_and_number(written):
    async def numbers(**wanted):
        return [each.number for each in await written.read(lambda reader: reader.audit(**wanted))]

    assert await numbers(account_id="ac_alice") == [3, 1]
    assert await numbers(after=2) == [5, 4, 3]
    assert await numbers(before=3) == [2, 1]
    assert await numbers(after=1, before=5, limit=2) == [4, 3]
    assert await numbers(account_id="ac_nobody") == []


async def test_the_feed_tells_rules_that_all_logins_stand_on_from_what_none_does(store):
    def work(writer):
        for event in (KeysRotated(2), PolicyChanged({}, {}), Exported("audit log", 1), NetworksChanged({}, {})):
            writer.record(event, actor=CLI, at=NOW, account_id=None)

    await store.write(work)
    assert [change.account_id for change in store.changes(0)] == ["", None, "", None]


async def test_the_feed_names_each_change_in_order(written):
    assert written.change_number() == 5
    assert written.changes(2) == (Change(3, "ac_alice"), Change(4, "ac_bob"), Change(5, ""))
    assert written.changes(0, limit=1) == (Change(1, "ac_alice"),)
    assert written.changes(5) == ()


async def test_the_chain_holds(written, path):
    count, last = await written.verify_audit()
    assert count == 5
    assert last == (await written.read(lambda reader: reader.audit(limit=1)))[0].hash
    assert check_file(path) == []


async def test_a_long_chain_holds_across_parts(store):
    def many(writer):
        for _ in range(1000):
            writer.record(KeysRotated(2), actor=CLI, at=NOW, account_id=None)

    await store.write(many)
    assert (await store.verify_audit())[0] == 1000
    await store.write(many)
    await store.write(add_person)
    assert (await store.verify_audit())[0] == 2001


async def test_parallel_records_get_a_number_each(store):
    await store.write(add_person)
    event = AccountCreated("x", "person")
    numbers = await asyncio.gather(
        *(
            store.write(lambda writer: writer.record(event, actor=CLI, at=NOW, account_id="ac_alice"))
            for _ in range(100)
        )
    )
    assert sorted(numbers) == list(range(2, 102))
    assert (await store.verify_audit())[0] == 101


FLIPS = [
    ("at", "at = at + 1"),
    ("actor", "actor = 'ac_bob'"),
    ("actor_address", "actor_address = '192.0.2.2'"),
    ("account_id", "account_id = 'ac_bob'"),
    ("account_id", "account_id = NULL"),
    ("credential_id", "credential_id = 'ap_other'"),
    ("credential_id", "credential_id = NULL"),
    ("kind", "kind = 'AppPasswordRevoked'"),
    ("facts", "facts = replace(facts, 'read', 'send')"),
    ("hash", "hash = zeroblob(32)"),
]


def test_every_column_is_flipped_below():
    assert {column for column, _ in FLIPS} == set(COLUMNS) - {"number"}


@pytest.mark.parametrize("flip", [flip for _, flip in FLIPS])
async def test_an_altered_record_is_named(written, tamper, path, flip):
    tamper(f"UPDATE audit SET {flip} WHERE number = 3")
    fault = await written.verify_audit()
    assert isinstance(fault, AuditFault)
    assert fault.number == 3
    assert "altered" in str(fault.what)
    assert any("audit record 3:" in problem for problem in check_file(path))


@pytest.mark.parametrize("number", [1, 5])
async def test_the_first_and_the_last_record_are_held_as_well(written, tamper, number):
    tamper(f"UPDATE audit SET at = at + 1 WHERE number = {number}")
    assert (await written.verify_audit()).number == number


@pytest.mark.parametrize("number", [1, 3, 4])
async def test_a_removed_record_is_named(written, tamper, number):
    tamper(f"DELETE FROM audit WHERE number = {number}")
    fault = await written.verify_audit()
    assert (fault.number, "missing" in str(fault.what)) == (number, True)


async def test_removed_and_numbered_anew_is_seen(written, tamper):
    tamper("DELETE FROM audit WHERE number = 3", "UPDATE audit SET number = number - 1 WHERE number > 3")
    assert (await written.verify_audit()).number == 3


async def test_exchanged_records_are_seen(written, tamper):
    tamper(
        "UPDATE audit SET number = 99 WHERE number = 2",
        "UPDATE audit SET number = 2 WHERE number = 4",
        "UPDATE audit SET number = 4 WHERE number = 99",
    )
    assert (await written.verify_audit()).number == 2


async def test_a_cut_tail_is_seen(written, tamper):
    tamper("DELETE FROM audit WHERE number > 3")
    fault = await written.verify_audit()
    assert fault.number == 4
    assert "up to 5" in str(fault.what)


async def test_a_cut_tail_with_its_counter_set_back_by_hand_is_seen(written, tamper):
    tamper("DELETE FROM audit WHERE number > 3", "UPDATE counter SET number = 3")
    fault = await written.verify_audit()
    assert (fault.number, "end of the chain" in str(fault.what)) == (3, True)


async def test_a_record_put_behind_the_end_is_seen(written, tamper):
    columns = ", ".join(COLUMNS[1:])
    tamper(f"INSERT INTO audit SELECT 6, {columns} FROM audit WHERE number = 5")
    assert (await written.verify_audit()).number == 6
    tamper("DELETE FROM audit WHERE number = 6", "DELETE FROM audit WHERE number = 1")
    tamper(f"INSERT INTO audit SELECT 1, {columns} FROM audit WHERE number = 2")
    assert (await written.verify_audit()).number == 1


async def test_a_missing_counter_is_a_fault_and_not_a_beginning(written, tamper):
    tamper("DELETE FROM counter")
    assert isinstance(await written.verify_audit(), AuditFault)
    with pytest.raises(Unavailable, match="valetkey check"):
        await written.write(lambda writer: add_person(writer, "carol"))
    with pytest.raises(Unavailable):
        written.change_number()


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
async def test_the_database_itself_refuses_to_alter_records(written, path, statement):
    with sqlite3.connect(path) as other, pytest.raises(sqlite3.IntegrityError, match="never"):
        other.execute(statement)
    other.close()


@pytest.mark.parametrize("change", ["kind = 'FromTheFuture'", "facts = 'not json'", "facts = '{\"x\": 1}'"])
async def test_a_record_that_cannot_be_read_is_no_empty_list(written, tamper, change):
    tamper(f"UPDATE audit SET {change} WHERE number = 2")
    with pytest.raises(Unavailable, match="record 2"):
        await written.read(lambda reader: reader.audit())


async def test_records_are_found_by_what_they_are_about(store):
    await store.write(add_person)
    await store.write(lambda writer: add_person(writer, "bob"))

    def fill(writer):
        for hour, (account, credential) in enumerate((("ac_alice", "ap_phone"), ("ac_bob", None), ("ac_alice", None))):
            at = NOW + timedelta(hours=hour)
            writer.record(AliasAdded(f"a{hour}"), actor=CLI, at=at, account_id=account, credential_id=credential)

    await store.write(fill)

    async def found(**wanted):
        records = await store.read(lambda reader: reader.audit_where(AuditFilter(**wanted)))
        return [record.number for record in records]

    assert await found() == [5, 4, 3, 2, 1]
    assert await found(account_id="ac_alice") == [5, 3, 1]
    assert await found(credential_id="ap_phone") == [3]
    assert await found(kinds=("AliasAdded",), account_id="ac_bob") == [4]
    assert await found(since=NOW + timedelta(hours=1)) == [5, 4]
    assert await found(until=NOW + timedelta(hours=1), kinds=("AliasAdded",)) == [3]
    assert await found(actor="nobody") == []
    newest = await store.read(lambda reader: reader.audit_where(AuditFilter(), before=5, limit=2))
    assert [record.number for record in newest] == [4, 3]
