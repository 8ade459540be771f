"""The portal of a running Valetkey in a real browser, with real mail clients beside it: use shows as it happens."""

import imaplib
import re
import time
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.servers import python_clients
from tests.servers.people import CAROL
from tests.servers.valetkey import Valetkey
from tests.servers.valetkey_keys import _acting_as

from valetkey.service import second_factors

pytestmark = [pytest.mark.integration, pytest.mark.browser]
SHOWN = re.compile(r"vkey(-[a-z]{4}){6}")


@pytest.fixture(scope="module")
def seed(valetkey: Valetkey) -> str:
    """Give carol an authenticator of which the test knows the seed."""
    account = valetkey.keys.account_id(CAROL)

    async def set_up(ports) -> str:
        actor = _acting_as(ports, account)
        offer = second_factors.offer_totp(ports, actor, CAROL.address)
        code = pyotp.parse_uri(offer.uri).now()
        await second_factors.confirm_totp(ports, actor, offer.sealed, code, "The test’s")
        return offer.seed_text.replace(" ", "")

    return valetkey.keys.do(set_up)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def carols(valetkey: Valetkey, chromium: Browser, seed: str) -> Iterator[BrowserContext]:
    """Carol's browser, signed in; once, since a code is good for one sign-in."""
    context = chromium.new_context(base_url=f"http://localhost:{valetkey.ports.portal}")
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Mail address").fill(CAROL.address)
    page.get_by_label("Main password").fill(CAROL.password)
    page.get_by_role("button", name="Go on").click()
    # The code of the step after this one: that of this step was used up by the set-up.
    page.get_by_label("Code from your authenticator").fill(pyotp.TOTP(seed).at(int(time.time()) + 30))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="App passwords", level=1).wait_for()
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(carols: BrowserContext) -> Iterator[Page]:
    complaints: list[str] = []
    page = carols.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def is_closed(client: imaplib.IMAP4) -> bool:
    try:
        return client.noop()[0] != "OK"
    except (imaplib.IMAP4.abort, OSError):
        return True


def test_a_rotation_lets_both_in_and_a_revocation_says_how_many_it_closed(valetkey: Valetkey, page: Page) -> None:
    key = valetkey.keys.issue(CAROL, description="Backup")
    old = valetkey.login(key, "imaps")
    page.goto(f"/app-passwords/{key.id}")
    page.get_by_role("link", name="Rotate").click()
    page.get_by_label("It works for 1 more day").check()
    page.get_by_role("button", name="Make the new one").click()
    secret = page.locator("#secret").inner_text().strip()
    assert SHOWN.fullmatch(secret)
    new = valetkey.login(key, "imaps", secret=secret)
    with python_clients.imap(old) as first, python_clients.imap(new) as second:
        expect(page.locator("#first-login")).to_contain_text("over IMAP. It works.")
        page.goto("/connections")
        expect(page.get_by_role("heading", level=2, name="Backup")).to_have_count(2)
        page.goto(f"/app-passwords/{key.id}/revoke")
        page.get_by_role("button", name="Revoke it").click()
        expect(page.get_by_role("status").first).to_contain_text("1 connection closed")
        assert is_closed(first)
        assert not is_closed(second)
    with pytest.raises(imaplib.IMAP4.error), python_clients.imap(old):
        pass


def test_use_shows_as_it_happens_until_it_is_cut_off(valetkey: Valetkey, page: Page) -> None:
    key = valetkey.keys.issue(CAROL, description="Kitchen phone")
    login = valetkey.login(key, "imaps")
    page.goto("/")
    row = page.get_by_role("row", name="Kitchen phone")
    expect(row).to_contain_text("Never used")
    with python_clients.imap(login) as first:
        expect(row).to_contain_text("1 connection open")  # by itself
        expect(row).to_contain_text("127.0.0.1")
        row.get_by_role("link", name="Kitchen phone", exact=True).click()
        sessions = page.locator(".sessions li")
        expect(sessions).to_have_count(1)
        with python_clients.imap(login) as second:
            expect(sessions).to_have_count(2)
            sessions.nth(1).get_by_role("button", name="Close").click()
            expect(page.get_by_role("status").first).to_contain_text("1 connection closed")
            expect(sessions).to_have_count(1)
            assert [is_closed(first), is_closed(second)].count(True) == 1
    expect(sessions).to_have_count(0)
    expect(page.get_by_text("It logged in through IMAP").first).to_be_visible()
    expect(page.get_by_text("Connection closed: imap from 127.0.0.1")).to_be_visible()


def test_a_refusal_shows_with_what_to_do(valetkey: Valetkey, page: Page) -> None:
    key = valetkey.keys.issue(CAROL, "send-only", description="Scanner")
    page.goto(f"/app-passwords/{key.id}")
    expect(page.get_by_text("Never used")).to_be_visible()
    with pytest.raises(imaplib.IMAP4.error), python_clients.imap(valetkey.login(key, "imaps")):
        pass
    refusal = page.locator("#now .refusal")
    expect(refusal).to_contain_text("this protocol is off for it")
    expect(refusal).to_contain_text("Set the program to another protocol")


HOSTILE = "<img src=x onerror=alert(1)>"


def test_what_real_clients_call_themselves_is_shown_and_never_run(valetkey: Valetkey, page: Page) -> None:
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    key = valetkey.keys.issue(CAROL, description="Odd program")
    with python_clients.imap_named(valetkey.login(key, "imaps"), f"{HOSTILE} ID"):
        page.goto(f"/app-passwords/{key.id}")
        expect(page.locator(".sessions li")).to_contain_text(f"{HOSTILE} ID")
        for path in ("/", "/connections", "/activity"):
            page.goto(path)
            expect(page.locator("#main")).to_contain_text(f"{HOSTILE} ID")
    with python_clients.smtp_named(valetkey.login(key, "submissions"), "x<script>alert(1)</script>"):
        pass
    page.goto(f"/app-passwords/{key.id}")
    expect(page.locator("#main")).to_contain_text("x<script>alert(1)</script>")
    assert page.locator("#main img, #main script").count() == 0
    assert said == []
