"""How pages look where somebody needs them otherwise: on paper, from right to left, enlarged, without motion or colours."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Visitor
from tests.browser.every_page import ALICES
from tests.browser.portal_site import PortalSite, fill

pytestmark = pytest.mark.browser

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
COLOURS = """(selector) => {
  const look = getComputedStyle(document.querySelector(selector));
  return [look.color, look.backgroundColor];
}"""
# WCAG 2.2, 1.4.12: what a reader may set without losing anything.
SPACED = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"


def visit(chromium: Browser, site: PortalSite, **wanted: Any) -> Visitor:
    """Open a browser of a kind and sign alice in."""
    visitor = Visitor(site, chromium.new_context(**wanted), [])
    visitor.let_in(site.do(lambda: fill(site.house)))
    return visitor


def too_wide(visitor: Visitor, change: str = "") -> list[str]:
    """Give the pages that are wider than the window."""
    wide = []
    for name, path in ALICES:
        page = visitor.go(path)
        if change:
            page.evaluate(change)
        if page.evaluate(WIDER):
            wide.append(name)
    return wide


def border(page: Page, selector: str) -> str:
    """Give the colour of the line under a link."""
    found: str = page.locator(selector).first.evaluate("(one) => getComputedStyle(one).borderBlockEndColor")
    return found


def test_paper_is_white_and_carries_no_buttons(chromium: Browser, site: PortalSite) -> None:
    visitor = Visitor(site, chromium.new_context(color_scheme="dark"), [])
    page = visitor.give_password(site.person("bob@example.org", two_factor=False))
    page.get_by_label("Six digits").fill(site.code_of_text(page.locator("#seed").inner_text()))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    assert page.evaluate(COLOURS, "body") != ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    page.emulate_media(media="print")
    assert page.evaluate(COLOURS, "body") == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    expect(page.locator(".only-print")).to_contain_text("bob@example.org")
    for hidden in (*page.get_by_role("button").all(), page.locator("nav").first, page.locator(".bottom")):
        expect(hidden).to_be_hidden()
    assert page.locator("#codes li").count() == 10
    visitor.context.close()


def test_from_right_to_left_nothing_sticks_out(chromium: Browser, site: PortalSite) -> None:
    visitor = visit(chromium, site, viewport={"width": 320, "height": 700})
    assert too_wide(visitor, "document.documentElement.dir = 'rtl'") == []
    visitor.context.close()


def test_long_german_words_fit(chromium: Browser, site: PortalSite) -> None:
    visitor = visit(chromium, site, viewport={"width": 320, "height": 700})
    visitor.go("/").get_by_role("button", name="Deutsch").click()
    assert too_wide(visitor) == []
    assert visitor.page.locator("html").get_attribute("lang") == "de"
    visitor.context.close()


def test_spaced_text_fits(chromium: Browser, site: PortalSite) -> None:
    visitor = visit(chromium, site, viewport={"width": 320, "height": 700}, bypass_csp=True)
    spaced = f"document.head.append(Object.assign(document.createElement('style'), {{textContent: {SPACED!r}}}))"
    assert too_wide(visitor, spaced) == []
    visitor.context.close()


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "turn")])
def test_nothing_turns_for_who_wants_no_motion(chromium: Browser, site: PortalSite, motion: Any, name: str) -> None:
    visitor = visit(chromium, site, reduced_motion=motion)
    visitor.page.route("**/components/live", lambda route: route.abort())
    spinner = visitor.go("/components").locator(".spinner")
    assert spinner.evaluate("(one) => getComputedStyle(one).animationName") == name
    visitor.context.close()


def test_the_current_page_is_seen_with_forced_colours(chromium: Browser, site: PortalSite) -> None:
    visitor = visit(chromium, site, forced_colors="active")
    page = visitor.go("/activity")
    assert border(page, "nav.main [aria-current]") != border(page, "nav.main a:not([aria-current])")
    visitor.context.close()


def test_more_contrast_is_given_to_who_wants_it(chromium: Browser, site: PortalSite) -> None:
    visitor = visit(chromium, site, contrast="more")
    lead, _ = visitor.go("/activity").evaluate(COLOURS, ".lead")
    assert lead == visitor.page.evaluate(COLOURS, "h1")[0]
    visitor.context.close()
