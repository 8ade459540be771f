"""Requests that come twice act once."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person

from valetkey.core.errors import Unavailable
from valetkey.service import api_answers, app_passwords
from valetkey.service.upkeep import every_minute

MAKE = "/accounts/me/app-passwords"
WANTED = {"description": "Scanner", "ready_made": "send-only"}


@pytest.fixture
async def hers(house: House, alice: Person, api: ApiClient) -> ApiClient:
    await api.as_person(alice)
    return api


async def count(api: ApiClient) -> int:
    return len((await api.get(MAKE)).json()["items"])


async def test_the_same_request_gives_the_same_answer_without_the_secret(hers: ApiClient) -> None:
    first = await hers.post(MAKE, WANTED, idempotency_key="k1")
    again = await hers.post(MAKE, WANTED, idempotency_key="k1")
    assert first.status_code == again.status_code == 201
    assert first.json()["secret"]
    assert not first.json()["replayed"]
    assert again.json() == {**first.json(), "secret": None, "replayed": True}
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(hers) == 1


async def test_a_key_is_for_one_request(hers: ApiClient) -> None:
    await hers.post(MAKE, WANTED, idempotency_key="k1")
    other = await hers.post(MAKE, {**WANTED, "description": "Other"}, idempotency_key="k1")
    assert other.status_code == 422
    assert other.json()["type"].endswith("reused-key")
    assert await count(hers) == 1


async def test_keys_are_each_tokens_own(house: House, alice: Person, hers: ApiClient) -> None:
    await hers.post(MAKE, WANTED, idempotency_key="k1")
    await hers.as_person(alice)
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).json()["secret"]


async def test_what_was_refused_may_come_again(hers: ApiClient) -> None:
    wrong = {**WANTED, "ready_made": "nothing"}
    assert (await hers.post(MAKE, wrong, idempotency_key="k1")).status_code == 422
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).status_code == 201


async def test_a_request_that_still_runs_is_not_run_twice(
    house: House, hers: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    second: list[int] = []
    issue = app_passwords.issue

    async def meanwhile(*args: Any) -> Any:
        second.append((await hers.post(MAKE, WANTED, idempotency_key="k1")).status_code)
        return await issue(*args)

    monkeypatch.setattr(app_passwords, "issue", meanwhile)
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).status_code == 201
    assert second == [409]


async def test_what_broke_off_is_not_run_again(house: House, hers: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(app_passwords, "issue", fail)
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).status_code == 500
    monkeypatch.undo()
    answer = await hers.post(MAKE, WANTED, idempotency_key="k1")
    assert answer.status_code == 409
    assert "Look what became of it" in answer.json()["detail"]


async def test_without_a_store_nothing_runs(house: House, hers: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    write: Callable[..., Any] = house.store.write

    async def fail(work: Any) -> Any:
        raise Unavailable("full")

    monkeypatch.setattr(house.store, "write", fail)
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).status_code == 503
    monkeypatch.setattr(house.store, "write", write)
    assert await count(hers) == 0


async def test_keys_are_forgotten_after_a_day(house: House, hers: ApiClient) -> None:
    await hers.post(MAKE, WANTED, idempotency_key="k1")
    house.clock.move(hours=24, seconds=1)
    await every_minute(house.ports)
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).json()["secret"]
    assert await count(hers) == 2


async def test_a_stored_answer_holds_no_secret(house: House, hers: ApiClient) -> None:
    made = await hers.post(MAKE, WANTED, idempotency_key="k1")
    token_id = (await hers.get("/me")).json()["token"]["id"]
    kept = await house.store.read(lambda reader: reader.api_answer(token_id, "k1"))
    assert kept is not None
    assert kept.body
    assert made.json()["secret"] not in kept.body


@pytest.mark.parametrize("key", ["", "x" * 101, "with space", "ü"])
async def test_keys_have_a_form(hers: ApiClient, key: str) -> None:
    answer = await hers.http.post(MAKE, json=WANTED, headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 400


async def test_what_is_shown_once_is_shown_even_if_it_cannot_be_kept(
    house: House, hers: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: Any) -> None:
        raise Unavailable("full")

    monkeypatch.setattr(api_answers, "keep", fail)
    made = await hers.post(MAKE, WANTED, idempotency_key="k1")
    assert made.json()["secret"]
    assert (await hers.post(MAKE, WANTED, idempotency_key="k1")).status_code == 409
    assert await count(hers) == 1
