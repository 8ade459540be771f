"""Pages that show how app passwords are used: list, detail, history, connections, shared accounts, activity."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient, portal_of
from tests.verbs.site import HOME, OPERATOR, House, Person, attempt

from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Unavailable
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol, ready_made
from valetkey.doors.web.streams import Bounds, Streams
from valetkey.service import accounts, app_passwords, login
from valetkey.service.app_passwords import Issued, Wanted
from valetkey.service.ports import LiveSession

SEND_ONLY = ready_made("send-only").scope  # type: ignore[union-attr]


@pytest.fixture
def brief_streams(portal: FastAPI) -> None:
    """Streams that end with what they show first."""
    object.__setattr__(portal.state.portal, "streams", Streams(Bounds(lasts=0)))


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def logs_in(house: House, issued: Issued, protocol: MailProtocol = MailProtocol.IMAP, **how: str) -> None:
    name = how.pop("name", "alice")
    await login.check(house.ports, attempt(name, issued.secret.text, protocol=protocol, **how))
    await house.recorder.flush()


def opened(house: House, account_id: str, credential_id: str | None, name: str, **facts: object) -> None:
    given = {"client": "iPhone Mail", "address": HOME, **facts}
    house.live.sessions.append(
        LiveSession(
            name, account_id, credential_id, MailProtocol.IMAP, opened_at=house.clock.now(), worker="1", **given
        )  # type: ignore[arg-type]
    )


async def made(house: House, actor: object, account_id: str, name: str) -> AppPassword:
    return (
        await app_passwords.issue(house.ports, actor, account_id, Wanted(name, SEND_ONLY))  # type: ignore[arg-type]
    ).app_password


async def test_the_list_follows_its_address(visitor: PortalClient, house: House, alice: Person) -> None:
    phone, _ = await house.issue(alice, "Phone"), await house.issue(alice, "Laptop")
    await logs_in(house, phone)
    await app_passwords.revoke(house.ports, alice.actor, (await house.issue(alice, "Stolen")).app_password.id)
    await visitor.sign_in(house, alice)
    page = (await visitor.get("/?sort=name")).text
    assert page.index(">Laptop<") < page.index(">Phone<")
    assert "Stolen" not in page
    assert "Revoked and expired (1)" in page
    assert 'aria-sort="ascending"' in page
    page = (await visitor.get("/?show=never")).text
    assert ">Laptop<" in page
    assert ">Phone<" not in page
    assert ">Stolen<" in (await visitor.get("/?show=past")).text
    assert "None is like this" in (await visitor.get("/?q=nothing")).text


@pytest.mark.usefixtures("brief_streams")
async def test_the_list_is_sent_again_as_it_is_asked_for(visitor: PortalClient, house: House, alice: Person) -> None:
    await house.issue(alice, "Phone")
    await house.issue(alice, "Laptop")
    await visitor.sign_in(house, alice)
    page = (await visitor.get("/?q=phone")).text
    (stream,) = re.findall(r'data-live="(/app-passwords/live[^"]*)"', page)
    events = (await visitor.get(stream)).text
    assert ">Phone<" in events
    assert ">Laptop<" not in events
    assert "<html" not in events


async def test_one_app_password_with_all_that_happened(visitor: PortalClient, house: House, alice: Person) -> None:
    issued = await house.issue(alice, "Scanner", scope=SEND_ONLY)
    for _ in range(3):
        await logs_in(house, issued, MailProtocol.SMTP, client="MFP-2040")
    await logs_in(house, issued, MailProtocol.IMAP, client="<b>K-9</b>")
    await visitor.sign_in(house, alice)
    page = await visitor.get(f"/app-passwords/{issued.app_password.id}")
    text = text_of(page.text)
    assert "It logged in through SMTP, 3 times" in text
    assert "It was refused through IMAP: this protocol is off for it" in text
    assert "Set the program to another protocol" in text
    assert "&lt;b&gt;K-9&lt;/b&gt;" in page.text
    assert "3 logins and 1 refusals in this time" in text
    assert "by you" in text
    week = await visitor.get(f"/app-passwords/{issued.app_password.id}?days=90")
    assert "Week from" in week.text
    assert (await visitor.get(f"/app-passwords/{issued.app_password.id}?days=x")).status_code == 200


async def test_a_new_name_and_nothing_else(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=30)  # no proof is asked for
    path = f"/app-passwords/{one.id}/rename"
    await visitor.get(path)
    refused = await visitor.post(path, {"description": " "})
    assert refused.status_code == 422
    assert "Give it a name" in refused.text
    await visitor.get(path)
    assert (await visitor.post(path, {"description": "Kitchen"})).headers["location"] == f"/app-passwords/{one.id}"
    now = await app_passwords.get(house.ports, alice.actor, one.id)
    assert (now.description, now.scope, now.restrictions) == ("Kitchen", one.scope, one.restrictions)
    assert "Renamed." in (await visitor.get(f"/app-passwords/{one.id}")).text


async def test_rotation_shows_the_new_one_once_and_links_both(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    old = await house.issue(alice, "Backup")
    await visitor.sign_in(house, alice)
    path = f"/app-passwords/{old.app_password.id}/rotate"
    await visitor.get(path)
    fields = {"overlap": "24", "once": visitor.hidden("once"), "csrf": visitor.hidden("csrf")}
    page = await visitor.post(path, fields)
    secret = "".join(re.findall(r"<span>([a-z]{4})</span>", page.text))
    assert secret.startswith("vkey")
    assert "The old one works until" in page.text
    assert (await visitor.post(path, fields)).status_code == 409  # sent again
    new, replaced = await app_passwords.of_account(house.ports, alice.actor, alice.account.id)
    assert new.rotated_from == replaced.id == old.app_password.id
    assert f'href="/app-passwords/{new.id}"' in (await visitor.get(f"/app-passwords/{replaced.id}")).text
    assert f'href="/app-passwords/{replaced.id}"' in (await visitor.get(f"/app-passwords/{new.id}")).text
    assert "replaced by a newer one" in (await visitor.get("/")).text


async def test_rotation_needs_a_fresh_proof_and_a_known_overlap(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice)).app_password
    await visitor.sign_in(house, alice)
    path = f"/app-passwords/{one.id}/rotate"
    await visitor.get(path)
    assert (await visitor.post(path, {"overlap": "99", "once": "a"})).status_code == 422
    await visitor.get(path)
    house.clock.move(minutes=6)
    asked = await visitor.post(path, {"overlap": "0", "once": "b"})
    assert asked.status_code == 422
    assert 'name="prove_password"' in asked.text
    done = await visitor.post(
        path,
        {"overlap": "0", "once": "c", "prove_password": alice.password, "prove_code": house.code(alice.seed)},
    )
    assert "The old one has stopped working." in done.text
    house.clock.move(minutes=6)
    assert (await visitor.get(path)).headers["location"].startswith("/prove?next=") or (
        await visitor.get(path)
    ).status_code == 409


async def test_the_history_is_to_be_had_as_csv_and_as_json_lines(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice, "=1+1", scope=SEND_ONLY)
    await logs_in(house, issued, MailProtocol.SMTP, client="=cmd|' /C calc'!A0")
    await logs_in(house, issued, MailProtocol.IMAP)
    await logs_in(house, await house.issue(alice, "Other"))
    await visitor.sign_in(house, alice)
    answer = await visitor.get(f"/app-passwords/{issued.app_password.id}/history.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="valetkey-ap_\w+-2026-03-01\.csv"', answer.headers["content-disposition"]
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["outcome"] for row in rows] == ["refused", "allowed", "AppPasswordIssued"] or [
        row["outcome"] for row in rows
    ] == ["allowed", "refused", "AppPasswordIssued"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    answer = await visitor.get(f"/app-passwords/{issued.app_password.id}/history.jsonl")
    assert {json.loads(line)["client"] for line in answer.text.splitlines()} == {
        None, "Thunderbird", "=cmd|' /C calc'!A0",
    }  # fmt: skip
    assert (await visitor.get(f"/app-passwords/{issued.app_password.id}/history.xls")).status_code == 404


async def test_another_person_s_pages_are_not_there(visitor: PortalClient, house: House, alice: Person) -> None:
    bob = await house.person("bob@example.org")
    one = (await house.issue(bob)).app_password
    opened(house, bob.account.id, one.id, "s1")
    await visitor.sign_in(house, alice)
    for part in ("", "/live", "/rename", "/rotate", "/history.csv", "/revoke"):
        assert (await visitor.get(f"/app-passwords/{one.id}{part}")).status_code == 404
    await visitor.get("/account")
    for path in (f"/app-passwords/{one.id}/close", "/connections/s1/close", f"/app-passwords/{one.id}/rename"):
        assert (await visitor.post(path, {"csrf": visitor.hidden("csrf")})).status_code == 404
        await visitor.get("/account")
    assert len(house.live.sessions) == 1
    assert "iPhone Mail" not in (await visitor.get("/connections")).text


async def test_connections_are_listed_and_closed(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    scanner = await house.shared(owner=alice)
    for name in ("s1", "s2"):
        opened(house, alice.account.id, one.id, name)
    opened(house, scanner.id, None, "s3", client="")
    await visitor.sign_in(house, alice)
    page = text_of((await visitor.get("/connections")).text)
    assert "Phone alice@example.org" in page
    assert "Main password scanner@example.org" in page
    assert page.count("IMAP, iPhone Mail from 198.51.100.7") == 2
    assert "unknown program" in page
    assert (await visitor.post("/connections/s3/close", {})).headers["location"] == "/connections"
    assert "1 connection closed" in (await visitor.get("/connections")).text
    sent = await visitor.post(f"/app-passwords/{one.id}/close", {"back": "connections"})
    assert sent.headers["location"] == "/connections"
    page = (await visitor.get("/connections")).text
    assert "2 connections closed" in page
    assert "No program is logged in now" in page
    assert (await visitor.post("/connections/s1/close", {})).status_code == 404


async def test_revoking_says_what_will_be_and_what_was_closed(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    for name in ("s1", "s2"):
        opened(house, alice.account.id, one.id, name)
    house.live.fails = lambda session: session.credential_id == one.id
    await visitor.sign_in(house, alice)
    page = await visitor.get(f"/app-passwords/{one.id}/revoke")
    assert "2 connections are open with it now and will be closed." in page.text
    await visitor.post(f"/app-passwords/{one.id}/revoke", {"reason": "Other"})
    assert "2 connections closed." in (await visitor.get("/")).text


async def test_one_is_closed_from_its_own_page(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    opened(house, alice.account.id, one.id, "s1")
    await visitor.sign_in(house, alice)
    page = await visitor.get(f"/app-passwords/{one.id}")
    assert "iPhone Mail" in page.text
    sent = await visitor.post("/connections/s1/close", {"back": one.id})
    assert sent.headers["location"] == f"/app-passwords/{one.id}"
    for back in ("//evil.example", "ap_/../x", "https://evil.example"):
        opened(house, alice.account.id, one.id, "s1")
        await visitor.get("/connections")
        assert (await visitor.post("/connections/s1/close", {"back": back})).headers["location"] == "/connections"


async def test_what_cannot_be_told_is_not_said_to_be_nothing(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    await visitor.sign_in(house, alice)
    house.live.silent = 1
    page = (await visitor.get("/connections")).text
    assert "It cannot be told now" in page
    assert "No program is logged in" not in page
    assert "Cannot be told now" in (await visitor.get(f"/app-passwords/{one.id}")).text
    opened(house, alice.account.id, one.id, "s1")
    assert "connections may be missing here" in (await visitor.get("/connections")).text
    house.live.broken = Unavailable("The mail side is away.")
    assert "It cannot be told now" in (await visitor.get("/connections")).text
    assert "Cannot be told now" in (await visitor.get(f"/app-passwords/{one.id}")).text
    assert (await visitor.get("/")).status_code == 200


@pytest.mark.usefixtures("brief_streams")
async def test_open_connections_and_an_app_password_s_state_are_sent_again(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    opened(house, alice.account.id, one.id, "s1")
    await visitor.sign_in(house, alice)
    for path in ("/connections/live", f"/app-passwords/{one.id}/live"):
        events = (await visitor.get(path)).text
        assert "iPhone Mail" in events
        assert visitor.hidden("csrf")  # its forms are complete


async def test_owners_see_what_is_shared_and_who_made_what(visitor: PortalClient, house: House, alice: Person) -> None:
    bob = await house.person("bob@example.org")
    scanner = await house.shared(owner=alice)
    await accounts.add_owner(house.ports, OPERATOR, scanner.id, bob.account.id)
    await made(house, house.acting(alice.account), scanner.id, "Mine")
    await made(house, house.acting(bob.account), scanner.id, "His")
    await made(house, OPERATOR, scanner.id, "Theirs")
    await visitor.sign_in(house, alice)
    page = text_of((await visitor.get("/shared")).text)
    assert "3 app passwords" in page
    assert "you" in page
    assert "bob@example.org" in page
    for who in ("by you", "by bob@example.org", "by an administrator’s command line"):
        assert who in page
    page = text_of((await visitor.get(f"/?account={scanner.id}")).text)
    assert "by bob@example.org" in page
    assert "by bob@example.org" in text_of((await visitor.get(f"/activity?account={scanner.id}")).text)
    other = PortalClient(visitor.http._transport.app)  # type: ignore[attr-defined]
    carol = await house.person("carol@example.org")
    await other.sign_in(house, carol)
    assert "No shared accounts" in (await other.get("/shared")).text
    assert (await other.get(f"/activity?account={scanner.id}")).status_code == 404


async def test_the_policy_s_end_is_shown_where_it_is_sooner(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (await house.issue(alice, "Phone")).app_password
    await house.issue(alice, "Laptop", expires_at=house.clock.now() + timedelta(days=2))
    house.with_ports(policy=Policy(max_lifetime=timedelta(days=9), max_idle_for=timedelta(days=5)))
    visitor = PortalClient(portal_of(house))
    await visitor.sign_in(house, alice)
    page = text_of((await visitor.get("/?sort=ends")).text)
    assert page.index("Laptop") < page.index("Phone")
    assert "in 9 days or 5 days unused" in page
    assert "in 2 days" in page
    assert "or after 5 days without use" in text_of((await visitor.get(f"/app-passwords/{one.id}")).text)


async def test_activity_is_filtered_by_kind_reason_and_month(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice, "Scanner", scope=SEND_ONLY)
    await logs_in(house, issued, MailProtocol.SMTP)
    house.clock.move(days=40)
    await logs_in(house, issued, MailProtocol.IMAP)
    await visitor.sign_in(house, alice)
    page = (await visitor.get("/activity?show=logins")).text
    assert "logged in through SMTP" in page
    assert "was refused" not in page
    assert "made" not in text_of(page).split("Filter")[1].split("Valetkey:")[0]
    page = (await visitor.get("/activity?reason=protocol")).text
    assert "was refused" in page
    assert "logged in through" not in page
    assert "Nothing like this" in (await visitor.get("/activity?reason=network")).text
    page = (await visitor.get("/activity?month=2026-03")).text
    assert "logged in through SMTP" in page
    assert "was refused" not in page
    assert "was refused" in (await visitor.get("/activity?month=2026-04")).text
    for odd in (
        "month=2026-13",
        "month=0001-01",
        "month=9999-12",
        "before=x",
        "before=0001-01-01T00:00%2B14:00",
        "show=x",
    ):
        assert (await visitor.get(f"/activity?{odd}")).status_code == 200


async def test_activity_goes_back_page_by_page(visitor: PortalClient, house: House, alice: Person) -> None:
    issued = await house.issue(alice, "Phone")
    for number in range(120):
        house.clock.move(minutes=1)
        await login.check(house.ports, attempt("alice", issued.secret.text, client=f"client {number};"))
    await house.recorder.flush()
    await visitor.sign_in(house, alice)
    seen = []
    path: str | None = "/activity"
    while path:
        page = (await visitor.get(path)).text
        seen += re.findall(r"client (\d+);", page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older.group(1).replace("&amp;", "&") if older else None
        house.clock.move(seconds=timedelta(seconds=1).total_seconds())
    assert [int(number) for number in seen] == list(reversed(range(120)))
