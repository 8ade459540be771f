"""The main job in a real browser: sign in, make an app password, see it, revoke it; with and without JavaScript."""

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visitor
from tests.browser.portal_site import PortalSite, fill
from tests.verbs.site import OPERATOR, Person, attempt

from valetkey.core.login import Allowed, Verdict
from valetkey.service import app_passwords, login

pytestmark = pytest.mark.browser
SHOWN = re.compile(r"vkey(-[a-z]{4}){6}")


def log_in(site: PortalSite, person: Person, secret: str) -> Verdict:
    async def check() -> Verdict:
        verdict = await login.check(site.house.ports, attempt(person.account.address, secret))
        await site.house.recorder.flush()
        return verdict

    return site.do(check)


def test_sign_in_make_use_and_revoke(site: PortalSite, visitor: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = visitor.sign_in(alice)
    expect(page.get_by_text("No app passwords yet")).to_be_visible()
    page.get_by_role("link", name="Make the first one").click()
    page.get_by_role("link", name="Phone or tablet").click()
    page.get_by_label("Name", exact=True).fill("Kitchen phone")
    page.get_by_role("button", name="Make the app password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("“Kitchen phone” is ready")
    secret = page.locator("#secret").inner_text().strip()
    assert SHOWN.fullmatch(secret)
    expect(page.get_by_text("It can read mail", exact=False)).to_be_visible()
    expect(page.get_by_text("993")).to_be_visible()
    assert isinstance(log_in(site, alice, secret), Allowed)
    page.get_by_role("link", name="Done, it works").click()
    row = page.get_by_role("row", name="Kitchen phone")
    expect(row).to_contain_text("just now")
    expect(row).to_contain_text("Thunderbird")
    assert secret not in page.content()
    page.get_by_role("link", name="Revoke Kitchen phone").click()
    page.get_by_label("Device lost or stolen").check()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("status")).to_contain_text("0 connections closed")
    expect(page.get_by_text("Revoked and expired (1)")).to_be_visible()
    assert not isinstance(log_in(site, alice, secret), Allowed)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_set_up_with_a_picture_and_recovery_codes(site: PortalSite, visitor: Visitor) -> None:
    bob = site.person("bob@example.org", two_factor=False)
    page = visitor.give_password(bob)
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up your second factor")
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert page.locator(".qr-paper svg").bounding_box()["width"] > 150
    seed = page.locator("#seed").inner_text()
    page.get_by_label("Six digits").fill("12345")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.locator("#seed").inner_text() == seed
    page.get_by_label("Six digits").fill(site.code_of_text(seed))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    codes = page.locator("#codes code").all_inner_texts()
    assert len(set(codes)) == 10
    page.get_by_role("button", name="Done").click()  # the box is not ticked yet: the browser does not go on
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("App passwords")
    page.get_by_role("button", name="Sign out").click()
    visitor.give_password(bob)
    page.get_by_text("I do not have my authenticator").click()
    page.get_by_label("Recovery code").fill(codes[3].upper())
    page.get_by_role("button", name="Use the recovery code").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("App passwords")


def test_mistakes_are_shown_and_led_to(site: PortalSite, visitor: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = visitor.come_in(alice, "/app-passwords/new?purpose=phone")
    page.get_by_label("Name", exact=True).fill(" ")
    page.get_by_text("Limit further").click()
    page.get_by_label("Only from these networks").check()
    page.get_by_label("Addresses or networks").fill("192.0.2.300")
    page.get_by_role("button", name="Make the app password").click()
    problems = page.get_by_role("alert")
    expect(problems).to_be_focused()
    expect(problems.get_by_role("link")).to_have_count(2)
    expect(page.get_by_label("Addresses or networks")).to_have_value("192.0.2.300")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_have_attribute("aria-invalid", "true")
    described = name.get_attribute("aria-describedby")
    assert described is not None
    expect(page.locator(f"#{described.split()[-1]}")).to_contain_text("Give it a name")


def test_proving_it_again_leads_back(site: PortalSite, visitor: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = visitor.come_in(alice)
    site.house.clock.move(minutes=10)
    page.get_by_role("link", name="Make the first one").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prove that it is you")
    page.get_by_label("Main password").fill(alice.password)
    page.get_by_label("Code", exact=True).fill(site.next_code(alice))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is it for?")


def test_copying(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    scripted.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = scripted.come_in(alice, "/app-passwords/new?purpose=scanner")
    page.get_by_label("Name", exact=True).fill("Scanner")
    page.get_by_role("button", name="Make the app password").click()
    page.locator(".secret .copy").click()
    expect(page.locator(".secret .copy")).to_have_text("Copied")
    paper = scripted.open()  # the portal's own pages may not read the clipboard
    paper.set_content("<textarea autofocus></textarea>")
    paper.locator("textarea").press("Control+V")
    copied = paper.locator("textarea").input_value()
    assert copied == page.locator("#secret").inner_text().strip()
    assert len(copied) == 20
    page.reload()  # sends the form again
    expect(page.get_by_role("heading", level=1)).to_have_text("That has changed in the meantime")
    listed = site.do(lambda: app_passwords.of_account(site.house.ports, OPERATOR, alice.account.id))
    assert len(listed) == 1


def test_the_keyboard_is_enough(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.go("/sign-in")
    keys = page.keyboard
    expect(page.get_by_label("Mail address")).to_be_focused()
    keys.type("alice@example.org")
    keys.press("Tab")
    keys.type(alice.password)
    keys.press("Enter")
    expect(page.get_by_label("Code from your authenticator")).to_be_focused()
    keys.type(site.next_code(alice))
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("App passwords")
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    keys.press("Enter")
    keys.press("Tab")
    expect(page.get_by_role("link", name="Make the first one")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    keys.press("Enter")
    page.wait_for_url("**/app-passwords/new")
    page.get_by_role("link", name="Phone or tablet").focus()
    keys.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    keys.type("Typed only")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("“Typed only” is ready")


@pytest.mark.parametrize("width", [320, 768, 1920])
def test_every_page_fits_the_window(site: PortalSite, scripted: Visitor, width: int) -> None:
    alice = site.do(lambda: fill(site.house))
    scripted.page.set_viewport_size({"width": width, "height": 700})
    page = scripted.let_in(alice)
    listed = site.do(lambda: app_passwords.of_account(site.house.ports, OPERATOR, alice.account.id))
    one = next(credential.id for credential in listed if credential.is_live)
    for path in (
        "/", "/app-passwords/new", "/app-passwords/new?purpose=everything", f"/app-passwords/{one}", "/set-up", "/prove",
        f"/app-passwords/{one}/change", f"/app-passwords/{one}/revoke", "/activity", "/account", "/account/password",
    ):  # fmt: skip
        scripted.go(path)
        for details in page.locator("details").all():
            details.locator("summary").click()
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, path


def test_recovery_codes_print_alone(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.come_in(alice, "/account/recovery-codes")
    page.get_by_role("button", name="Make ten new codes").click()
    page.get_by_text("I have kept them").wait_for()
    page.emulate_media(media="print")
    expect(page.locator("#codes code").nth(9)).to_be_visible()
    expect(page.get_by_text("Recovery codes of alice@example.org")).to_be_visible()
    for hidden in ("Sign out", "Print", "Done"):
        expect(page.get_by_role("button", name=hidden)).to_be_hidden()
