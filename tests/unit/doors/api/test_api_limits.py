"""Limits of app passwords through the API: asked for, shown, changed, refused; and what was sent today."""

import json
from typing import Any

import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person, attempt

from valetkey.core.limits import Overstep
from valetkey.core.login import Allowed
from valetkey.core.role import Action
from valetkey.core.scope import MailProtocol
from valetkey.service import login
from valetkey.service.sending import note_stopped

NOTHING = {
    "folders": [],
    "senders": [],
    "recipients": [],
    "messages_per_day": None,
    "recipients_per_day": None,
    "recipients_per_message": None,
}


async def made(api: ApiClient, limits: dict[str, Any] | None, ready_made: str = "mail-app") -> Any:
    body = {"description": "Program", "ready_made": ready_made, "restrictions": {"limits": limits}}
    headers = {"content-type": "application/json"}  # written here: httpx writes no lone surrogates
    return await api.http.post("/accounts/me/app-passwords", content=json.dumps(body).encode(), headers=headers)


async def test_limits_are_given_as_they_are_stored(house: House, alice: Person, api: ApiClient) -> None:
    await api.as_person(alice, Action.OWN_MAKE, Action.OWN_READ)
    answer = await made(
        api, {"folders": ["inbox", "Archive/*"], "senders": ["Alice@EXAMPLE.org"], "messages_per_day": 20}
    )
    assert answer.status_code == 201, answer.text
    limits = answer.json()["app_password"]["restrictions"]["limits"]
    assert limits == {
        **NOTHING,
        "folders": ["INBOX", "Archive/*"],
        "senders": ["alice@example.org"],
        "messages_per_day": 20,
    }
    trying = attempt("alice@example.org", answer.json()["secret"], protocol=MailProtocol.SMTP)
    verdict = await login.check(house.ports, trying)
    assert isinstance(verdict, Allowed)
    assert verdict.grant.limits.messages_per_day == 20


@pytest.mark.parametrize("limits", [None, {}])
async def test_without_limits_nothing_is_limited(alice: Person, api: ApiClient, limits: dict[str, Any] | None) -> None:
    await api.as_person(alice, Action.OWN_MAKE)
    answer = await made(api, limits)
    assert answer.json()["app_password"]["restrictions"]["limits"] == NOTHING


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"folders": ["*"]}, 422),
        ({"folders": ["a\u202eb"]}, 422),
        ({"folders": ["x"] * 51}, 400),
        ({"folders": ["\ud800"]}, 400),
        ({"senders": ["nobody"]}, 422),
        ({"recipients": ["@"]}, 422),
        ({"messages_per_day": 0}, 400),
        ({"messages_per_day": 1_000_001}, 400),
        ({"messages_per_day": True}, 400),
        ({"messages_per_day": "5"}, 400),
        ({"size": 5}, 400),
        ([], 400),
    ],
)
async def test_what_is_no_limit_is_refused(alice: Person, api: ApiClient, limits: Any, status: int) -> None:
    await api.as_person(alice, Action.OWN_MAKE, Action.OWN_READ)
    answer = await made(api, limits)
    assert answer.status_code == status, answer.text
    assert (await api.get("/accounts/me/app-passwords")).json()["items"] == []


async def test_a_choice_for_named_folders_needs_their_names(alice: Person, api: ApiClient) -> None:
    await api.as_person(alice, Action.OWN_MAKE, Action.OWN_READ)
    refused = await made(api, None, "named-folders")
    assert refused.status_code == 422
    assert "folders" in refused.text
    answer = await made(api, {"folders": ["Customers"]}, "named-folders")
    assert answer.status_code == 201, answer.text
    assert answer.json()["app_password"]["scope"]["protocols"] == ["imap"]
    choices = {each["key"]: each for each in (await api.get("/ready-made")).json()["items"]}
    assert [key for key, each in choices.items() if each["needs_folders"]] == ["named-folders"]


async def test_what_a_change_does_not_name_stays_and_null_lifts(alice: Person, api: ApiClient) -> None:
    await api.as_person(alice, Action.OWN_MAKE, Action.OWN_READ)
    limits = {"messages_per_day": 20, "folders": ["Archive"], "senders": ["alice@example.org"]}
    held: dict[str, Any] = {
        "expires_at": "2026-09-01T00:00:00Z",
        "idle_for": 86_400,
        "network_rule": "allowed",
        "allowed_ips": ["192.0.2.0/24"],
    }
    body = {"description": "Program", "ready_made": "mail-app", "restrictions": {**held, "limits": limits}}
    made = await api.post("/accounts/me/app-passwords", body)
    assert made.status_code == 201, made.text
    path = f"/app-passwords/{made.json()['app_password']['id']}"
    etag = (await api.get(path)).headers["etag"]
    expected = {**held, "pinned_network": None, "limits": {**NOTHING, **limits}}

    async def after(change: dict[str, Any]) -> Any:
        nonlocal etag
        answer = await api.http.patch(path, json={"restrictions": change}, headers={"if-match": etag})
        assert answer.status_code == 200, answer.text
        etag = answer.headers["etag"]
        return answer.json()["restrictions"]

    for nothing in ({}, {"limits": {}}, {"idle_for": 86_400}):
        assert await after(nothing) == expected
    expected["idle_for"] = 3600
    assert await after({"idle_for": 3600}) == expected
    expected["limits"] |= {"messages_per_day": 5}
    assert await after({"limits": {"messages_per_day": 5}}) == expected
    expected["limits"] |= {"folders": [], "messages_per_day": None}
    assert await after({"limits": {"folders": [], "messages_per_day": None}}) == expected
    expected |= {"expires_at": None, "idle_for": None}
    assert await after({"expires_at": None, "idle_for": None}) == expected
    expected |= {"network_rule": "anywhere", "allowed_ips": []}
    assert await after({"network_rule": None}) == expected
    expected["limits"] = NOTHING
    assert await after({"limits": None}) == expected


async def test_what_was_sent_today_stands_beside_and_changes_no_etag(
    house: House, alice: Person, api: ApiClient
) -> None:
    await api.as_person(alice, Action.OWN_MAKE, Action.OWN_READ)
    one = (await made(api, {"messages_per_day": 20})).json()["app_password"]
    path, day = f"/app-passwords/{one['id']}", house.clock.now().date()
    etag = (await api.get(path)).headers["etag"]
    await house.ports.store.write(lambda writer: writer.count_sent(one["id"], day, 3))
    note_stopped(house.ports, one["id"], Overstep.RECIPIENT)
    await house.recorder.flush()
    at = house.clock.now().isoformat().replace("+00:00", "Z")
    assert (await api.get(f"{path}/sent")).json() == {
        "day": day.isoformat(),
        "messages": 1,
        "recipients": 3,
        "stopped": [{"why": "recipient", "count": 1, "last_at": at}],
    }
    assert (await api.get(path)).headers["etag"] == etag
