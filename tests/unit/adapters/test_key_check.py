"""A key file is held against the database before the first login."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.contract.values import a_totp, add_person, an_app_password, index_of, proof_of

from valetkey.adapters.keys import KeyFile
from valetkey.adapters.store import check_keys, open_store
from valetkey.core.api_token import ApiToken
from valetkey.core.errors import CannotStart
from valetkey.core.role import Action


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "valetkey.db")
    yield opened
    opened.close()


@pytest.fixture
def keys(tmp_path):
    return KeyFile.create(tmp_path / "keys.toml")


@pytest.fixture
def others(tmp_path):
    return KeyFile.create(tmp_path / "others.toml")


async def add_secret_under(store, number):
    credential = an_app_password(f"k{number}")
    proof = proof_of(f"k{number}", number)
    await store.write(lambda writer: writer.add_app_password(credential, index_of(f"k{number}"), proof))


def without(path, number):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(f"{number} = ")))
    return KeyFile.load(path)


async def test_the_first_keys_are_remembered(store, keys):
    await check_keys(store, keys)
    assert set(await store.read(lambda reader: reader.key_checks())) == {1}
    await check_keys(store, keys)


async def test_another_key_file_is_refused(store, keys, others):
    await check_keys(store, keys)
    with pytest.raises(CannotStart, match="key 1 is another one"):
        await check_keys(store, others)
    await check_keys(store, keys)


async def test_it_is_refused_even_with_nothing_stored_under_it(store, keys, others):
    await check_keys(store, keys)
    KeyFile.rotate(others.path)
    with pytest.raises(CannotStart, match="does not belong"):
        await check_keys(store, KeyFile.load(others.path))


async def test_a_rotated_file_is_welcome(store, keys):
    await check_keys(store, keys)
    KeyFile.rotate(keys.path)
    await check_keys(store, KeyFile.load(keys.path))
    assert set(await store.read(lambda reader: reader.key_checks())) == {1, 2}


async def test_an_older_copy_of_the_file_is_refused_once_the_newer_key_is_used(store, keys, tmp_path):
    older = tmp_path / "older.toml"
    older.touch(0o600)
    older.write_bytes(keys.path.read_bytes())
    KeyFile.rotate(keys.path)
    await check_keys(store, keys)
    await check_keys(store, KeyFile.load(older))
    await store.write(add_person)
    await add_secret_under(store, 2)
    with pytest.raises(CannotStart, match="key 2 is missing, and still in use"):
        await check_keys(store, KeyFile.load(older))


async def test_a_key_that_nothing_is_kept_under_may_be_taken_out(store, keys):
    KeyFile.rotate(keys.path)
    await check_keys(store, keys)
    await store.write(add_person)
    await add_secret_under(store, 2)
    await check_keys(store, without(keys.path, 1))


@pytest.mark.parametrize("kept", ["totp", "upstream"])
async def test_a_key_that_sealed_something_may_not(store, keys, kept):
    await check_keys(store, keys)
    await store.write(add_person)
    sealed = keys.seal(b"seed", "context")
    if kept == "totp":
        await store.write(lambda writer: writer.add_totp(a_totp(sealed_seed=sealed)))
    else:
        await store.write(lambda writer: writer.set_upstream_password("ac_alice", sealed))
    KeyFile.rotate(keys.path)
    with pytest.raises(CannotStart, match="key 1 is missing"):
        await check_keys(store, without(keys.path, 1))


async def test_a_key_that_an_api_token_is_under_may_not(store, keys):
    await check_keys(store, keys)
    await store.write(add_person)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    token = ApiToken(
        "at_1", "ac_alice", "Backup", frozenset({Action.OWN_READ}), (), at, "ac_alice", "", at + timedelta(days=1)
    )
    await store.write(lambda writer: writer.add_api_token(token, 1, bytes(32)))
    KeyFile.rotate(keys.path)
    with pytest.raises(CannotStart, match="key 1 is missing"):
        await check_keys(store, without(keys.path, 1))
    await store.write(lambda writer: writer.set_api_token_revoked("at_1", at=at, by="cli"))
    await check_keys(store, without(keys.path, 1))


async def test_a_database_from_before_the_check_is_held_by_its_use(store, keys):
    await store.write(add_person)
    await add_secret_under(store, 5)
    with pytest.raises(CannotStart, match="key 5 is missing"):
        await check_keys(store, keys)
