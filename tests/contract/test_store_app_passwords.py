"""What the store promises about app passwords."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy.exc import IntegrityError
from tests.contract.values import (
    MAIL,
    NOW,
    SECOND,
    a_totp,
    add_person,
    add_secret,
    an_account,
    an_app_password,
    index_of,
    proof_of,
)

from valetkey.core.account import AccountState
from valetkey.core.app_password import SecretFormat
from valetkey.core.errors import Conflict, NotFound
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import ALL_PROTOCOLS, PermissionMode, Scope

NARROW = Restrictions(
    expires_at=NOW + timedelta(days=30, microseconds=1),
    idle_for=timedelta(days=90),
    network_rule=NetworkRule.ALLOWED,
    allowed_ips=("192.0.2.0/24", "2001:db8::/32", "the “office”"),
)


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    return store


async def test_a_secret_is_found_with_its_account_and_proof(alice):
    full = an_app_password(scope=Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS), restrictions=NARROW)
    proof = proof_of("phone", key_number=7, slow_hash="$argon2id$slow")
    await alice.write(lambda writer: writer.add_app_password(full, index_of("phone"), proof))
    found = alice.find_login("alice@example.org", [index_of("phone")])
    assert (found.account, found.app_password, found.proof) == (an_account(changed=1), full, proof)
    assert found.is_named is True


async def test_a_secret_is_found_under_any_of_its_indexes(alice):
    await alice.write(add_secret)
    for indexes in ([index_of("other"), index_of("phone")], [index_of("phone"), index_of("other"), index_of("third")]):
        assert alice.find_login("alice@example.org", indexes).app_password.id == "ap_phone"


async def test_nothing_is_found_under_another_index(alice):
    await alice.write(add_secret)
    assert alice.find_login("alice@example.org", [index_of("other")]) is None
    assert alice.find_login("alice@example.org", []) is None
    assert alice.find_login("nobody@example.org", [index_of("other")]) is None


async def test_whether_the_name_is_the_accounts(alice):
    await alice.write(add_secret)
    await alice.write(lambda writer: writer.add_alias("ac_alice", "info@example.org"))
    await alice.write(lambda writer: add_person(writer, "bob"))
    index = [index_of("phone")]
    assert alice.find_login("info@example.org", index).is_named is True
    assert alice.find_login("bob@example.org", index).is_named is False
    assert alice.find_login("nobody@example.org", index).is_named is False


async def test_found_with_what_matters_of_the_account(alice):
    await alice.write(add_secret)
    await alice.write(lambda writer: writer.add_totp(a_totp()))
    await alice.write(lambda writer: writer.set_account_state("ac_alice", AccountState.DISABLED))
    account = alice.find_login("alice@example.org", [index_of("phone")]).account
    assert (account.has_second_factor, account.state) == (True, AccountState.DISABLED)


async def test_looked_up_again_by_its_id_and_account(alice):
    await alice.write(add_secret)
    assert alice.find_proven("ac_alice", "ap_phone") == (an_account(changed=1), an_app_password())
    assert alice.find_proven("ac_alice", "ap_other") is None
    await alice.write(lambda writer: add_person(writer, "bob"))
    assert alice.find_proven("ac_bob", "ap_phone") is None


async def test_a_revoked_one_keeps_its_history_and_nothing_of_its_secret(alice, path):
    await alice.write(add_secret)
    revoke = {"at": NOW, "by": "ac_alice", "reason": "lost"}
    assert await alice.write(lambda writer: writer.set_revoked("ap_phone", **revoke)) is True
    assert await alice.write(lambda writer: writer.set_revoked("ap_phone", **revoke)) is False
    assert alice.find_login("alice@example.org", [index_of("phone")]) is None
    kept = replace(an_app_password(), revoked_at=NOW, revoked_by="ac_alice", revoked_reason="lost")
    assert alice.find_proven("ac_alice", "ap_phone")[1] == kept
    assert await alice.read(lambda reader: reader.app_passwords("ac_alice")) == (kept,)
    assert await alice.read(lambda reader: reader.app_passwords("ac_alice", live_only=True)) == ()
    alice.close()  # the last one to close moves the log into the file
    octets = path.read_bytes()
    assert index_of("phone") not in octets
    assert proof_of("phone").tag not in octets


async def test_a_revoked_one_cannot_come_back(alice):
    await alice.write(add_secret)
    await alice.write(lambda writer: writer.set_revoked("ap_phone", at=NOW, by="cli", reason=""))
    await alice.write(lambda writer: writer.set_proof("ap_phone", index_of("new"), proof_of("new")))
    assert alice.find_login("alice@example.org", [index_of("new")]) is None
    with pytest.raises(NotFound):
        await alice.write(
            lambda writer: writer.set_app_password("ap_phone", description="x", scope=MAIL, restrictions=Restrictions())
        )


@pytest.mark.parametrize("column", ["secret_index", "tag", "key_number"])
async def test_the_database_itself_refuses_half_a_proof(alice, path, column):
    await alice.write(add_secret)
    with sqlite3.connect(path) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute(f"UPDATE app_password SET {column} = NULL")
    other.close()


async def test_the_database_refuses_a_permission_mode_that_does_not_exist(alice, path):
    await alice.write(add_secret)
    with sqlite3.connect(path) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute("UPDATE app_password SET permission_mode = 'all'")
    other.close()


async def test_a_bug_is_no_outage(alice):
    """A broken constraint that no person can cause is raised as it is, without the values."""
    broken = an_app_password(description="x" * 101)
    with pytest.raises(IntegrityError) as caught:
        await alice.write(lambda writer: writer.add_app_password(broken, index_of("phone"), proof_of("phone")))
    assert proof_of("phone").tag.hex() not in str(caught.value)
    assert "x" * 101 not in str(caught.value)


async def test_ids_and_secrets_are_unique(alice):
    await alice.write(add_secret)
    with pytest.raises(Conflict):
        await alice.write(
            lambda writer: writer.add_app_password(an_app_password(), index_of("other"), proof_of("other"))
        )
    with pytest.raises(Conflict):
        await alice.write(
            lambda writer: writer.add_app_password(an_app_password("other"), index_of("phone"), proof_of("other"))
        )


async def test_moved_to_another_key(alice):
    await alice.write(add_secret)
    await alice.write(lambda writer: writer.set_proof("ap_phone", index_of("new"), proof_of("new", 2)))
    assert alice.find_login("alice@example.org", [index_of("phone")]) is None
    assert alice.find_login("alice@example.org", [index_of("new")]).proof == proof_of("new", 2)
    assert await alice.read(lambda reader: reader.key_usage()) == {2: 1}


async def test_changed_in_name_scope_and_restrictions(alice):
    await alice.write(add_secret)
    wanted = {"description": "Tablet", "scope": replace(MAIL, permissions=frozenset()), "restrictions": NARROW}
    await alice.write(lambda writer: writer.set_app_password("ap_phone", **wanted))
    changed = replace(an_app_password(), **wanted)
    assert await alice.read(lambda reader: reader.app_password("ap_phone")) == changed
    assert alice.find_proven("ac_alice", "ap_phone")[1] == changed


async def test_pinned_once(alice):
    pinned = Restrictions(network_rule=NetworkRule.PINNED)
    await alice.write(lambda writer: add_secret(writer, restrictions=pinned))
    await alice.write(lambda writer: add_secret(writer, "free"))
    first, second = ip_network("192.0.2.0/24"), ip_network("2001:db8::/56")
    assert await alice.write(lambda writer: writer.pin_network("ap_phone", first)) is True
    assert await alice.write(lambda writer: writer.pin_network("ap_phone", second)) is False
    assert await alice.write(lambda writer: writer.pin_network("ap_free", first)) is False
    assert alice.find_proven("ac_alice", "ap_phone")[1].restrictions.pinned_network == first


async def test_lapsed_once(alice):
    def fill(writer):
        add_secret(writer, "late", restrictions=Restrictions(expires_at=NOW - SECOND))
        add_secret(writer, "later", restrictions=Restrictions(expires_at=NOW))
        add_secret(writer, "not yet", restrictions=Restrictions(expires_at=NOW + SECOND))
        add_secret(writer, "never")
        add_secret(writer, "revoked", restrictions=Restrictions(expires_at=NOW - SECOND))
        writer.set_revoked("ap_revoked", at=NOW, by="cli", reason="")

    await alice.write(fill)
    due = await alice.read(lambda reader: reader.to_lapse(NOW))
    assert [each.id for each in due] == ["ap_late", "ap_later"]
    assert len(await alice.read(lambda reader: reader.to_lapse(NOW, limit=1))) == 1
    await alice.write(lambda writer: writer.set_lapsed("ap_late", NOW))
    await alice.write(lambda writer: writer.set_lapsed("ap_late", NOW + SECOND))
    assert alice.find_login("alice@example.org", [index_of("late")]).app_password.lapsed_at == NOW
    assert [each.id for each in await alice.read(lambda reader: reader.to_lapse(NOW))] == ["ap_later"]
    assert await alice.read(lambda reader: reader.live_app_password_count("ac_alice")) == 3
    assert await alice.read(lambda reader: reader.key_usage()) == {1: 3}


async def test_the_list_is_newest_first(alice):
    def fill(writer):
        for at, name in enumerate(("first", "second", "third")):
            add_secret(writer, name, created_at=NOW + at * SECOND, format=SecretFormat.DEVICE)

    await alice.write(fill)
    listed = await alice.read(lambda reader: reader.app_passwords("ac_alice"))
    assert [each.description for each in listed] == ["third", "second", "first"]
    assert listed[0].format is SecretFormat.DEVICE
