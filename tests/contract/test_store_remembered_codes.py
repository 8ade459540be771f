"""One-time codes that were typed behind a right main password, in the store."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from tests.contract.values import NOW, an_account

from valetkey.adapters.store import SqliteStore
from valetkey.adapters.store.remembered_codes import KEPT
from valetkey.core.errors import Conflict
from valetkey.service.ports import Writer


def of(*words: object) -> bytes:
    """Give what stands for a keyed hash."""
    return hashlib.sha256(repr(words).encode()).digest()


@pytest.fixture
async def alice(store: SqliteStore) -> str:
    def add(writer: Writer) -> None:
        writer.add_account(an_account("alice"))
        writer.add_account(an_account("bob"))

    await store.write(add)
    return "ac_alice"


async def test_a_code_is_known_at_its_place_and_as_typed(store: SqliteStore, alice: str) -> None:
    await store.write(lambda writer: writer.remember_code(of("place"), alice, of("code"), NOW))
    assert await store.read(lambda reader: reader.code_proven_at(of("place"))) == NOW
    assert await store.read(lambda reader: reader.code_proven_at(of("elsewhere"))) is None
    assert await store.read(lambda reader: reader.is_code_known(alice, of("code")))
    assert not await store.read(lambda reader: reader.is_code_known(alice, of("another")))
    assert not await store.read(lambda reader: reader.is_code_known("ac_bob", of("code")))
    assert await store.read(lambda reader: reader.accounts_with_codes(NOW)) == (alice,)
    assert await store.read(lambda reader: reader.accounts_with_codes(NOW + timedelta(microseconds=1))) == ()


async def test_the_same_place_is_renewed(store: SqliteStore, alice: str) -> None:
    later = NOW + timedelta(hours=1)
    for code, at in (("old", NOW), ("new", later)):
        await store.write(lambda writer, code=code, at=at: writer.remember_code(of("place"), alice, of(code), at))
    assert await store.read(lambda reader: reader.code_proven_at(of("place"))) == later
    assert not await store.read(lambda reader: reader.is_code_known(alice, of("old")))


async def test_an_account_has_its_newest_and_no_more(store: SqliteStore, alice: str) -> None:
    def fill(writer: Writer) -> None:
        writer.remember_code(of("bobs"), "ac_bob", of("bobs"), NOW - timedelta(days=1))
        for number in range(KEPT + 5):
            writer.remember_code(of(number), alice, of("code", number), NOW + timedelta(seconds=number))

    await store.write(fill)
    kept = [await store.read(lambda reader, n=n: reader.code_proven_at(of(n))) for n in range(KEPT + 5)]
    assert [at is None for at in kept] == [True] * 5 + [False] * KEPT
    assert await store.read(lambda reader: reader.code_proven_at(of("bobs")))


async def test_old_ones_are_forgotten(store: SqliteStore, alice: str) -> None:
    for number in range(3):
        at = NOW + timedelta(days=number)
        await store.write(lambda writer, n=number, at=at: writer.remember_code(of(n), alice, of(n), at))
    assert await store.write(lambda writer: writer.forget_remembered_codes(NOW + timedelta(days=2))) == 2
    assert await store.read(lambda reader: reader.code_proven_at(of(2))) is not None


@pytest.mark.parametrize(("hashed", "code"), [(b"short", of("code")), (of("place"), b"123456")])
async def test_only_hashes_are_kept(store: SqliteStore, alice: str, hashed: bytes, code: bytes) -> None:
    with pytest.raises(IntegrityError):
        await store.write(lambda writer: writer.remember_code(hashed, alice, code, NOW))


async def test_only_of_accounts_that_there_are(store: SqliteStore, alice: str) -> None:
    with pytest.raises(Conflict):
        await store.write(lambda writer: writer.remember_code(of("place"), "ac_nobody", of("code"), NOW))
