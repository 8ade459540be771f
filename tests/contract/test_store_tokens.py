"""API tokens in the store."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.values import NOW, an_account

from valetkey.adapters.store import SqliteStore
from valetkey.core.api_token import ApiToken
from valetkey.core.errors import Conflict
from valetkey.core.role import Action
from valetkey.service.ports import Writer

INDEX = bytes(range(32))


def a_token(name: str = "backup", account: str = "alice", **facts: Any) -> ApiToken:
    given: dict[str, Any] = {
        "id": f"at_{name}",
        "account_id": f"ac_{account}",
        "name": name,
        "actions": frozenset({Action.OWN_READ, Action.OWN_MAKE}),
        "allowed_ips": ("office", "192.0.2.0/24"),
        "created_at": NOW,
        "created_by": f"ac_{account}",
        "created_from": "192.0.2.1",
        "expires_at": NOW + timedelta(days=30),
    }
    return ApiToken(**{**given, **facts})


async def add(store: SqliteStore, *tokens: ApiToken) -> None:
    def work(writer: Writer) -> None:
        for name in sorted({token.account_id.removeprefix("ac_") for token in tokens}):
            if writer.account(f"ac_{name}") is None:
                writer.add_account(an_account(name))
        for number, token in enumerate(tokens):
            writer.add_api_token(token, 1, bytes([number]) + INDEX[1:])

    await store.write(work)


async def test_a_token_is_found_by_id_and_by_its_index(store: SqliteStore) -> None:
    await add(store, a_token())
    assert await store.read(lambda reader: reader.api_token("at_backup")) == a_token()
    assert await store.read(lambda reader: reader.api_token_by_index([b"x" * 32, INDEX])) == a_token()
    assert await store.read(lambda reader: reader.api_token_by_index([b"x" * 32])) is None
    assert await store.read(lambda reader: reader.api_token("at_other")) is None


async def test_tokens_are_listed_newest_first_of_one_account_or_of_all(store: SqliteStore) -> None:
    old, new = a_token("old"), a_token("new", created_at=NOW + timedelta(seconds=1))
    bobs = a_token("bobs", "bob", created_by="ac_alice")
    await add(store, old, new, bobs)
    names = await store.read(lambda reader: [token.name for token in reader.api_tokens("ac_alice")])
    assert names == ["new", "old"]
    assert await store.read(lambda reader: reader.api_tokens_in_reach("ac_alice")) == (new, old, bobs)
    assert await store.read(lambda reader: reader.api_tokens_in_reach("ac_bob")) == (bobs,)
    assert await store.read(lambda reader: reader.api_tokens_where(limit=2)) == (new, old)
    rest = await store.read(lambda reader: reader.api_tokens_where(after=(old.created_at, old.id), limit=2))
    assert rest == (bobs,)
    await store.write(lambda writer: writer.set_api_token_revoked(old.id, at=NOW, by="cli"))
    for wanted, found in (
        ({"search": "NE"}, [new]),
        ({"search": "bob@"}, [bobs]),
        ({"search": "%"}, []),
        ({"live_only": False}, [new, old, bobs]),
        ({}, [new, bobs]),
    ):
        listed = await store.read(lambda reader, wanted=wanted: reader.api_tokens_where(**wanted))
        assert [token.id for token in listed] == [token.id for token in found], wanted
    assert await store.read(lambda reader: reader.api_tokens_in_reach("ac_alice")) == (new, bobs)


async def test_a_revoked_token_keeps_nothing_of_its_secret(store: SqliteStore) -> None:
    await add(store, a_token())
    assert await store.write(lambda writer: writer.set_api_token_revoked("at_backup", at=NOW, by="cli"))
    assert not await store.write(lambda writer: writer.set_api_token_revoked("at_backup", at=NOW, by="other"))
    assert await store.read(lambda reader: reader.api_token_by_index([INDEX])) is None
    assert await store.read(lambda reader: reader.api_tokens("ac_alice")) == ()
    kept = await store.read(lambda reader: reader.api_tokens("ac_alice", live_only=False))
    assert kept == (replace(a_token(), revoked_at=NOW, revoked_by="cli"),)
    await store.write(lambda writer: writer.set_api_token_index("at_backup", 2, INDEX))
    assert await store.read(lambda reader: reader.api_token_by_index([INDEX])) is None


async def test_last_use_and_another_key_are_kept(store: SqliteStore) -> None:
    await add(store, a_token())
    moved = b"m" * 32

    def use(writer: Writer) -> None:
        writer.use_api_token("at_backup", at=NOW, address="192.0.2.9")
        writer.set_api_token_index("at_backup", 2, moved)

    await store.write(use)
    found = await store.read(lambda reader: reader.api_token_by_index([moved]))
    assert found == replace(a_token(), last_used_at=NOW, last_used_address="192.0.2.9")
    assert await store.read(lambda reader: reader.token_keys()) == {2}


async def test_one_secret_belongs_to_one_token(store: SqliteStore) -> None:
    await add(store, a_token())
    with pytest.raises(Conflict):
        await store.write(lambda writer: writer.add_api_token(a_token("other"), 1, INDEX))
