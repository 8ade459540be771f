"""What JavaScript adds: live updates, ticking all of a list, the time zone; and what is there without it."""

import pytest
from playwright.sync_api import Browser, Route, expect
from tests.browser.conftest import Visitor
from tests.browser.portal_site import PortalSite
from tests.verbs.site import Person

pytestmark = pytest.mark.browser


@pytest.fixture
def alice(site: PortalSite) -> Person:
    return site.person("alice@example.org")


def test_a_page_waits_and_then_says_who_came(scripted: Visitor, alice: Person) -> None:
    page = scripted.come_in(alice, "/components")
    expect(page.locator("#live")).to_have_text("iPhone Mail signed in from 203.0.113.7.")
    expect(page.locator("#told")).to_have_text("iPhone Mail signed in from 203.0.113.7.")
    expect(page.locator("#live-lost")).to_be_hidden()


def test_a_page_that_hears_nothing_more_says_so(scripted: Visitor, alice: Person) -> None:
    page = scripted.let_in(alice)
    page.route("**/components/live", lambda route: route.fulfill(status=503))
    page = scripted.go("/components")
    expect(page.locator("#live-lost")).to_contain_text("Reload it")
    expect(page.locator("#live")).to_have_text("Waiting for the first login…")


def test_who_reads_with_the_keyboard_is_not_thrown_out_by_an_update(scripted: Visitor, alice: Person) -> None:
    page = scripted.let_in(alice)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/components/live", hold)
    page = scripted.go("/components")
    page.evaluate(
        """() => {
          const link = document.createElement('a');
          link.href = '/activity';
          link.textContent = 'See all';
          document.getElementById('live').replaceChildren(link);
          link.focus();
        }"""
    )
    fragment = 'data: <p>New.</p><a href="/activity">See all</a>\n\nevent: end\ndata:\n\n'
    held[0].fulfill(content_type="text/event-stream", body=fragment)
    expect(page.locator("#live p")).to_have_text("New.")
    expect(page.locator("#live a")).to_be_focused()


def test_a_fragment_runs_no_script(scripted: Visitor, alice: Person) -> None:
    page = scripted.let_in(alice)
    body = "data: <p>Shown</p><img src=x onerror=alert(1)><script>alert(2)</script>\n\nevent: end\ndata:\n\n"
    page.route("**/components/live", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    page = scripted.go("/components")
    expect(page.locator("#live p")).to_have_text("Shown")
    page.wait_for_load_state("networkidle")
    assert not [said for said in scripted.complaints if said.startswith("dialog")]
    assert any("Content Security Policy" in said for said in scripted.complaints)
    scripted.complaints.clear()


def test_ticking_all(scripted: Visitor, alice: Person) -> None:
    page = scripted.come_in(alice, "/components/console")
    everything = page.get_by_label("All", exact=True)
    everything.check()
    expect(page.get_by_label("My phone of alice@example.org")).to_be_checked()
    expect(page.locator("#ticked")).to_have_text("2")
    page.get_by_label("My phone of alice@example.org").uncheck()
    expect(page.locator("#ticked")).to_have_text("1")
    assert everything.evaluate("(box) => box.indeterminate")


def test_times_are_told_in_the_browsers_zone(chromium: Browser, site: PortalSite, alice: Person) -> None:
    context = chromium.new_context(timezone_id="Asia/Kolkata")
    visitor = Visitor(site, context, [])
    visitor.come_in(alice)  # the first page tells the zone
    expect(visitor.go("/account").locator(".bottom")).to_contain_text("India")
    context.close()


def test_without_scripts_nothing_offers_what_only_scripts_do(
    chromium: Browser, site: PortalSite, alice: Person
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    visitor = Visitor(site, context, [])
    page = visitor.come_in(alice, "/components")
    for button in page.locator("button.copy, button.print").all():
        expect(button).to_be_hidden()
    expect(page.locator("#live")).to_have_text("Waiting for the first login…")
    expect(visitor.go("/components/console").get_by_label("All", exact=True)).to_be_hidden()
    expect(page.get_by_text("updates by itself")).to_be_hidden()
    context.close()


def test_everything_is_reached_by_the_keyboard_and_seen(scripted: Visitor, alice: Person) -> None:
    page = scripted.come_in(alice, "/components")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    reached = set()
    for _ in range(80):
        found = page.evaluate(
            """() => {
              const one = document.activeElement;
              const look = getComputedStyle(one.closest('.choice, .stat') ?? one);
              return [one.tagName, one.textContent.trim().slice(0, 20), look.outlineStyle, parseFloat(look.outlineWidth)];
            }"""
        )
        if found[0] == "BODY":
            break
        assert found[2] != "none", found
        assert found[3] >= 3, found
        reached.add(found[1])
        page.keyboard.press("Tab")
    assert {"Save", "Keep it", "Revoke it", "Copy", "Office scanner", "Name"} <= reached
