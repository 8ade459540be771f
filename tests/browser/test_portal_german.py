"""Every page in German, in a narrow window: it says so, holds no English, and fits."""

import pytest
from playwright.sync_api import Browser
from tests.browser.conftest import Visitor
from tests.browser.every_page import every_page
from tests.browser.german import LOCALE, GermanVisitor, english_on
from tests.browser.portal_site import PortalSite, fill
from tests.verbs.german import in_german, telltales

pytestmark = pytest.mark.browser

_WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_TOO_FEW = 80  # pages; a walk that ends early would prove little


def test_every_page_in_german(chromium: Browser, site: PortalSite) -> None:
    complaints: list[str] = []
    context = chromium.new_context(locale=LOCALE, viewport={"width": 320, "height": 800}, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice = site.do(lambda: fill(site.house))
    found: list[str] = []
    pages = 0
    try:
        for name, page in every_page(GermanVisitor(site, context, complaints), alice):
            if name.startswith("components"):  # these are in English
                continue
            pages += 1
            found += [f"{name}: lang is not de"] * (page.locator("html").get_attribute("lang") != "de")
            found += [f"{name}: {line}" for line in english_on(page)]
            found += [f"{name}: wider than the window"] * page.evaluate(_WIDER)
    finally:
        context.close()
    assert found == []
    assert complaints == []
    assert pages > _TOO_FEW


def test_english_is_found(scripted: Visitor) -> None:
    page = scripted.go("/sign-in")
    assert any("Main password" in line for line in english_on(page))
    assert {"password", "the", "you", "revoke"} <= telltales()
    assert telltales().isdisjoint({"die", "server", "passkey", "name"})


def test_what_a_walk_names_is_found_in_german() -> None:
    assert in_german("Main password") == "Hauptpasswort"
    assert in_german("Remove Phone") == "Phone entfernen"
    assert in_german("Office scanner") == "Office scanner"
    assert in_german("#seed") == "#seed"
