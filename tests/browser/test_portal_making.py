"""Making an app password: from what it is for to the first login, which shows on the page."""

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visitor
from tests.browser.portal_site import PortalSite
from tests.verbs.site import Person, attempt

from valetkey.core.scope import MailProtocol
from valetkey.service import app_passwords, login

pytestmark = pytest.mark.browser


def log_in(site: PortalSite, person: Person, secret: str, **how: str) -> None:
    async def check() -> None:
        protocol = MailProtocol(how.get("protocol", "imap"))
        trial = attempt(
            person.account.address, secret, protocol=protocol, client=how.get("client", ""),
            address=how.get("address", "203.0.113.7"),
        )  # fmt: skip
        await login.check(site.house.ports, trial)
        await site.house.recorder.flush()

    site.do(check)


def make(visitor: Visitor, purpose: str, name: str = "One") -> str:
    page = visitor.go(f"/app-passwords/new?purpose={purpose}")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the app password").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("is ready")
    return page.locator("#secret").inner_text().strip()


def test_the_first_login_shows_on_the_page(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.let_in(alice)
    secret = make(scripted, "phone", "Kitchen phone")
    waiting = page.locator("#first-login")
    expect(waiting).to_contain_text("Waiting for the first login")
    log_in(site, alice, secret, client="iPhone Mail")
    expect(waiting).to_contain_text("iPhone Mail signed in from 203.0.113.7 over IMAP. It works.")
    expect(page.locator("#told")).to_contain_text("iPhone Mail signed in")  # read out
    expect(page.locator("#first-login .spinner")).to_have_count(0)


def test_a_refused_login_shows_why(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.let_in(alice)
    secret = make(scripted, "scanner")
    log_in(site, alice, secret)
    refusal = page.locator("#first-login [role=alert]")
    expect(refusal).to_contain_text("Refused: this protocol is off for it (IMAP from 203.0.113.7)")
    log_in(site, alice, secret, protocol="smtp", client="MFP-2040")
    expect(page.locator("#first-login")).to_contain_text("MFP-2040 signed in from 203.0.113.7 over SMTP")


def test_without_javascript_the_details_say_it(
    site: PortalSite, visitor: Visitor, request: pytest.FixtureRequest
) -> None:
    alice = site.person("alice@example.org")
    page = visitor.let_in(alice)
    secret = make(visitor, "phone")
    log_in(site, alice, secret, client="iPhone Mail")
    if "without-javascript" in request.node.name:
        page.get_by_role("link", name="Check now whether it has signed in").click()
    else:
        page.get_by_role("link", name="See its details").click()
    expect(page.get_by_text("iPhone Mail").first).to_be_visible()


def test_the_sentence_follows_the_ticks(site: PortalSite, visitor: Visitor, request: pytest.FixtureRequest) -> None:
    page = visitor.come_in(site.person("alice@example.org"), "/app-passwords/new?purpose=phone")
    sentence = page.locator("#summary")
    expect(sentence).to_contain_text("It can read mail, mark messages")
    expect(sentence).to_contain_text("It works from anywhere, and does not end by itself.")
    page.get_by_text("Limit further").click()
    page.get_by_label("Delete").uncheck()
    page.get_by_label("Only from the network where it is first used").check()
    page.get_by_label("Ends", exact=True).select_option("30")
    if "without-javascript" in request.node.name:
        page.get_by_role("button", name="Show what it can do").click()
    else:
        expect(page.get_by_role("button", name="Show what it can do")).to_be_hidden()
    expect(sentence).to_contain_text(re.compile(r"It cannot (delete messages|.*delete messages).*\."))
    expect(sentence).to_contain_text("It works only from the network where it is first used, until")
    expect(page.get_by_label("Delete")).not_to_be_checked()
    expect(page.get_by_label("Delete")).to_be_visible()  # still open
    page.get_by_role("checkbox", name="Send Send mail as you").uncheck()
    page.get_by_label("Name", exact=True).fill("Narrow")
    page.get_by_role("button", name="Make the app password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("“Narrow” is ready")
    expect(page.locator(".can")).to_contain_text("delete messages, send mail or change filters")


def test_limits_are_set_said_and_counted(site: PortalSite, visitor: Visitor, request: pytest.FixtureRequest) -> None:
    alice = site.person("alice@example.org")
    page = visitor.come_in(alice, "/app-passwords/new?purpose=scanner")
    expect(page.get_by_label("Messages a day")).to_be_hidden()
    page.get_by_text("More limits").click()
    page.get_by_label("alice@example.org", exact=True).check()
    page.get_by_label("Sends only to").fill("office@example.org, @example.net")
    page.get_by_label("Messages a day").fill("20")
    if "without-javascript" in request.node.name:
        page.get_by_role("button", name="Show what it can do").click()
        expect(page.get_by_label("Messages a day")).to_be_visible()  # still open
    expect(page.locator("#summary")).to_contain_text(
        "It sends only as alice@example.org. It sends only to office@example.org and any address at example.net. "
        "It sends at most 20 messages a day."
    )
    page.get_by_label("Name", exact=True).fill("Office scanner")
    page.get_by_role("button", name="Make the app password").click()
    expect(page.locator(".can")).to_contain_text("It sends at most 20 messages a day.")
    page.get_by_role("link", name="See its details").click()
    expect(page.get_by_text("0 of 20 messages")).to_be_visible()
    (one,) = site.do(lambda: app_passwords.of_account(site.house.ports, alice.actor, alice.account.id))
    day = site.house.clock.now().date()
    site.do(lambda: site.house.ports.store.write(lambda writer: writer.count_sent(one.id, day, 2)))
    if "without-javascript" in request.node.name:
        page.reload()
    expect(page.get_by_text("1 of 20 messages")).to_be_visible()


def test_a_crm_is_asked_for_its_folders(site: PortalSite, visitor: Visitor) -> None:
    page = visitor.come_in(site.person("alice@example.org"), "/app-passwords/new?purpose=crm")
    expect(page.locator("#summary")).to_have_text("Name at least one folder that it may read.")
    page.get_by_label("Name", exact=True).fill("CRM")
    page.get_by_label("Sees only these folders").fill("*")
    page.get_by_role("button", name="Make the app password").click()
    expect(page.locator("#folders-wrong")).to_contain_text("Write the name of a folder")
    page.get_by_label("Sees only these folders").fill("Customers\nCustomers/*")
    page.get_by_role("button", name="Make the app password").click()
    expect(page.locator(".can")).to_contain_text("It sees no folder but “Customers” and what lies in “Customers”.")


def test_the_enter_key_makes_it(site: PortalSite, visitor: Visitor) -> None:
    page = visitor.come_in(site.person("alice@example.org"), "/app-passwords/new?purpose=website")
    page.get_by_label("Name", exact=True).fill("Shop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("“Shop” is ready")


def test_what_else_it_could_be_for(site: PortalSite, visitor: Visitor) -> None:
    page = visitor.come_in(site.person("alice@example.org"), "/app-passwords/new")
    expect(page.locator(".tile")).to_have_count(7)
    page.get_by_role("link", name="Something else").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("link", name="Filter editor").click()
    expect(page.locator("#summary")).to_contain_text("It can change filters and forwarding")


def test_exact_settings_for_each_kind_of_client(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.let_in(alice)
    secret = make(scripted, "website")
    page.get_by_text("A server’s own mail (msmtp)").click()
    lines = page.locator("#lines-msmtp-1")
    expect(lines).to_be_visible()
    expect(lines).to_contain_text(secret)
    expect(lines).to_contain_text("tls_starttls   off")
    secret = make(scripted, "scanner")
    panel = page.get_by_text("In the device’s menu or on its web page")
    expect(panel).to_be_visible()
    for wanted in ("465", "SSL/TLS", secret, "alice@example.org"):
        expect(page.locator("details.card[open]")).to_contain_text(wanted)
    page.get_by_text("As a QR code").click()
    expect(page.get_by_role("img", name="QR code of the app password")).to_be_visible()


def test_the_profile_is_a_file(site: PortalSite, visitor: Visitor) -> None:
    visitor.let_in(site.person("alice@example.org"))
    make(visitor, "phone")
    button = visitor.page.get_by_role("button", name="Load the profile")
    with visitor.page.expect_download() as waiting:
        button.click()
    assert waiting.value.suggested_filename == "mail.mobileconfig"
    assert b"IncomingPassword" in waiting.value.path().read_bytes()
    expect(button).to_be_enabled()  # once more, should it get lost
