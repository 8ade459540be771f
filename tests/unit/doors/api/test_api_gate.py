"""Who gets in: an API token, and nothing else."""

import base64
from datetime import timedelta

import httpx
import pytest
from tests.verbs.api_client import ORIGIN, ApiClient, token_for
from tests.verbs.site import OPERATOR, House, Person

from valetkey.app.one_site import OneSite
from valetkey.core.errors import Unavailable
from valetkey.core.network import parse_network
from valetkey.core.role import Action
from valetkey.doors.web.app import create_portal
from valetkey.doors.web.settings import WebSettings
from valetkey.service import accounts, api_tokens

ME = "/me"


def is_problem(answer: httpx.Response, status: int) -> bool:
    """Tell whether an answer is a problem of this status, in the form that RFC 9457 gives."""
    return (
        answer.status_code == status
        and answer.headers["content-type"] == "application/problem+json"
        and answer.json()["status"] == status
        and {"type", "title", "detail"} <= answer.json().keys()
    )


async def test_without_a_token_there_is_a_challenge(api: ApiClient) -> None:
    answer = await api.get(ME)
    assert is_problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="Valetkey API"'


async def test_an_app_password_is_refused_in_words_and_costs_nothing(house: House, alice: Person) -> None:
    secret = (await house.issue(alice)).secret
    store, hasher = house.count_calls()
    basic = base64.b64encode(f"{alice.account.address}:{secret.shown}".encode()).decode()
    client = ApiClient(house)
    for shown in (
        f"Bearer {secret.shown}",
        f"Bearer {secret.text}",
        f"Basic {basic}",
        f"Bearer {alice.password}",
        f"Bearer {alice.password.replace(' ', '')}",
        "Bearer",
        "Digest x",
    ):
        client.http.headers["authorization"] = shown
        answer = await client.get(ME)
        assert is_problem(answer, 401), shown
        assert "App passwords and main passwords never open the API" in answer.json()["detail"]
        assert secret.text not in answer.text
    assert not store
    assert not hasher
    await client.close()


async def test_a_token_is_only_taken_from_its_field(house: House, alice: Person, api: ApiClient) -> None:
    made = await token_for(house, alice)
    assert is_problem(await api.get(ME, access_token=made.secret), 401)
    assert is_problem(await api.http.get(ME, headers={"Cookie": f"token={made.secret}"}), 401)
    twice = [("authorization", f"Bearer {made.secret}")] * 2
    assert is_problem(await api.http.get(ME, headers=twice), 401)
    assert (await api.http.get(ME, headers={"Authorization": f"bearer {made.secret}"})).status_code == 200


async def test_tokens_that_ended_are_refused(house: House, alice: Person, api: ApiClient) -> None:
    lost = await api.as_person(alice)
    await api_tokens.revoke(house.ports, house.acting(alice.account), lost.token.id)
    answer = await api.get(ME)
    assert is_problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    await api.as_person(alice, expires_at=house.clock.now() + timedelta(hours=1))
    assert (await api.get(ME)).status_code == 200
    house.clock.move(hours=1)
    assert "expired" in (await api.get(ME)).json()["detail"]


async def test_a_token_of_a_disabled_account_opens_nothing(house: House, alice: Person, api: ApiClient) -> None:
    await api.as_person(alice)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert is_problem(await api.get(ME), 401)


async def test_a_token_works_from_its_networks_only(house: House, alice: Person) -> None:
    made = await token_for(house, alice, allowed_ips=("203.0.113.0/24",))
    outside, inside = ApiClient(house, made.secret), ApiClient(house, made.secret, address="203.0.113.5")
    assert "this network" in (await outside.get(ME)).json()["detail"]
    assert (await inside.get(ME)).status_code == 200
    # What a client says of itself is believed from listed proxies alone.
    said = {"X-Forwarded-For": "203.0.113.5"}
    assert is_problem(await outside.http.get(ME, headers=said), 401)
    proxied = ApiClient(house, made.secret, trusted_proxies=(parse_network("198.51.100.7"),))
    assert (await proxied.http.get(ME, headers=said)).status_code == 200
    for client in (outside, inside, proxied):
        await client.close()


