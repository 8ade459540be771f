"""What the store promises about passkeys, spent challenges and refused sign-ins."""

import asyncio
from dataclasses import replace

import pytest
from tests.contract.values import NOW, SECOND, add_person

from valetkey.adapters.store.refused_sign_ins import KEPT
from valetkey.core.errors import Conflict, NotFound
from valetkey.core.passkey import Passkey
from valetkey.service.store_parts import RefusedSignIn

PASSKEY = Passkey("pk_laptop", "ac_alice", "Laptop", b"\x01\xff", b"cose", 7, ("internal", "hybrid"), True, NOW, None)


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    return store


async def test_passkeys_come_back_oldest_first_and_by_their_credential(alice):
    older = replace(PASSKEY, id="pk_old", credential_id=b"old", created_at=NOW - SECOND, transports=(), is_synced=False)
    await alice.write(lambda writer: (writer.add_passkey(PASSKEY), writer.add_passkey(older)))
    assert await alice.read(lambda reader: reader.passkeys("ac_alice")) == (older, PASSKEY)
    assert await alice.read(lambda reader: reader.passkeys("ac_bob")) == ()
    assert await alice.read(lambda reader: reader.passkey_by_credential(b"\x01\xff")) == PASSKEY
    assert await alice.read(lambda reader: reader.passkey_by_credential(b"\x01")) is None
    assert "cose" not in repr(PASSKEY)


async def test_a_credential_belongs_to_one_account(alice):
    await alice.write(lambda writer: add_person(writer, "bob"))
    await alice.write(lambda writer: writer.add_passkey(PASSKEY))
    with pytest.raises(Conflict):
        await alice.write(lambda writer: writer.add_passkey(replace(PASSKEY, id="pk_bobs", account_id="ac_bob")))
    assert await alice.read(lambda reader: reader.passkeys("ac_bob")) == ()


async def test_a_passkey_makes_a_second_factor_until_it_is_removed(alice):
    assert not (await alice.read(lambda reader: reader.account("ac_alice"))).has_second_factor
    await alice.write(lambda writer: writer.add_passkey(PASSKEY))
    assert (await alice.read(lambda reader: reader.account("ac_alice"))).has_second_factor
    assert await alice.write(lambda writer: writer.remove_passkey("pk_laptop")) is True
    assert await alice.write(lambda writer: writer.remove_passkey("pk_laptop")) is False
    assert not (await alice.read(lambda reader: reader.account("ac_alice"))).has_second_factor


async def test_use_is_kept(alice):
    await alice.write(lambda writer: writer.add_passkey(PASSKEY))
    await alice.write(lambda writer: writer.use_passkey("pk_laptop", sign_count=9, at=NOW + SECOND))
    used = replace(PASSKEY, sign_count=9, last_used_at=NOW + SECOND)
    assert await alice.read(lambda reader: reader.passkeys("ac_alice")) == (used,)
    with pytest.raises(NotFound):
        await alice.write(lambda writer: writer.use_passkey("pk_gone", sign_count=9, at=NOW))


async def test_a_passkey_is_given_another_name_and_nothing_else(alice):
    await alice.write(lambda writer: writer.add_passkey(PASSKEY))
    await alice.write(lambda writer: writer.rename_passkey("pk_laptop", "Old laptop"))
    assert await alice.read(lambda reader: reader.passkeys("ac_alice")) == (replace(PASSKEY, name="Old laptop"),)
    with pytest.raises(NotFound):
        await alice.write(lambda writer: writer.rename_passkey("pk_gone", "Old laptop"))


async def test_one_of_many_parallel_uses_of_a_challenge_succeeds(store):
    spent = await asyncio.gather(
        *(store.write(lambda writer: writer.spend_challenge(b"c" * 32, NOW)) for _ in range(50))
    )
    assert sum(spent) == 1
    assert await store.write(lambda writer: writer.forget_spent_challenges(NOW)) == 0
    assert await store.write(lambda writer: writer.forget_spent_challenges(NOW + SECOND)) == 1
    assert await store.write(lambda writer: writer.spend_challenge(b"c" * 32, NOW)) is True


async def test_refused_sign_ins_are_coalesced_by_network(store):
    for network, seconds in (("192.0.2.1", 0), ("198.51.100.0", 1), ("192.0.2.1", 5), ("192.0.2.1", 3)):
        await store.write(
            lambda writer, n=network, s=seconds: writer.count_refused_sign_in("ac_alice", n, NOW + s * SECOND)
        )
    assert await store.read(lambda reader: reader.refused_sign_ins("ac_alice")) == (
        RefusedSignIn("192.0.2.1", NOW, NOW + 5 * SECOND, 3),
        RefusedSignIn("198.51.100.0", NOW + SECOND, NOW + SECOND, 1),
    )
    assert await store.read(lambda reader: reader.refused_sign_ins("ac_bob")) == ()


async def test_refused_sign_ins_are_forgotten_by_their_last_try(store):
    for network, seconds in (("192.0.2.1", 0), ("198.51.100.0", 0), ("192.0.2.1", 9)):
        await store.write(
            lambda writer, n=network, s=seconds: writer.count_refused_sign_in("ac_alice", n, NOW + s * SECOND)
        )
    assert await store.write(lambda writer: writer.forget_refused_sign_ins(NOW + SECOND)) == 1
    assert [one.network for one in await store.read(lambda reader: reader.refused_sign_ins("ac_alice"))] == [
        "192.0.2.1"
    ]


async def test_a_flood_from_many_networks_keeps_the_latest_of_each_account(store):
    await store.write(lambda writer: writer.count_refused_sign_in("ac_bob", "192.0.2.1", NOW))
    for whose in ("ac_alice", None):
        for number in range(KEPT + 20):
            at = NOW + number * SECOND
            await store.write(
                lambda writer, w=whose, n=number, t=at: writer.count_refused_sign_in(w, f"2001:db8::{n:x}/64", t)
            )
    kept = await store.read(lambda reader: reader.refused_sign_ins("ac_alice"))
    assert len(kept) == KEPT
    assert kept[0].network == f"2001:db8::{KEPT + 19:x}/64"
    assert len(await store.read(lambda reader: reader.refused_sign_ins("ac_bob"))) == 1
