"""What the store promises about accounts."""

from dataclasses import replace

import pytest
from tests.contract.values import CLI, NOW, a_totp, add_person, an_account

from valetkey.core.account import AccountKind, AccountState
from valetkey.core.errors import Conflict, NotFound, ValetkeyError
from valetkey.core.event import AccountDisabled, KeysRotated
from valetkey.core.role import Role
from valetkey.core.scope import Permission


async def test_an_account_comes_back_as_it_was_stored(store):
    shared = an_account("scanner", kind=AccountKind.SHARED, rights=frozenset({Permission.SEND}), role=Role.ADMIN)
    await store.write(lambda writer: writer.add_account(shared))
    assert await store.read(lambda reader: reader.account("ac_scanner")) == shared
    assert await store.read(lambda reader: reader.account_by_address("scanner@example.org")) == shared
    assert store.find_proven("ac_scanner", None) == (shared, None)


async def test_nobody_is_found_by_another_name(store):
    await store.write(add_person)
    assert await store.read(lambda reader: reader.account("alice@example.org")) is None
    assert await store.read(lambda reader: reader.account_by_address("bob@example.org")) is None
    assert store.find_proven("ac_bob", None) is None


async def test_an_account_without_rights_has_none(store):
    await store.write(lambda writer: writer.add_account(an_account(rights=frozenset())))
    account, _ = store.find_proven("ac_alice", None)
    assert account.rights == frozenset()


async def test_an_address_belongs_to_one_account(store):
    await store.write(add_person)
    with pytest.raises(Conflict, match="taken"):
        await store.write(lambda writer: writer.add_account(an_account(id="ac_other")))
    await store.write(lambda writer: writer.add_alias("ac_alice", "info@example.org"))
    with pytest.raises(Conflict, match="taken"):
        await store.write(lambda writer: add_person(writer, "info"))
    with pytest.raises(Conflict, match="taken"):
        await store.write(lambda writer: writer.add_alias("ac_alice", "alice@example.org"))
    assert await store.read(lambda reader: reader.account_count()) == 1


async def test_an_id_is_never_used_twice(store):
    await store.write(add_person)
    with pytest.raises(Conflict):
        await store.write(lambda writer: writer.add_account(an_account(address="new@example.org")))
    assert await store.read(lambda reader: reader.account_by_address("new@example.org")) is None


async def test_an_alias_finds_its_account_until_it_is_removed(store):
    await store.write(add_person)
    await store.write(lambda writer: writer.add_alias("ac_alice", "b@example.org"))
    await store.write(lambda writer: writer.add_alias("ac_alice", "a@example.org"))
    assert await store.read(lambda reader: reader.aliases("ac_alice")) == ("a@example.org", "b@example.org")
    found = await store.read(lambda reader: reader.account_by_address("a@example.org"))
    assert found.id == "ac_alice"
    assert await store.write(lambda writer: writer.remove_alias("ac_alice", "a@example.org")) is True
    assert await store.write(lambda writer: writer.remove_alias("ac_alice", "a@example.org")) is False
    assert await store.read(lambda reader: reader.account_by_address("a@example.org")) is None


async def test_the_primary_address_cannot_be_removed_as_an_alias(store):
    await store.write(add_person)
    assert await store.write(lambda writer: writer.remove_alias("ac_alice", "alice@example.org")) is False
    assert (await store.read(lambda reader: reader.account_by_address("alice@example.org"))).id == "ac_alice"


async def test_an_alias_of_nobody_is_a_conflict(store):
    with pytest.raises(Conflict):
        await store.write(lambda writer: writer.add_alias("ac_nobody", "x@example.org"))


async def test_state_and_rights_change(store):
    await store.write(add_person)
    await store.write(lambda writer: writer.set_account_state("ac_alice", AccountState.DISABLED))
    await store.write(lambda writer: writer.set_rights("ac_alice", frozenset({Permission.READ})))
    account, _ = store.find_proven("ac_alice", None)
    assert account.state is AccountState.DISABLED
    assert account.rights == frozenset({Permission.READ})


@pytest.mark.parametrize(
    "change",
    [
        lambda writer: writer.set_account_state("ac_nobody", AccountState.DISABLED),
        lambda writer: writer.set_rights("ac_nobody", frozenset()),
    ],
)
async def test_a_change_of_nobody_is_not_silent(store, change):
    with pytest.raises(NotFound):
        await store.write(change)