async def test_a_token_does_only_what_it_was_given(house: House, alice: Person, api: ApiClient) -> None:
    await api.as_person(alice, Action.OWN_READ)
    answer = await api.http.post("/accounts/me/app-passwords", content=b"not looked at")
    assert is_problem(answer, 403)
    assert 'error="insufficient_scope", scope="own:make"' in answer.headers["www-authenticate"]
    assert is_problem(await api.get("/accounts"), 403)


async def test_countersigning_is_for_people(house: House, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    for verb in ("countersign", "decline"):
        answer = await api.post(f"/proposals/pr_nothing/{verb}")
        assert is_problem(answer, 403)
        assert "in person" in answer.json()["detail"]


async def test_a_token_asks_so_often_a_minute(house: House, alice: Person, ada: Person) -> None:
    api = ApiClient(house, per_minute=2)
    await api.as_person(alice)
    answers = [await api.get(ME) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"token";q=2;w=60'
    assert [each.headers["ratelimit"].split(";t=")[0] for each in answers] == [
        '"token";r=1',
        '"token";r=0',
        '"token";r=0',
    ]
    assert 0 < int(answers[2].headers["retry-after"]) <= 60
    await api.as_person(ada)
    assert (await api.get(ME)).status_code == 200, "another token"
    house.clock.move(seconds=60)
    await api.as_person(alice)
    assert (await api.get(ME)).status_code == 200, "the next minute"
    await api.close()


async def test_refusals_are_counted_by_network_and_lock_nobody_out(house: House, alice: Person) -> None:
    made = await token_for(house, alice)
    api = ApiClient(house, failures_per_minute=2)
    wrong = made.secret[:-1] + ("a" if made.secret[-1] != "a" else "b")
    api.use(wrong)
    answers = [await api.get(ME) for _ in range(4)]
    assert [each.status_code for each in answers] == [401, 401, 429, 429]
    assert "retry-after" in answers[3].headers
    api.use(made.secret)
    assert (await api.get(ME)).status_code == 200
    await api.close()


async def test_a_broken_store_is_not_a_wrong_token(
    house: House, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await token_for(house, alice)

    async def fail(_work: object) -> None:
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(house.store, "read", fail)
    api = ApiClient(house, made.secret)
    answer = await api.get(ME)
    assert is_problem(answer, 503)
    assert answer.headers["retry-after"] == "30"
    assert "disk" not in answer.text
    await api.close()


async def test_a_bug_shows_a_reference_and_nothing_else(
    house: House, alice: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await token_for(house, alice)

    async def fail(_work: object) -> None:
        raise RuntimeError(f"with {made.secret}")

    monkeypatch.setattr(house.store, "read", fail)
    api = ApiClient(house, made.secret)
    answer = await api.get(ME)
    assert is_problem(answer, 500)
    assert made.secret not in answer.text + capsys.readouterr().out
    assert len(answer.json()["reference"]) == 10
    await api.close()


async def test_portal_and_api_do_not_open_each_other(house: House, alice: Person, api: ApiClient) -> None:
    made = await token_for(house, alice)
    session = await house.signed_in(alice)
    site = OneSite(create_portal(house.ports, WebSettings(ORIGIN)), api.app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url=ORIGIN) as http:
        by_cookie = {"Cookie": f"__Host-session={session.token}"}
        assert (await http.get("/api/v1/me", headers=by_cookie)).status_code == 401
        by_token = {"Authorization": f"Bearer {made.secret}"}
        assert (await http.get("/api/v1/me", headers=by_token)).status_code == 200
        page = await http.get("/", headers=by_token)
        assert page.status_code == 303
        assert page.headers["location"].startswith("/sign-in")
        assert is_problem(await http.get("/api/v2/me"), 404)
        assert (await http.get("/apix")).headers["content-type"].startswith("text/html")
