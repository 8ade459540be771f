"""Everybody's app passwords, connections and the audit log in the console."""

import csv
import io
import json
import re
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.verbs.site import HOME, House, Person

from valetkey.core.errors import Unavailable
from valetkey.core.event import AliasAdded
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service import app_passwords, console
from valetkey.service.ports import OPERATOR, LiveSession, LoginEvent
from valetkey.service.store_parts import AuditFilter

EVIL = '"><img src=x onerror=alert(1)>'


def opened(house: House, person: Person, credential_id: str | None, number: int = 1, **more: str) -> LiveSession:
    return LiveSession(
        f"s{number}",
        person.account.id,
        credential_id,
        MailProtocol(more.get("protocol", "imap")),
        more.get("address", HOME),
        more.get("client", "Thunderbird"),
        house.clock.now(),
        "1",
    )


async def test_app_passwords_are_found_by_what_is_wrong_with_them(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    await house.issue(alice, "Old")
    house.clock.move(days=100)
    ends = await house.issue(alice, EVIL, expires_at=house.clock.now() + timedelta(days=5))
    now = house.clock.now()
    event = LoginEvent(alice.account.id, ends.app_password.id, MailProtocol.IMAP, HOME, "x", "allowed", now, now)
    await house.store.add_login_events((event,))
    await visitor.sign_in(house, admin)

    async def shown(query: str) -> list[str]:
        page = await visitor.get(f"/console/app-passwords?{query}")
        assert page.status_code == 200
        assert "<img" not in page.text
        return re.findall(r'<th scope="row"><a href="/console/app-passwords/ap_[^"]+"><bdi>([^<]*)</bdi>', page.text)

    evil = "&#34;&gt;&lt;img src=x onerror=alert(1)&gt;"
    assert await shown("") == [evil, "Old"]
    assert await shown("show=never-used") == ["Old"]
    assert await shown("show=no-expiry") == ["Old"]
    assert await shown("show=unused-90-days") == ["Old"]
    assert await shown("q=alice") == [evil, "Old"]
    assert await shown("q=nobody") == []
    assert await shown("show=nonsense&after=nonsense") == [evil, "Old"]


async def test_one_app_password_is_seen_and_revoked_with_its_connection(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    issued = await house.issue(alice, EVIL)
    one = issued.app_password.id
    house.live.sessions = [opened(house, alice, one, client=EVIL)]
    house.live.fails = lambda session: session.credential_id == one
    page = await visitor.get(f"/console/app-passwords/{one}")
    assert page.status_code == 200
    assert "<img" not in page.text
    assert issued.secret.text not in page.text
    for word in ("Rename", "Rotate", "Limit or change"):  # nothing of what only the owner may do
        assert word not in page.text
    asked = await visitor.get(f"/console/app-passwords/{one}/revoke")
    assert "1 open connection will be closed." in asked.text
    house.clock.move(minutes=30)  # no proof is asked for
    done = await visitor.post(f"/console/app-passwords/{one}/revoke", {"reason": "Device lost or stolen"})
    assert done.status_code == 303
    page = await visitor.get(f"/console/app-passwords/{one}")
    assert "1 connection closed" in page.text
    assert "Device lost or stolen" in page.text
    assert house.live.sessions == []
    again = await visitor.get(f"/console/app-passwords/{one}/revoke")
    assert "revoked already" in again.text


async def test_many_are_revoked_at_once_after_numbers(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    bob = await house.person("bob@example.org")
    ids = [(await house.issue(person, f"App {n}")).app_password.id for n in range(2) for person in (alice, bob)]
    house.live.sessions = [opened(house, alice, ids[0]), opened(house, bob, ids[1], 2)]
    house.live.fails = lambda session: True
    await visitor.get("/console/app-passwords")
    asked = await visitor.post("/console/revoking", {"one": ids[:3]})
    assert "3 app passwords will stop working." in asked.text
    assert "2 accounts are hit." in asked.text
    assert "2 open connections will be closed." in asked.text
    assert len(await console.app_passwords(house.ports, OPERATOR)) == 4  # nothing is done yet
    done = await visitor.post("/console/revoking/now", {"ids": visitor.hidden("ids"), "reason": ""})
    assert "3 app passwords are revoked." in done.text
    assert "2 connections were closed." in done.text
    left = await console.app_passwords(house.ports, OPERATOR)
    assert [one.id for one, _ in left] == [ids[3]]


async def test_all_that_a_list_finds_are_revoked_without_a_script(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    for number in range(12):
        await house.issue(alice, f"Scanner {number}")
    await house.issue(alice, "Phone")
    await visitor.get("/console/app-passwords?q=Scanner")
    asked = await visitor.post("/console/revoking", {"matching": "1", "show": "live", "q": "Scanner"})
    assert "12 app passwords will stop working." in asked.text
    await visitor.post("/console/revoking/now", {"ids": visitor.hidden("ids")})
    assert [one.description for one, _ in await console.app_passwords(house.ports, OPERATOR)] == ["Phone"]


async def test_nothing_ticked_says_what_to_do(visitor: PortalClient, admin: Person) -> None:
    await visitor.get("/console/app-passwords")
    answer = await visitor.post("/console/revoking", {})
    assert answer.status_code == 409
    assert "tick" in answer.text


async def test_the_helpdesk_does_not_revoke_what_is_an_administrators(
    portal: FastAPI, house: House, admin: Person
) -> None:
    hugo = await house.person("hugo@example.org", role=Role.HELPDESK)
    issued = await house.issue(admin, "Ada's phone")
    browser = PortalClient(portal)
    await browser.sign_in(house, hugo)
    await browser.get("/console/app-passwords")
    asked = await browser.post("/console/revoking", {"one": issued.app_password.id})
    assert "None of these can be revoked" in asked.text
    where = f"/console/app-passwords/{issued.app_password.id}/revoke"
    await browser.get(where)
    refused = await browser.post(where, {})
    assert refused.status_code in {403, 422}
    assert (await app_passwords.get(house.ports, OPERATOR, issued.app_password.id)).is_live


async def test_connections_of_everybody_are_found_and_closed(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    issued = await house.issue(alice)
    house.live.sessions = [
        opened(house, alice, issued.app_password.id, 1, client=EVIL),
        opened(house, alice, None, 2, protocol="smtp", address="203.0.113.9"),
    ]
    page = await visitor.get("/console/connections")
    assert "2 connections open" in page.text
    assert "<img" not in page.text
    assert "Main password" in page.text
    for query, number in (("q=ALICE", 2), ("q=203.0", 1), ("protocol=imap", 1), ("q=nobody", 0)):
        page = await visitor.get(f"/console/connections?{query}")
        assert page.text.count("/close") == number, query
    live = await visitor.get("/console/connections/live?protocol=imap")
    assert live.text.count("/close") == 1
    await visitor.get("/console/connections")
    closed = await visitor.post("/console/connections/s1/close", {})
    assert closed.headers["location"] == "/console/connections"
    assert [one.id for one in house.live.sessions] == ["s2"]
    assert (await visitor.post("/console/connections/s1/close", {"csrf": visitor.hidden("csrf")})).status_code in {
        403,
        404,
    }


async def test_a_mail_side_that_does_not_answer_is_said(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    issued = await house.issue(alice)
    house.live.broken = Unavailable("no worker")
    for path in ("connections", f"accounts/{alice.account.id}", f"accounts/{alice.account.id}/disable"):
        page = await visitor.get(f"/console/{path}")
        assert page.status_code == 200
        assert "cannot be told now" in page.text
    asked = await visitor.get(f"/console/app-passwords/{issued.app_password.id}/revoke")
    assert "cannot be told now" in asked.text


async def test_audit_records_are_found(visitor: PortalClient, house: House, alice: Person, admin: Person) -> None:
    issued = await house.issue(alice, EVIL)

    async def shown(query: str) -> list[str]:
        page = await visitor.get(f"/console/audit?{query}")
        assert page.status_code == 200
        assert "<img" not in page.text
        return re.findall(r'<a href="/console/audit/records/(\d+)">', page.text)

    everything = await shown("")
    assert len(everything) > 5
    about = await shown("account=alice@example.org&group=app-passwords")
    assert len(about) == 1
    assert await shown(f"account={alice.account.id}&group=app-passwords") == about
    assert await shown(f"credential={issued.app_password.id}") == about
    assert await shown("actor=operator&group=app-passwords") == []
    assert len(await shown("actor=operator")) == 3
    assert await shown("since=2026-03-02") == []
    assert await shown("until=2026-03-01") == everything
    assert await shown("until=2026-02-28") == []
    assert await shown("before=3") == ["2", "1"]
    assert await shown("account=nobody@example.org") == []
    assert "There is no such account" in (await visitor.get("/console/audit?actor=nobody")).text
    assert await shown("since=nonsense&until=%00&group=x&before=y") == everything
    record = await visitor.get(f"/console/audit/records/{about[0]}")
    assert record.status_code == 200
    assert "<img" not in record.text
    assert re.search(r"<code[^>]*>[0-9a-f]{64}</code>", record.text)
    for number in ("0", "999999", "x", "9" * 30, "-1"):
        assert (await visitor.get(f"/console/audit/records/{number}")).status_code == 404


async def test_the_chain_is_checked(visitor: PortalClient, tmp_path: Path, admin: Person) -> None:
    await visitor.get("/console/audit/verify")
    whole = await visitor.post("/console/audit/verify", {})
    assert "The chain is whole" in whole.text
    with sqlite3.connect(tmp_path / "valetkey.db") as other:
        other.execute("DROP TRIGGER audit_is_not_altered")
        other.execute("UPDATE audit SET actor_address = 'elsewhere' WHERE number = 2")
    other.close()
    await visitor.get("/console/audit/verify")
    broken = await visitor.post("/console/audit/verify", {})
    assert "The chain is broken" in broken.text
    assert "record 2" in broken.text


async def test_audit_records_are_taken_away_and_that_is_recorded(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    await house.issue(alice, "=cmd|' /C calc'!A0")
    await visitor.get("/console/audit/export")
    sheet = await visitor.post("/console/audit/export", {"form": "csv"})
    assert sheet.headers["content-type"].startswith("text/csv")
    assert "attachment" in sheet.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [row["kind"] for row in rows].count("AppPasswordIssued") == 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    await visitor.get("/console/audit/export?account=alice@example.org")
    lines = await visitor.post("/console/audit/export", {"form": "jsonl", "account": "alice@example.org"})
    facts = [json.loads(line) for line in lines.text.splitlines()]
    assert {one["account_id"] for one in facts} == {alice.account.id}
    kinds = [one.kind for one in await console.audit(house.ports, OPERATOR, AuditFilter())]
    assert kinds[:2] == ["Exported", "Exported"]
    await visitor.get("/console/audit/export")
    assert (await visitor.post("/console/audit/export", {"form": "exe"})).status_code == 422
    await visitor.get("/console/audit/export")
    assert (await visitor.post("/console/audit/export", {"form": "csv", "actor": "nobody"})).status_code == 404


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_a_long_export_has_every_record_once(
    visitor: PortalClient, house: House, alice: Person, admin: Person, form: str
) -> None:
    def fill(writer):  # type: ignore[no-untyped-def]
        for number in range(1200):
            event = AliasAdded(f"a{number}@example.org")
            writer.record(event, actor=OPERATOR, at=house.clock.now(), account_id=alice.account.id)

    await house.store.write(fill)
    await visitor.get("/console/audit/export")
    sent = await visitor.post("/console/audit/export", {"form": form, "group": "accounts"})
    if form == "csv":
        numbers = [row["number"] for row in csv.DictReader(io.StringIO(sent.text))]
    else:
        numbers = [json.loads(line)["number"] for line in sent.text.splitlines()]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) >= 1202
