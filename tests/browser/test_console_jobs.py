"""What administrators do in the console, in a real browser; with and without JavaScript."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import Visitor, _visitor
from tests.browser.portal_site import PortalSite, fill
from tests.verbs.site import OPERATOR, PASSWORD, Person

from valetkey.core.role import Role
from valetkey.service import accounts, app_passwords, console
from valetkey.service.store_parts import AuditFilter

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def second(chromium: Browser, site: PortalSite) -> Iterator[Visitor]:
    """Somebody else at another browser."""
    yield from _visitor(chromium, site, javascript=True)


def administrator(site: PortalSite, name: str = "ada") -> Person:
    return site.person(f"{name}@example.org", role=Role.ADMIN)


def test_an_account_is_made_and_its_person_invited(site: PortalSite, visitor: Visitor, second: Visitor) -> None:
    visitor.come_in(administrator(site))
    page = visitor.page
    page.get_by_role("link", name="Console", exact=True).click()
    page.get_by_role("navigation", name="Console").get_by_role("link", name="Accounts").click()
    page.get_by_role("link", name="New account").click()
    page.get_by_label("Mail address").fill("carol@example.org")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Invitation")
    link = page.locator("#invitation").inner_text().strip()
    guest = second.page
    guest.goto(link)
    guest.get_by_label("Main password", exact=True).fill("harbour candle seventeen fox")
    guest.get_by_label("Once more").fill("harbour candle seventeen fox")
    guest.get_by_role("button", name="Set the password and go on").click()
    expect(guest.get_by_role("heading", level=1)).to_have_text("Set up your second factor")
    page.get_by_role("link", name="To the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("carol@example.org")
    expect(page.get_by_text("No second factor")).to_be_visible()


def test_a_stolen_app_password_is_found_and_revoked_with_its_connections(site: PortalSite, visitor: Visitor) -> None:
    alice = site.do(lambda: fill(site.house))
    site.do(lambda: site.house.issue(alice, EVIL))
    page = visitor.come_in(administrator(site), "/console/app-passwords")
    expect(page.get_by_role("link", name=EVIL)).to_be_visible()
    page.get_by_label("Search").fill("My phone")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="My phone").click()
    expect(page.get_by_text("2 connections", exact=True)).to_be_visible()
    open_now = {one.credential_id for one in site.house.live.sessions}
    site.house.live.fails = lambda session: session.credential_id in open_now
    page.get_by_role("link", name="Revoke", exact=True).click()
    expect(page.get_by_text("2 open connections will be closed.")).to_be_visible()
    page.get_by_label("Device lost or stolen").check()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("status").first).to_contain_text("2 connections closed")
    expect(page.get_by_text("0 connections", exact=True)).to_be_visible()
    assert site.house.live.sessions == []


def test_many_are_revoked_at_once(site: PortalSite, visitor: Visitor) -> None:
    alice = site.do(lambda: fill(site.house))
    page = visitor.come_in(administrator(site), "/console/app-passwords")
    page.locator("input[name=one]").nth(0).check()
    page.locator("input[name=one]").nth(1).check()
    page.get_by_role("button", name="Revoke the ticked ones").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke 2 app passwords?")
    expect(page.get_by_text("1 account is hit.")).to_be_visible()
    page.get_by_role("button", name="Revoke them now").click()
    expect(page.get_by_text("2 app passwords are revoked.")).to_be_visible()
    page = visitor.go("/console/app-passwords")
    page.get_by_role("button", name="Revoke all that this list finds").click()
    expect(page.get_by_text("3 app passwords will stop working.")).to_be_visible()
    page.get_by_role("button", name="Revoke them now").click()
    left = site.do(lambda: app_passwords.of_account(site.house.ports, OPERATOR, alice.account.id, live_only=True))
    assert left == ()


def test_a_policy_is_tried_and_saved(site: PortalSite, visitor: Visitor) -> None:
    site.do(lambda: fill(site.house))
    ada = administrator(site)
    page = visitor.come_in(ada, "/console/policy")
    page.get_by_label("Longest lifetime (days)").fill("20")
    page.get_by_role("button", name="See whom it hits").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Save this change?")
    expect(page.get_by_role("row", name=re.compile("Thunderbird, laptop.*stops working"))).to_be_visible()
    assert site.house.ports.policy.max_lifetime is None
    site.house.clock.move(minutes=6)  # some minutes over the preview: it asks for a proof, and keeps the change
    page.get_by_role("button", name="Save it").click()
    page.get_by_label("Main password").fill(PASSWORD)
    page.get_by_label("Code", exact=True).fill(site.next_code(ada))
    page.get_by_role("button", name="Save it").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved, and it holds now.")
    assert site.house.ports.policy.max_lifetime is not None


def test_what_one_proposes_another_countersigns(site: PortalSite, visitor: Visitor, second: Visitor) -> None:
    alice = site.person("alice@example.org")
    bea = administrator(site, "bea")
    page = visitor.come_in(administrator(site), f"/console/accounts/{alice.account.id}")
    page.get_by_role("link", name="Take second factors away").click()
    page.get_by_label("Reason").fill("Lost the phone; called back")
    page.get_by_role("button", name="Propose it").click()
    expect(page.get_by_text("Waits for a second administrator")).to_be_visible()
    expect(page.get_by_text("You have proposed this yourself", exact=False)).to_be_visible()
    expect(page.get_by_role("button", name="Countersign")).to_have_count(0)
    second.come_in(bea)
    other = second.go("/console")
    expect(other.get_by_text("1 proposal waits for a second administrator.")).to_be_visible()
    other.get_by_role("link", name="Decide").click()
    other.get_by_role("link", name="Take away somebody’s second factors").click()
    expect(other.get_by_text("Lost the phone; called back")).to_be_visible()
    other.get_by_role("button", name="Countersign").click()
    expect(other.get_by_text("Countersigned", exact=True)).to_be_visible()
    found = site.do(lambda: accounts.find(site.house.ports, OPERATOR, alice.account.id))
    assert not found.has_second_factor


def test_the_audit_log_is_checked_and_taken_away(site: PortalSite, visitor: Visitor) -> None:
    alice = site.do(lambda: fill(site.house))
    page = visitor.come_in(administrator(site), "/console/audit")
    page.get_by_role("link", name="Check the chain").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("The chain is whole")).to_be_visible()
    page = visitor.go("/console/audit")
    page.get_by_label("About the account").fill(alice.account.address)
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="Export").click()
    expect(page.get_by_text("Only what fits your filters", exact=False)).to_be_visible()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download").click()
    lines = coming.value.path().read_text().splitlines()
    assert lines[0].startswith('"number","at"')
    assert all(alice.account.id in line for line in lines[1:])
    newest = site.do(lambda: console.audit(site.house.ports, OPERATOR, AuditFilter(), limit=1))[0]
    assert newest.kind == "Exported"


def test_the_helpdesk_sees_only_what_it_may_do(site: PortalSite, visitor: Visitor) -> None:
    alice = site.do(lambda: fill(site.house))
    page = visitor.come_in(site.person("hugo@example.org", role=Role.HELPDESK), "/console")
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    page = visitor.go(f"/console/accounts/{alice.account.id}")
    expect(page.get_by_role("link", name="Disable")).to_be_visible()
    expect(page.get_by_role("link", name="Set the role")).to_have_count(0)
    page = visitor.go("/console/policy")
    expect(page.get_by_role("button", name="See whom it hits")).to_have_count(0)
    page = visitor.go("/console/audit")
    expect(page.get_by_text("Your role in the console does not permit this.", exact=False)).to_be_visible()