async def test_a_second_factor_shows_on_the_account_while_it_is_there(store):
    await store.write(add_person)
    await store.write(lambda writer: writer.add_totp(a_totp()))
    assert store.find_proven("ac_alice", None)[0].has_second_factor is True
    assert (await store.read(lambda reader: reader.account("ac_alice"))).has_second_factor is True
    await store.write(lambda writer: writer.remove_totp("to_app"))
    assert store.find_proven("ac_alice", None)[0].has_second_factor is False


async def test_a_list_goes_by_address_and_page(store):
    def fill(writer):
        for name in ("d", "b", "a", "c"):
            add_person(writer, name)
        writer.add_alias("ac_c", "sales@example.org")

    await store.write(fill)

    async def ids(**wanted):
        return [each.id for each in await store.read(lambda reader: reader.accounts(**wanted))]

    assert await ids() == ["ac_a", "ac_b", "ac_c", "ac_d"]
    assert await ids(limit=2) == ["ac_a", "ac_b"]
    assert await ids(after="b@example.org", limit=2) == ["ac_c", "ac_d"]
    assert await ids(search="SALES") == ["ac_c"]
    assert await ids(search="%") == []
    assert await ids(search="_@") == []
    assert await store.read(lambda reader: reader.account_count()) == 4


async def test_owners_of_a_shared_account(store):
    def fill(writer):
        add_person(writer, "alice")
        add_person(writer, "bob")
        add_person(writer, "scanner", kind=AccountKind.SHARED)
        writer.add_owner("ac_scanner", "ac_bob")
        writer.add_owner("ac_scanner", "ac_alice")
        writer.add_owner("ac_scanner", "ac_alice")

    await store.write(fill)
    owners = await store.read(lambda reader: reader.owners("ac_scanner"))
    assert [each.id for each in owners] == ["ac_alice", "ac_bob"]
    assert [each.id for each in await store.read(lambda reader: reader.owned("ac_bob"))] == ["ac_scanner"]
    assert await store.write(lambda writer: writer.remove_owner("ac_scanner", "ac_bob")) is True
    assert await store.write(lambda writer: writer.remove_owner("ac_scanner", "ac_bob")) is False
    assert await store.read(lambda reader: reader.owned("ac_bob")) == ()


async def test_nobody_owns_what_is_not_there(store):
    await store.write(add_person)
    with pytest.raises(Conflict):
        await store.write(lambda writer: writer.add_owner("ac_nothing", "ac_alice"))


async def test_passwords_are_replaced_and_removed(store):
    await store.write(add_person)
    assert await store.read(lambda reader: reader.main_password("ac_alice")) is None
    for hashed in ("$argon2id$one", "$argon2id$two"):
        await store.write(lambda writer, hashed=hashed: writer.set_main_password("ac_alice", hashed))
        assert await store.read(lambda reader: reader.main_password("ac_alice")) == hashed
    for sealed in (b"one", b"two", None):
        await store.write(lambda writer, sealed=sealed: writer.set_upstream_password("ac_alice", sealed))
        assert await store.read(lambda reader: reader.upstream_password("ac_alice")) == sealed


async def test_a_record_stamps_its_account_alone(store):
    await store.write(add_person)
    await store.write(lambda writer: add_person(writer, "bob"))
    number = await store.write(
        lambda writer: writer.record(AccountDisabled(), actor=CLI, at=NOW, account_id="ac_alice")
    )
    await store.write(lambda writer: writer.record(KeysRotated(2), actor=CLI, at=NOW, account_id=None))
    assert number == 3
    assert store.find_proven("ac_alice", None)[0] == replace(an_account(), changed=3)
    assert store.find_proven("ac_bob", None)[0].changed == 2


async def test_a_transaction_that_raises_leaves_nothing(store):
    def fail(writer):
        add_person(writer)
        raise ValetkeyError("no")

    with pytest.raises(ValetkeyError, match="no"):
        await store.write(fail)
    assert await store.read(lambda reader: reader.account_count()) == 0
    assert store.change_number() == 0
    assert await store.verify_audit() == (0, bytes(32))


async def test_a_reader_cannot_write(store):
    with pytest.raises(ValetkeyError, match="read-only"):
        await store.read(lambda reader: reader._connection.exec_driver_sql("DELETE FROM owner"))
