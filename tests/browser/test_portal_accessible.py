"""Every page under axe, light and wide, and dark and narrow; nothing on it is wider than the window."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.axe import violations
from tests.browser.conftest import Visitor
from tests.browser.every_page import every_page
from tests.browser.portal_site import PortalSite, fill

pytestmark = pytest.mark.browser

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
LOOK = "[matchMedia('(prefers-color-scheme: dark)').matches, innerWidth]"
FAINT = "@media (prefers-color-scheme: dark) and (max-width: 400px) { label { color: #333 !important } }"
ADD_RULE = "(rule) => document.styleSheets[0].insertRule(rule, document.styleSheets[0].cssRules.length)"
LOOKS: tuple[tuple[Any, int], ...] = (("light", 1180), ("dark", 320))


def put_on(page: Page, look: tuple[Any, int]) -> None:
    """Have a page look as in a window of these colours and this width."""
    colours, width = look
    page.emulate_media(color_scheme=colours)
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate(LOOK) == [colours == "dark", width]


def wrong_with(page: Page) -> list[str]:
    """Give what is wrong with a page as it looks now."""
    return violations(page) + ["wider than the window"] * page.evaluate(WIDER)


def test_every_page(chromium: Browser, site: PortalSite) -> None:
    complaints: list[str] = []
    context = chromium.new_context(reduced_motion="reduce")  # colours change at once, not bit by bit
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice = site.do(lambda: fill(site.house))
    found: list[str] = []
    try:
        visitor = Visitor(site, context, complaints)
        put_on(visitor.page, LOOKS[0])
        looks = LOOKS
        for name, page in every_page(visitor, alice):
            found += [f"{name}, {looks[0]}: {line}" for line in wrong_with(page)]
            put_on(page, looks[1])
            found += [f"{name}, {looks[1]}: {line}" for line in wrong_with(page)]
            looks = looks[::-1]  # the next page is opened as this one looks now: half of them in each look
    finally:
        context.close()
    assert found == []
    assert complaints == []


def test_axe_finds_what_is_wrong(scripted: Visitor) -> None:
    page = scripted.go("/sign-in")
    page.evaluate("document.querySelectorAll('label').forEach((label) => label.remove())")
    assert any(line.startswith("label") for line in violations(page))


def test_what_is_wrong_in_one_look_is_found_in_that_one(chromium: Browser, site: PortalSite) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    page = Visitor(site, context, []).go("/sign-in")
    page.evaluate(ADD_RULE, FAINT)
    found = []
    for look in LOOKS:
        put_on(page, look)
        found.append({line.split()[0] for line in wrong_with(page)})
    context.close()
    assert found == [set(), {"color-contrast"}]
