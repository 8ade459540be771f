"""Recovery, notices and invitations in a real browser, with mails that go through a real SMTP conversation."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import Visitor, _visitor
from tests.browser.portal_site import PortalSite
from tests.servers.sink import Sink, running_sink
from tests.verbs.site import OPERATOR, PASSWORD, Person

from valetkey.adapters.mailer import MailEncryption, MailServer
from valetkey.adapters.submission import SmtpMailer
from valetkey.service import accounts, invitations
from valetkey.service.upkeep import every_minute

pytestmark = pytest.mark.browser
OUTSIDE = "alice@elsewhere.example"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, sink: Sink) -> Iterator[PortalSite]:
    server = MailServer("127.0.0.1", sink.port, MailEncryption.NONE, "valetkey@example.org", "Valetkey")
    running = PortalSite(tmp_path, mailer=SmtpMailer(server, lambda: ""))
    yield running
    running.close()


@pytest.fixture
def other(chromium: Browser, site: PortalSite) -> Iterator[Visitor]:
    """Another browser, which belongs to somebody else."""
    yield from _visitor(chromium, site, javascript=False)


class Mailbox:
    """What the sink took."""

    def __init__(self, site: PortalSite, sink: Sink) -> None:
        self.site, self.sink = site, sink

    def arrived(self, address: str) -> list[tuple[str, str]]:
        """Send what waits and give subject and text of what is new for an address."""
        before = len(self.sink.taken)
        self.site.send_notices()
        found = []
        for taken in self.sink.taken[before:]:
            message = message_from_bytes(taken.octets, policy=policy.default)
            if message["To"] == address:
                found.append((str(message["Subject"]), message.get_content()))
        return found

    def link(self, address: str) -> str:
        """Give the path of the link in the newest mail to an address."""
        found = re.search(re.escape(self.site.url) + r"(/\S+/[A-Za-z0-9_-]{43})", self.arrived(address)[-1][1])
        assert found is not None
        return found[1]


@pytest.fixture
def mailbox(site: PortalSite, sink: Sink) -> Mailbox:
    return Mailbox(site, sink)


def with_notice_address(visitor: Visitor, mailbox: Mailbox) -> Person:
    """Sign alice in, and have her add and confirm a notice address; gives her signed out."""
    alice = visitor.site.person("alice@example.org")
    page = visitor.come_in(alice, "/account")
    page.get_by_role("link", name="Where notices go").click()
    page.get_by_role("link", name="Add a notice address").click()
    page.get_by_label("Mail address").fill("alice@example.org")
    page.get_by_role("button", name="Mail the link").click()
    expect(page.get_by_role("alert")).to_contain_text("one of this site’s own")
    page.get_by_label("Mail address").fill(OUTSIDE)
    page.get_by_role("button", name="Mail the link").click()
    expect(page.get_by_text("Waits until you open the link")).to_be_visible()
    visitor.go(mailbox.link(OUTSIDE))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status").first).to_contain_text("Confirmed")
    page.get_by_role("button", name="Sign out").click()
    return alice


def who_has_notice_address(site: PortalSite) -> Person:
    """Make alice with a notice address, where adding it is not what a test is about."""
    alice, now = site.person("alice@example.org"), site.house.clock.now()
    site.do(lambda: site.house.store.write(lambda writer: writer.set_notice_address(alice.account.id, OUTSIDE, now)))
    return alice


def half(visitor: Visitor, alice: Person) -> None:
    page = visitor.give_password(alice)
    page.get_by_text("I do not have my authenticator").click()
    page.get_by_role("link", name="I have lost my second factor").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recover your account")


def begin(visitor: Visitor, mailbox: Mailbox, alice: Person) -> None:
    half(visitor, alice)
    page = visitor.page
    expect(page.get_by_text("a…@elsewhere.example")).to_be_visible()
    page.get_by_role("button", name="Mail me the link").click()
    visitor.go(mailbox.link(OUTSIDE))
    expect(page.get_by_text("72 hours pass")).to_be_visible()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="The waiting time runs")).to_be_visible()


def test_from_a_lost_second_factor_to_a_new_one(visitor: Visitor, mailbox: Mailbox, site: PortalSite) -> None:
    alice = with_notice_address(visitor, mailbox)
    mailbox.arrived(OUTSIDE)
    begin(visitor, mailbox, alice)
    told: list[str] = []
    for _ in range(72):
        site.house.clock.move(hours=1)
        site.do(lambda: every_minute(site.house.ports))
        told += [subject for subject, _ in mailbox.arrived("alice@example.org")]
    assert told == [
        "Somebody wants to take away the second factor of alice@example.org",
        "The second factor of alice@example.org will be taken away",
        "The second factor of alice@example.org will be taken away",
        "The second factor of alice@example.org can now be taken away",
    ]
    half(visitor, alice)
    page = visitor.page
    page.get_by_role("button", name="Mail me the link").click()
    visitor.go(mailbox.link(OUTSIDE))
    page.get_by_role("button", name="Take my old second factor away").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up your second factor")
    page.get_by_label("Six digits").fill(site.code_of_text(page.locator("#seed").inner_text()))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    subjects = [subject for subject, _ in mailbox.arrived(OUTSIDE)]
    assert "Second factors of alice@example.org taken away by recovery" in subjects


def test_the_owner_sees_a_banner_on_every_page_and_calls_it_off(
    visitor: Visitor, other: Visitor, mailbox: Mailbox
) -> None:
    alice = who_has_notice_address(visitor.site)
    page = visitor.let_in(alice)
    begin(other, mailbox, alice)
    for path in ("/", "/account", "/app-passwords/new"):
        visitor.go(path)
        expect(page.get_by_role("alert")).to_contain_text("Somebody is recovering this account.")
    page.get_by_role("button", name="Call it off").click()
    expect(page.get_by_role("status").first).to_contain_text("The recovery is called off")
    other.go("/recover")
    expect(other.page.get_by_role("button", name="Mail me the link")).to_be_visible()


def test_the_link_of_a_notice_calls_it_off(visitor: Visitor, other: Visitor, mailbox: Mailbox) -> None:
    alice = who_has_notice_address(visitor.site)
    mailbox.arrived(OUTSIDE)
    begin(other, mailbox, alice)
    page = visitor.go(mailbox.link("alice@example.org"))
    assert "/recover/call-off" in page.url
    page.get_by_role("button", name="Call it off").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The recovery is called off")
    assert mailbox.arrived(OUTSIDE)[-1][0] == "Recovery of alice@example.org called off"


def test_an_invited_person_comes_in_once(visitor: Visitor, other: Visitor, site: PortalSite) -> None:
    async def invite() -> str:
        account = await accounts.create(site.house.ports, OPERATOR, "new@example.org")
        made = await invitations.invite(site.house.ports, OPERATOR, account.id)
        return invitations.PATH + made.token

    link = site.do(invite)
    page = visitor.go(link)
    assert page.url == site.url + "/welcome"
    page.get_by_label("Main password").fill(PASSWORD)
    page.get_by_label("Once more").fill("another")
    page.get_by_role("button", name="Set the password and go on").click()
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    page.get_by_label("Main password").fill(PASSWORD)
    page.get_by_label("Once more").fill(PASSWORD)
    page.get_by_role("button", name="Set the password and go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up your second factor")
    other.go(link)
    expect(other.page.get_by_role("heading", level=1)).to_have_text("This link opens nothing")
