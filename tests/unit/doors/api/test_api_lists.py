"""Lists by pages, and records that leave the house."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.values import an_account
from tests.verbs.api_client import ApiClient, token_for
from tests.verbs.site import HOME, House, Person

from valetkey.core.proposal import LASTS, Proposal, ProposalKind
from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LiveSession, Writer
from valetkey.service.store_parts import Recovery, RecoveryState

DAY = timedelta(days=1)


async def walked(api: ApiClient, path: str, **query: object) -> list[dict[str, object]]:
    """Read a whole list by its Link fields; `next` says the same."""
    found, answer = [], await api.get(path, **query)
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            assert "link" not in answer.headers
            return found
        link = answer.headers["link"]
        assert link.endswith('>; rel="next"')
        answer = await api.http.get(f"{path}{link[1:].partition('>')[0]}")


async def test_app_passwords_come_page_by_page(house: House, ada: Person, api: ApiClient) -> None:
    for number in range(7):
        if number % 3 == 0:
            house.clock.move(seconds=1)
        await house.issue(ada, f"No. {number}")
    await api.as_person(ada)
    names = [each["description"] for each in await walked(api, "/accounts/me/app-passwords", limit=2)]
    assert sorted(names) == [f"No. {number}" for number in range(7)]
    everybody = await walked(api, "/app-passwords", limit=3, search="No.")
    assert sorted(each["app_password"]["description"] for each in everybody) == sorted(names)


async def test_accounts_and_records_come_page_by_page(house: House, ada: Person, api: ApiClient) -> None:
    for number in range(5):
        await house.person(f"p{number}@example.org", two_factor=False)
    await api.as_person(ada)
    people = await walked(api, "/accounts", limit=2, second_factor="without")
    assert [each["address"] for each in people] == [f"p{number}@example.org" for number in range(5)]
    numbers = [each["number"] for each in await walked(api, "/audit", limit=4)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == (await api.get("/audit/verification")).json()["records"]
    made = await walked(api, "/audit", limit=1, kinds=["AccountCreated", "ApiTokenMade"])
    assert {each["kind"] for each in made} == {"AccountCreated", "ApiTokenMade"}


async def test_activity_comes_page_by_page(house: House, alice: Person, api: ApiClient) -> None:
    for number in range(5):
        house.clock.move(seconds=1)
        await house.issue(alice, f"No. {number}")
    await api.as_person(alice)
    whole = (await api.get("/accounts/me/activity", limit=200)).json()["items"]
    first = await api.get("/accounts/me/activity", limit=3)
    rest = await api.get("/accounts/me/activity", limit=200, cursor=first.json()["next"])
    assert first.json()["items"] + rest.json()["items"] == whole
    assert [each["change"]["said"] for each in whole][1].startswith("App password “No. 4” made")


@pytest.mark.parametrize("change", ["search=x", "filter=revoked"])
async def test_a_cursor_belongs_to_its_question(house: House, ada: Person, api: ApiClient, change: str) -> None:
    for number in range(3):
        await house.issue(ada, f"No. {number}")
    await api.as_person(ada)
    cursor = (await api.get("/app-passwords", limit=1)).json()["next"]
    assert (await api.http.get(f"/app-passwords?cursor={cursor}&limit=2")).status_code == 200
    assert (await api.http.get(f"/app-passwords?cursor={cursor}&{change}")).status_code == 422
    assert (await api.get("/accounts/me/app-passwords", cursor=cursor)).status_code == 422
    broken = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    assert (await api.get("/app-passwords", cursor=broken)).status_code == 422
    house_key = cursor.encode()
    assert b"No." not in house_key
    other = await house.person("bea@example.org", role=ada.account.role)
    await api.as_person(other)
    assert (await api.get("/app-passwords", limit=1, cursor=cursor)).status_code == 422


async def test_the_audit_log_can_be_taken_away(house: House, ada: Person, api: ApiClient) -> None:
    await house.issue(ada, "=cmd()")
    await api.as_person(ada)
    lines = await api.post("/audit/export", {})
    assert lines.headers["content-type"].startswith("application/jsonl")
    records = [json.loads(line) for line in lines.text.splitlines()]
    assert [each["number"] for each in records] == list(range(len(records), 0, -1))
    table = await api.post("/audit/export", {"format": "csv", "kinds": ["AppPasswordIssued"]})
    assert table.headers["content-type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(table.text))
    assert (header[0], len(rows)) == ("number", 1)
    exported = (await api.get("/audit", kinds="Exported")).json()["items"]
    assert len(exported) == 2, "that they left is recorded"


async def test_a_damaged_chain_is_said(house: House, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    whole = (await api.get("/audit/verification")).json()
    assert whole["is_whole"]
    one = (await api.get(f"/audit/{whole['records']}")).json()
    assert one["hash"] == whole["last_hash"]
    assert (await api.get(f"/audit/{whole['records'] + 1}")).status_code == 404


async def test_recoveries_are_seen_and_called_off(house: House, alice: Person, ada: Person, api: ApiClient) -> None:
    now = house.clock.now()
    waits = Recovery("rc_x", alice.account.id, RecoveryState.WAITING, now, HOME, now + DAY, now + 2 * DAY, now)
    await house.store.write(lambda writer: writer.add_recovery(waits))
    await api.as_person(ada)
    assert [each["account"]["address"] for each in await all_of(api, "/recoveries")] == ["alice@example.org"]
    at = f"/accounts/{alice.account.id}/call-off-recovery"
    assert (await api.post(at)).status_code == 204
    assert (await api.post(at)).status_code == 404
    assert await all_of(api, "/recoveries") == []


async def test_domains_recoveries_and_proposals_come_page_by_page(house: House, ada: Person, api: ApiClient) -> None:
    at = house.clock.now()

    def add(writer: Writer) -> None:
        for number in range(5):
            one = an_account(f"p{number}", address=f"p{number}@d{number}.example")
            writer.add_account(one)
            waits = (RecoveryState.WAITING, at, HOME, at + DAY, at + 2 * DAY, at)
            writer.add_recovery(Recovery(f"rc_{number}", one.id, *waits))
            kind = ProposalKind.RESET_SECOND_FACTORS
            writer.add_proposal(Proposal(f"pr_{number}", kind, one.id, {}, "Lost", ada.account.id, at, at + LASTS))

    await house.store.write(add)
    await api.as_person(ada)
    domains = [each["domain"] for each in await walked(api, "/domains", limit=2)]
    assert domains == [*(f"d{number}.example" for number in range(5)), "example.org"]
    waiting = [each["account"]["address"] for each in await walked(api, "/recoveries", limit=2)]  # type: ignore[index]
    assert waiting == [f"p{number}@d{number}.example" for number in range(5)]
    for more in ({}, {"open_only": "false"}):
        found = [each["id"] for each in await walked(api, "/proposals", limit=2, **more)]
        assert found == [f"pr_{number}" for number in reversed(range(5))]


async def all_of(api: ApiClient, path: str) -> list[dict[str, Any]]:
    return list((await api.get(path)).json()["items"])


async def test_tokens_and_connections_come_page_by_page(house: House, ada: Person, api: ApiClient) -> None:
    now = house.clock.now()
    house.live.sessions = [
        LiveSession(f"s{n}", ada.account.id, None, MailProtocol.IMAP, HOME, "x", now + timedelta(seconds=n // 2), "1")
        for n in range(5)
    ]
    house.live.silent = 1
    made = [(await token_for(house, ada, name=f"No. {number}")).token.id for number in range(4)]
    own = (await api.as_person(ada)).token.id
    assert [each["id"] for each in await walked(api, "/connections", limit=2)] == ["s4", "s3", "s2", "s1", "s0"]
    assert not (await api.get("/accounts/me/connections")).json()["is_complete"]
    assert {each["id"] for each in await walked(api, "/accounts/me/tokens", limit=2)} == {*made, own}
    assert {each["token"]["id"] for each in await walked(api, "/tokens", limit=3)} == {*made, own}


async def test_logins_are_counted_for_a_month_at_most(house: House, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    for days, status in ((31, 200), (32, 422)):
        since = house.clock.now() - timedelta(days=days)
        assert (await api.get("/logins", since=since.isoformat())).status_code == status
