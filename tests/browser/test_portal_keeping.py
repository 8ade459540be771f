"""What is done with an app password after it is made, with and without JavaScript; and the main job with keys alone."""

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visitor
from tests.browser.portal_site import PortalSite
from tests.verbs.site import HOME, Person

from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LiveSession

pytestmark = pytest.mark.browser

FOCUSED = """() => {
  const one = document.activeElement;
  const look = getComputedStyle(one.closest('.choice, .stat') ?? one);
  const name = one.labels?.[0]?.textContent ?? one.getAttribute('aria-label') ?? one.textContent;
  return [one.tagName, name.trim(), look.outlineStyle, parseFloat(look.outlineWidth)];
}"""
MOST_TABS = 60


def test_rename_close_and_rotate(site: PortalSite, visitor: Visitor) -> None:
    alice = site.person("alice@example.org")
    issued = site.do(lambda: site.house.issue(alice, "Old name")).app_password
    opened = site.house.clock.now()
    site.house.live.sessions = [
        LiveSession(f"s{n}", alice.account.id, issued.id, MailProtocol.IMAP, HOME, "mutt", opened, "1")
        for n in range(2)
    ]
    page = visitor.come_in(alice)
    page.get_by_role("link", name="Old name", exact=True).click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("New name")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New name")
    visitor.go("/connections")
    page.get_by_role("button", name="Close the c").first.click()
    expect(page.get_by_role("status").first).to_be_visible()
    assert len(site.house.live.sessions) == 1
    visitor.go(f"/app-passwords/{issued.id}")
    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("radio", name="It works for 1 more day").check()
    page.get_by_role("button", name="Make the new one").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("“New name” is ready")
    expect(page.locator("#secret")).to_be_visible()
    page.get_by_role("link", name="See the old one").click()
    expect(page.get_by_text("A newer one takes its place")).to_be_visible()


class Keys:
    """Somebody who has a keyboard and no mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def to(self, name: str, tag: str) -> None:
        """Press Tab until what is focused has this name; everything on the way is seen to be focused."""
        for _ in range(MOST_TABS):
            self._page.keyboard.press("Tab")
            found, shown, style, width = self._page.evaluate(FOCUSED)
            if found == "BODY":
                continue
            assert style != "none", f"{shown} in {self._page.url} does not show that it is focused"
            assert width >= 2, f"{shown} in {self._page.url} hardly shows that it is focused"
            if found == tag and shown.startswith(name):
                return
        raise AssertionError(f"Tab does not lead to {name} in {self._page.url}")

    def type(self, text: str) -> None:
        self._page.keyboard.type(text)

    def press(self, key: str, then: str) -> None:
        """Press a key and wait for the page that this leads to."""
        self._page.keyboard.press(key)
        expect(self._page.get_by_role("heading", level=1)).to_have_text(then)


def test_the_whole_main_job_with_keys_alone(site: PortalSite, scripted: Visitor) -> None:
    alice: Person = site.person("alice@example.org")
    page = scripted.go("/sign-in")
    keys = Keys(page)
    keys.type(alice.account.address)
    keys.to("Main password", "INPUT")
    keys.type(alice.password)
    keys.press("Enter", "Enter your code")
    keys.type(site.next_code(alice))
    keys.press("Enter", "App passwords")
    keys.to("Make the first one", "A")
    keys.press("Enter", "What is it for?")
    keys.to("Phone or tablet", "A")
    keys.press("Enter", "New app password: Phone or tablet")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    keys.type("By keys")
    keys.to("Limit further", "SUMMARY")
    page.keyboard.press("Space")
    keys.to("Ends", "SELECT")
    page.keyboard.press("ArrowDown")
    keys.to("Last day", "INPUT")
    keys.type("12312026")
    keys.to("Make the app password", "BUTTON")
    keys.press("Space", "“By keys” is ready")
    keys.to("Done, it works", "A")
    keys.press("Enter", "App passwords")
    keys.to("Revoke By keys", "A")
    keys.press("Enter", "Revoke “By keys”?")
    keys.to("No longer used", "INPUT")
    page.keyboard.press("ArrowDown")
    keys.to("Revoke it", "BUTTON")
    keys.press("Enter", "App passwords")
    keys.to("Sign out", "BUTTON")
    keys.press("Enter", "Sign in")
