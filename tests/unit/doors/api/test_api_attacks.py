"""What somebody with a token of their own tries through the API."""

import json

import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import OPERATOR, House, Person

from valetkey.core.role import OWN_ACTIONS, Action, Role
from valetkey.service import accounts

STALE = {"if-match": '"0123456789abcdef"'}


async def test_a_precondition_tells_nothing_to_who_has_lost_the_role(house: House, ada: Person, api: ApiClient) -> None:
    await house.person("root@example.org", role=Role.ADMIN)
    shared = await house.shared()
    await api.as_person(ada, Action.CHANGE_ACCOUNTS, Action.CHANGE_POLICY, Action.SEE_POLICY)
    held = (await api.get("/policy")).json()
    stricter = {name: value for name, value in held.items() if name != "comes_from"} | {"max_app_passwords": 7}
    await accounts.set_role(house.ports, OPERATOR, ada.account.id, None)
    for path, body in ((f"/accounts/{shared.id}/rights", {"rights": []}), ("/policy", {"policy": stricter})):
        answer = await api.http.put(path, json=body, headers=STALE)
        assert answer.status_code == 403, answer.text
    assert house.ports.policy.max_app_passwords != 7


async def test_a_stale_change_changes_nothing(house: House, alice: Person, api: ApiClient) -> None:
    mine = (await house.issue(alice)).app_password
    await api.as_person(alice, *OWN_ACTIONS)
    before = await house.store.read(lambda reader: reader.audit(limit=1))
    answer = await api.http.patch(f"/app-passwords/{mine.id}", json={"description": "New"}, headers=STALE)
    assert answer.status_code == 412
    assert (await api.get(f"/app-passwords/{mine.id}")).json()["description"] == "Phone"
    assert await house.store.read(lambda reader: reader.audit(limit=1)) == before


@pytest.mark.parametrize(
    "body",
    [
        {"description": "x", "ready_made": "send-only", "account_id": "ac_other"},
        {"description": "x", "ready_made": "send-only", "created_by": "cli"},
        {"description": "x", "ready_made": "send-only", "restrictions": {"pinned_network": "0.0.0.0/0"}},
        {"description": "x", "ready_made": "send-only", "format": "cleartext"},
        {"description": "\ud800", "ready_made": "send-only"},
        {"description": "x", "ready_made": "send-only", "restrictions": {"allowed_ips": ["\ud800"]}},
        {"description": "x", "ready_made": "\u202e"},
        {"description": "x\x00y", "ready_made": "send-only"},
    ],
)
async def test_what_was_not_asked_for_is_refused(house: House, alice: Person, api: ApiClient, body) -> None:
    await api.as_person(alice, *OWN_ACTIONS)
    octets = json.dumps(body).encode()
    answer = await api.http.post(
        "/accounts/me/app-passwords", content=octets, headers={"content-type": "application/json"}
    )
    assert answer.status_code in {400, 422}, answer.text
    assert (await api.get("/accounts/me/app-passwords")).json()["items"] == []


async def test_a_length_that_is_no_number_of_this_world_is_too_large(
    house: House, alice: Person, api: ApiClient
) -> None:
    await api.as_person(alice, *OWN_ACTIONS)
    answer = await api.http.post(
        "/accounts/me/app-passwords", content=b"{}", headers={"content-length": "9" * 5000, "content-type": "x"}
    )
    assert answer.status_code == 413, answer.text


async def test_a_cursor_is_good_for_its_list_and_its_account_alone(
    house: House, alice: Person, ada: Person, api: ApiClient
) -> None:
    for number in range(3):
        await house.issue(alice, f"No. {number}")
        await house.issue(ada, f"No. {number}")
    await api.as_person(alice, *OWN_ACTIONS)
    cursor = (await api.get("/accounts/me/app-passwords", limit=1)).json()["next"]
    assert (await api.get("/accounts/me/app-passwords", limit=2, cursor=cursor)).status_code == 200
    flipped = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    wrong = [await api.get("/accounts/me/app-passwords", cursor=each) for each in (flipped, "AAAA", cursor[:-4])]
    wrong.append(await api.get("/accounts/me/app-passwords", cursor=cursor, live_only="false"))
    wrong.append(await api.get("/accounts/me/activity", cursor=cursor))
    await api.as_person(ada)
    wrong.append(await api.get("/accounts/me/app-passwords", cursor=cursor))
    assert [each.status_code for each in wrong] == [422] * 6
