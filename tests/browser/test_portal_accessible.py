"""Every page under axe, in both colour schemes, wide and narrow; nothing on it is wider than the window."""

import pytest
from playwright.sync_api import Browser
from tests.browser.axe import violations
from tests.browser.conftest import Visitor
from tests.browser.every_page import every_page
from tests.browser.portal_site import PortalSite, fill

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize(("colours", "width"), [("light", 1180), ("dark", 320)])
def test_every_page(chromium: Browser, site: PortalSite, colours: str, width: int) -> None:
    complaints: list[str] = []
    context = chromium.new_context(
        color_scheme=colours, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice = site.do(lambda: fill(site.house))
    found: list[str] = []
    try:
        for name, page in every_page(Visitor(site, context, complaints), alice):
            found += [f"{name}: {line}" for line in violations(page)]
            found += [f"{name}: wider than the window"] * page.evaluate(WIDER)
    finally:
        context.close()
    assert found == []
    assert complaints == []


def test_axe_finds_what_is_wrong(scripted: Visitor) -> None:
    page = scripted.go("/sign-in")
    page.evaluate("document.querySelectorAll('label').forEach((label) => label.remove())")
    assert any(line.startswith("label") for line in violations(page))
