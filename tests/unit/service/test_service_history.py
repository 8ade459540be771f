"""What happened with an account or with one app password."""

from datetime import timedelta

import pytest
from tests.verbs.site import OPERATOR, House, Person, attempt

from valetkey.core.errors import NotFound
from valetkey.core.event import AppPasswordIssued, AppPasswordRevoked
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, ready_made
from valetkey.service import app_passwords, history, login, rotation
from valetkey.service.app_passwords import Wanted as WantedAppPassword
from valetkey.service.history import Kind, Wanted
from valetkey.service.ports import AuditRecord

SEND_ONLY = ready_made("send-only").scope


async def logged_in(house: House, issued, protocol: MailProtocol = MailProtocol.SMTP, name: str = "alice") -> None:
    await login.check(house.ports, attempt(name, issued.secret.text, protocol=protocol))
    await house.recorder.flush()
    house.clock.move(minutes=1)


def kinds(entries) -> list[str]:
    return [type(e.event).__name__ if isinstance(e, AuditRecord) else e.result for e in entries]


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


async def test_an_app_password_s_page_has_all_that_is_its_own(house: House, alice: Person):
    since = house.clock.now().date()
    one, other = await house.issue(alice, scope=SEND_ONLY), await house.issue(alice, "Laptop")
    await logged_in(house, one)
    await logged_in(house, one, MailProtocol.IMAP)
    await logged_in(house, other)
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), one.app_password.id, timedelta(days=1))
    detail = await history.of_app_password(house.ports, alice.actor, one.app_password.id, since=since)
    assert kinds(detail.history.entries) == ["AppPasswordRotated", "protocol", "allowed", "AppPasswordIssued"]
    assert {(day.result, day.count) for day in detail.days} == {("allowed", 1), ("protocol", 1)}
    assert (detail.successor, detail.predecessor) == (rotated.app_password, None)
    assert detail.account.id == alice.account.id
    assert detail.history.names == {alice.account.id: "alice@example.org"}
    of_new = await history.of_app_password(house.ports, alice.actor, rotated.app_password.id, since=since)
    assert of_new.predecessor is not None
    assert of_new.predecessor.id == one.app_password.id
    assert kinds(of_new.history.entries) == ["AppPasswordIssued"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(frozenset({Kind.LOGINS})), ["allowed"]),
        (Wanted(frozenset({Kind.REFUSALS})), ["protocol"]),
        (Wanted(frozenset({Kind.LOGINS, Kind.REFUSALS})), ["protocol", "allowed"]),
        (Wanted(reason="protocol"), ["protocol"]),
        (Wanted(reason="network"), []),
        (Wanted(frozenset()), []),
    ],
)
async def test_one_chooses_what_is_listed(house: House, alice: Person, wanted: Wanted, expected: list[str]):
    one = await house.issue(alice, scope=SEND_ONLY)
    await logged_in(house, one)
    await logged_in(house, one, MailProtocol.IMAP)
    found = await history.of_account(house.ports, alice.actor, alice.account.id, wanted)
    assert kinds(found.entries) == expected
    changes = await history.of_account(house.ports, alice.actor, alice.account.id, Wanted(frozenset({Kind.CHANGES})))
    assert kinds(changes.entries)[0] == "AppPasswordIssued"
    assert "allowed" not in kinds(changes.entries)


async def test_pages_meet_without_a_gap_and_keep_what_happened_at_once_together(house: House, alice: Person):
    for number in range(6):
        await house.issue(alice, f"Phone {number}")
        house.clock.move(minutes=1)
    await app_passwords.revoke_all(house.ports, alice.actor, alice.account.id)
    pages, until = [], None
    while True:
        page = await history.of_account(house.ports, alice.actor, alice.account.id, Wanted(until=until), limit=4)
        pages.append(page.entries)
        if page.before is None:
            break
        until = page.before
    assert kinds(pages[0]) == ["AppPasswordRevoked"] * 6
    everything = await history.of_account(house.ports, alice.actor, alice.account.id)
    assert everything.before is None
    assert [entry for page in pages for entry in page] == list(everything.entries)
    assert {type(e.event) for e in everything.entries} >= {AppPasswordIssued, AppPasswordRevoked}


async def test_a_span_of_time(house: House, alice: Person):
    one = await house.issue(alice)
    begin = house.clock.now()
    for _ in range(3):
        house.clock.move(days=1)
        await login.check(house.ports, attempt("alice", one.secret.text, client=str(house.clock.now())))
    await house.recorder.flush()
    span = Wanted(since=begin + timedelta(days=2), until=begin + timedelta(days=3))
    found = await history.of_account(house.ports, alice.actor, alice.account.id, span)
    assert [history.at(entry) for entry in found.entries] == [begin + timedelta(days=2)]


async def test_owners_see_who_made_what(house: House, alice: Person):
    bob = await house.person("bob@example.org")
    scanner = await house.shared(owner=alice)
    await app_passwords.issue(
        house.ports, house.acting(alice.account), scanner.id, WantedAppPassword("Scanner", SEND_ONLY)
    )
    await app_passwords.issue(house.ports, OPERATOR, scanner.id, WantedAppPassword("Fax", SEND_ONLY))
    found = await history.of_account(house.ports, alice.actor, scanner.id)
    assert found.names == {alice.account.id: "alice@example.org"}
    assert set(found.called.values()) == {"Scanner", "Fax"}
    with pytest.raises(NotFound):
        await history.of_account(house.ports, bob.actor, scanner.id)


async def test_helpdesk_sees_logins_of_others_and_only_who_sees_the_audit_log_the_changes(house: House, alice: Person):
    one = await house.issue(alice)
    await logged_in(house, one)
    helper = await house.person("help@example.org", role=Role.HELPDESK)
    auditor = await house.person("audit@example.org", role=Role.AUDITOR)
    seen = await history.of_account(house.ports, house.acting(helper.account), alice.account.id)
    assert kinds(seen.entries) == ["allowed"]
    seen = await history.of_account(house.ports, house.acting(auditor.account), alice.account.id)
    assert {"allowed", "AppPasswordIssued"} <= set(kinds(seen.entries))
