"""Changes that hold against what was read: entity tags."""

from datetime import datetime, timedelta

import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person

from valetkey.core.policy import Policy
from valetkey.core.role import Role
from valetkey.service import app_passwords, policy


@pytest.fixture
async def hers(house: House, alice: Person, api: ApiClient) -> ApiClient:
    await api.as_person(alice)
    return api


async def test_a_change_needs_what_was_read(house: House, alice: Person, hers: ApiClient) -> None:
    at = f"/app-passwords/{(await house.issue(alice)).app_password.id}"
    change = {"description": "New name"}
    missing = await hers.http.patch(at, json=change)
    assert missing.status_code == 428
    read = await hers.get(at)
    changed = await hers.http.patch(at, json=change, headers={"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["description"] == "New name"
    assert changed.headers["etag"] == (await hers.get(at)).headers["etag"] != read.headers["etag"]
    stale = await hers.http.patch(at, json={"description": "Newer"}, headers={"If-Match": read.headers["etag"]})
    assert stale.status_code == 412
    weak = await hers.http.patch(at, json=change, headers={"If-Match": f"W/{changed.headers['etag']}"})
    assert weak.status_code == 412, "weak tags never match"
    listed = await hers.http.patch(at, json=change, headers={"If-Match": f'"x", {changed.headers["etag"]}'})
    assert listed.status_code == 200
    assert (await hers.http.patch(at, json=change, headers={"If-Match": "*"})).status_code == 200
    assert (await hers.http.patch(at, json=change, headers={"If-Match": "nonsense"})).status_code == 412


async def test_the_comparison_is_part_of_the_change(
    house: House, alice: Person, hers: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes it between the look and the write is not overwritten."""
    one = (await house.issue(alice)).app_password.id
    tag = (await hers.get(f"/app-passwords/{one}")).headers["etag"]
    change = app_passwords.change

    async def after_somebody_else(ports: object, *args: object, **wanted: object) -> object:
        await change(house.ports, house.acting(alice.account), one, description="Theirs")
        return await change(ports, *args, **wanted)

    monkeypatch.setattr(app_passwords, "change", after_somebody_else)
    answer = await hers.http.patch(f"/app-passwords/{one}", json={"description": "Mine"}, headers={"If-Match": tag})
    assert answer.status_code == 412
    assert (await hers.get(f"/app-passwords/{one}")).json()["description"] == "Theirs"


async def test_a_stale_tag_tells_nothing_about_others(house: House, hers: ApiClient) -> None:
    bob = await house.person("bob@example.org")
    theirs = (await house.issue(bob)).app_password.id
    asked = {"json": {"description": "x"}, "headers": {"If-Match": '"x"'}}
    there_is = await hers.http.patch(f"/app-passwords/{theirs}", **asked)
    there_is_not = await hers.http.patch("/app-passwords/ap_aaaaaaaaaaaaaaaa", **asked)
    assert there_is.status_code == there_is_not.status_code == 404


async def test_rights_are_set_on_what_was_read(house: House, alice: Person, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    at = f"/accounts/{alice.account.id}"
    tag = (await api.get(at)).headers["etag"]
    assert (await api.post(f"{at}/aliases", {"address": "al@example.org"})).status_code == 204
    stale = await api.http.put(f"{at}/rights", json={"rights": ["read"]}, headers={"If-Match": tag})
    assert stale.status_code == 412
    tag = (await api.get(at)).headers["etag"]
    done = await api.http.put(f"{at}/rights", json={"rights": ["read"]}, headers={"If-Match": tag})
    assert done.json() == {"closed": 0, "servers": [], "not_told": []}
    assert (await api.get(at)).json()["rights"] == ["read"]
    assert (await api.http.delete(f"{at}/aliases/al@example.org")).status_code == 204
    assert (await api.get(at)).json()["aliases"] == []


async def test_an_app_password_ends_when_the_policy_says(house: House, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    one = (await house.issue(ada)).app_password
    before = await api.get(f"/app-passwords/{one.id}")
    assert (before.json()["ends_at"], before.json()["stops_unused_after"]) == (None, None)
    stricter = Policy(max_lifetime=timedelta(days=100), max_idle_for=timedelta(days=30))
    await policy.save(house.ports, house.acting(ada.account), stricter)
    after = (await api.get(f"/app-passwords/{one.id}")).json()
    assert datetime.fromisoformat(after["ends_at"]) == one.created_at + timedelta(days=100)
    assert after["stops_unused_after"] == 30 * 86_400
    assert after["restrictions"]["expires_at"] is None  # what was asked for
    stale = {"If-Match": before.headers["etag"]}
    changed = await api.http.patch(f"/app-passwords/{one.id}", json={"description": "Phone"}, headers=stale)
    assert changed.status_code == 412  # what was read holds no more


async def test_a_stricter_policy_holds_and_a_weaker_one_waits(house: House, ada: Person, api: ApiClient) -> None:
    await house.person("bea@example.org", role=Role.ADMIN)
    await api.as_person(ada)
    read = await api.get("/policy")
    assert read.json()["comes_from"] == "file"
    wanted = {name: value for name, value in read.json().items() if name != "comes_from"} | {"max_lifetime": 8_640_000}
    seen = await api.post("/policy/preview", wanted)
    assert (seen.json()["changed"], seen.json()["needs_two"]) == (["max_lifetime"], False)
    saved = await api.http.put("/policy", json={"policy": wanted}, headers={"If-Match": read.headers["etag"]})
    assert saved.json()["proposal_id"] is None
    assert house.ports.policy == Policy(max_lifetime=timedelta(days=100))
    stale = await api.http.put("/policy", json={"policy": wanted}, headers={"If-Match": read.headers["etag"]})
    assert stale.status_code == 412
    tag = (await api.get("/policy")).headers["etag"]
    weaker = {"policy": {**wanted, "max_lifetime": None}, "reason": "Printers"}
    waits = (await api.http.put("/policy", json=weaker, headers={"If-Match": tag})).json()["proposal_id"]
    assert (await api.get("/policy")).headers["etag"] == tag
    proposal = (await api.get(f"/proposals/{waits}")).json()
    assert proposal["differences"] == [{"name": "max_lifetime", "before": 8_640_000, "after": None}]
    assert (await api.post(f"/proposals/{waits}/withdraw")).status_code == 204
    assert (await api.get("/proposals")).json() == {"items": [], "next": None}


async def test_networks_are_saved_whole(house: House, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    read = await api.get("/networks")
    assert read.json()["networks"] == {"office": ["203.0.113.0/24"]}
    wanted = {"networks": {"office": ["203.0.113.0/25"], "vpn": ["2001:db8::/48"]}}
    assert (await api.post("/networks/preview", wanted)).json()["changed"] == ["office", "vpn"]
    saved = await api.http.put("/networks", json=wanted, headers={"If-Match": read.headers["etag"]})
    assert saved.json()["proposal_id"] is None
    assert (await api.get("/networks")).json() == {**wanted, "comes_from": "console"}
