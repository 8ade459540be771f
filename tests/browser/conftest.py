"""A browser and a portal for it. Whatever a page complains about, a dialog it opens or a policy it breaks, fails the test."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.browser.portal_site import PortalSite
from tests.verbs.site import PASSWORD, Person

# Debian's Chromium without a window. It takes a third of the work of /usr/bin/chromium, which draws what nobody sees.
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell")
PATIENCE = 30_000  # milliseconds that a page has to come to what is expected of it: machines can be slow
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
# A cookie with the prefix __Host- is set from https only; this browser takes it for http://localhost as well.
SESSION_COOKIE: Any = {
    "name": "__Host-valetkey",
    "url": "https://localhost",
    "httpOnly": True,
    "secure": True,
    "sameSite": "Lax",
}
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")  # not longer: asyncio tests cannot run beside Playwright's loop
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PortalSite]:
    running = PortalSite(tmp_path)
    yield running
    running.close()


class Visitor:
    """Somebody at a browser."""

    def __init__(self, site: PortalSite, context: BrowserContext, complaints: list[str]) -> None:
        self.site = site
        self.context = context
        self.complaints = complaints
        self.page: Page = self.open()

    def open(self) -> Page:
        """Open another tab."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("console", self._hear)
        return page

    def _hear(self, message: Any) -> None:
        # A refused form is answered 4xx, and the browser says so; that is no fault of the page.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def go(self, path: str) -> Page:
        self.page.goto(self.site.url + path)
        return self.page

    def give_password(self, person: Person) -> Page:
        """Sign in up to the second factor."""
        page = self.go("/sign-in")
        page.get_by_label("Mail address").fill(person.account.address)
        page.get_by_label("Main password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        return page

    def let_in(self, person: Person) -> Page:
        """Sign in without a page, where signing in is not what a test is about."""
        token = self.site.do(lambda: self.site.house.signed_in(person)).token
        self.context.add_cookies([{**SESSION_COOKIE, "value": token}])
        return self.page

    def come_in(self, person: Person, path: str = "/") -> Page:
        """Open a page as somebody who has just signed in."""
        self.let_in(person)
        return self.go(path)

    def sign_in(self, person: Person) -> Page:
        """Sign in completely, by hand."""
        self.give_password(person)
        return self.sign_in_with_code(person)

    def sign_in_with_code(self, person: Person) -> Page:
        """Finish signing in, on the page that asks for the code."""
        page = self.page
        page.get_by_label("Code from your authenticator").fill(self.site.next_code(person))
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("heading", name="App passwords", level=1).wait_for()
        return page


@pytest.fixture(params=[True, False], ids=["with-javascript", "without-javascript"])
def visitor(request: pytest.FixtureRequest, chromium: Browser, site: PortalSite) -> Iterator[Visitor]:
    yield from _visitor(chromium, site, javascript=request.param)


@pytest.fixture
def scripted(chromium: Browser, site: PortalSite) -> Iterator[Visitor]:
    yield from _visitor(chromium, site, javascript=True)


def _visitor(chromium: Browser, site: PortalSite, *, javascript: bool) -> Iterator[Visitor]:
    complaints: list[str] = []
    context = chromium.new_context(java_script_enabled=javascript)
    yield Visitor(site, context, complaints)
    context.close()
    assert complaints == []
