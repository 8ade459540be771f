"""What a request may look like."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person

from valetkey.doors.api import bodies

MAKE = "/accounts/me/app-passwords"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def hers(house: House, alice: Person, api: ApiClient) -> ApiClient:
    await api.as_person(alice)
    return api


async def sent(api: ApiClient, content: bytes, **headers: str) -> httpx.Response:
    return await api.http.post(MAKE, content=content, headers={**JSON, **headers})


async def test_every_answer_carries_its_headers(hers: ApiClient) -> None:
    for answer in (await hers.get("/me"), await hers.get("/nothing"), await hers.get("/openapi.json")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "strict-transport-security" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


async def test_https_is_insisted_on_where_it_is_served(house: House) -> None:
    api = ApiClient(house, strict_transport=True)
    assert "strict-transport-security" in (await api.get("/me")).headers
    await api.close()


async def test_other_methods_are_named(hers: ApiClient) -> None:
    answer = await hers.http.delete(MAKE)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert (await hers.http.post("/openapi.json")).headers["allow"] == "GET, HEAD"


async def test_head_is_answered_as_get(hers: ApiClient) -> None:
    assert (await hers.http.head("/me")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_taken(hers: ApiClient, headers: dict[str, str]) -> None:
    answer = await sent(hers, b"{}", **headers)
    assert answer.status_code == 415, answer.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"nonsense",
        b'{"description": "a", "description": "b", "ready_made": "send-only"}',
        b'{"description": NaN}',
        b'{"description": "\xff", "ready_made": "send-only"}',
        b'{"description": "\\ud800", "ready_made": "send-only"}',
        b'{"description": "x", "ready_made": "send-only", "owner": "ada"}',
        b'{"description": 5, "ready_made": "send-only"}',
        b'{"description": "x", "ready_made": "send-only", "restrictions": {"expires_at": 1803902400}}',
        b'{"description": "x", "ready_made": "send-only", "restrictions": {"expires_at": "2030-01-01T00:00:00"}}',
        b'{"description": "x", "ready_made": "send-only", "restrictions": {"idle_for": true}}',
        b'{"description": "' + b"x" * 101 + b'", "ready_made": "send-only"}',
    ],
)
async def test_bodies_of_another_form_are_refused(hers: ApiClient, content: bytes) -> None:
    answer = await sent(hers, content)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"] == "urn:valetkey:problem:malformed"


async def test_what_was_typed_is_not_repeated(hers: ApiClient) -> None:
    answer = await sent(hers, b'{"description": ["vkey-secret-thing"], "ready_made": "send-only"}')
    assert answer.status_code == 400
    assert "secret-thing" not in answer.text
    assert answer.json()["errors"] == [{"field": "description", "detail": "Input should be a valid string"}]


async def test_size_and_depth_are_bounded(hers: ApiClient) -> None:
    assert (await sent(hers, b" " * (bodies.MAX_BODY + 1))).status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(bodies.MAX_BODY // 1024 + 1):
            yield b" " * 1024

    answer = await hers.http.post(MAKE, content=pieces(), headers=JSON)
    assert answer.status_code == 413
    deep = await sent(hers, b'{"a":' * 20_000)
    assert deep.status_code in {400, 413}
    within = await sent(hers, b'{"description":' + b"[" * bodies.MAX_DEPTH + b"]" * bodies.MAX_DEPTH + b"}")
    assert "nested" in within.json()["detail"]
    quoted = json.dumps({"description": "[" * 50, "ready_made": "send-only"}).encode()
    assert (await sent(hers, quoted)).status_code == 201, "brackets in text are no depth"


async def test_a_text_that_never_ends_is_read_once(hers: ApiClient) -> None:
    """Looked for anew at each quote, one request of whoever has a token would keep a worker for a quarter of a minute."""
    begun = time.process_time()
    answer = await sent(hers, b'{"description":"' + b'\\"' * 32_000)
    assert answer.status_code == 400
    assert time.process_time() - begun < 8


async def test_a_body_has_a_deadline(hers: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_TO_SEND", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    assert (await hers.http.post(MAKE, content=never(), headers=JSON)).status_code == 408


async def test_a_body_that_is_not_asked_for_is_refused(hers: ApiClient) -> None:
    answer = await hers.http.request("GET", "/me", content=b"{}", headers=JSON)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "limt=5",
        "limit=0",
        "limit=201",
        "limit=5&limit=5",
        "limit=5.0",
        "limit=+5",
        "limit=%20 5",
        "limit=",
        "live_only=yes",
        "live_only=1",
        "cursor=%00",
        "limit=%ff",
    ],
)
async def test_query_parameters_are_held_to_their_form(hers: ApiClient, query: str) -> None:
    answer = await hers.http.get(f"{MAKE}?{query}")
    assert answer.status_code == 400, answer.text


async def test_somebody_elses_things_look_like_none(house: House, hers: ApiClient) -> None:
    bob = await house.person("bob@example.org")
    theirs = (await house.issue(bob)).app_password.id
    there_is = await hers.get(f"/app-passwords/{theirs}")
    there_is_not = await hers.get("/app-passwords/ap_aaaaaaaaaaaaaaaa")
    assert there_is.status_code == there_is_not.status_code == 404
    assert there_is.json() == there_is_not.json()


async def test_what_a_verb_refuses_is_said_in_its_words(hers: ApiClient) -> None:
    both = await hers.post(MAKE, {"description": "x"})
    assert both.status_code == 422
    assert both.json()["errors"][0]["field"] == "scope"
    past = {"description": "x", "ready_made": "send-only", "restrictions": {"expires_at": "2020-01-01T00:00:00Z"}}
    assert (await hers.post(MAKE, past)).json()["detail"] == "Choose a date in the future."
