"""Passkeys in a real browser, with Chromium's virtual authenticator; and the other ways where there is no JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Visitor, _visitor
from tests.browser.portal_site import PortalSite
from tests.verbs.site import PASSWORD, Person

pytestmark = pytest.mark.browser


class Device:
    """A virtual authenticator that is plugged into a page's browser."""

    def __init__(self, page: Page, **options: Any) -> None:
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable", {"enableUI": False})
        given = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            **options,
        }
        self._id = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": given})["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        """List what lies in it."""
        found: list[dict[str, Any]] = self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self._id})[
            "credentials"
        ]
        return found

    def verifies(self, yes: bool) -> None:
        """Let it recognise its user, or not."""
        self._cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": yes})


# The virtual authenticator takes up at once what the browser would offer in the field for the name.
NO_AUTOFILL = (
    "if (window.PublicKeyCredential) { PublicKeyCredential.isConditionalMediationAvailable = async () => false; }"
)


@pytest.fixture
def asked(scripted: Visitor) -> Visitor:
    scripted.context.add_init_script(NO_AUTOFILL)
    return scripted


@pytest.fixture
def alice(site: PortalSite) -> Person:
    return site.person("alice@example.org")


@pytest.fixture
def plain(chromium: Browser, site: PortalSite) -> Iterator[Visitor]:
    yield from _visitor(chromium, site, javascript=False)


def add_passkey(visitor: Visitor, name: str = "", *, is_known: bool = False) -> Page:
    page = visitor.go("/account")
    page.get_by_role("link", name="Add a passkey").click()
    if name:
        page.get_by_label("Name of the passkey").fill(name)
    page.get_by_role("button", name="Add the passkey").click()
    if not is_known:
        page.get_by_text("The passkey is set up.").wait_for()
    return page


def sign_out(visitor: Visitor) -> Page:
    visitor.page.get_by_role("button", name="Sign out", exact=True).click()
    expect(visitor.page.get_by_text("You are signed out.")).to_be_visible()
    return visitor.page


def is_in(page: Page) -> None:
    expect(page.get_by_role("heading", name="App passwords", level=1)).to_be_visible()


def test_a_passkey_is_added_used_in_every_way_and_removed(asked: Visitor, alice: Person) -> None:
    device = Device(asked.page)
    asked.sign_in(alice)
    page = add_passkey(asked)
    expect(page.get_by_text("The passkey is set up.")).to_be_visible()
    expect(page.get_by_text("Chrome on Linux").first).to_be_visible()
    assert len(device.credentials()) == 1

    sign_out(asked)  # as second factor
    page = asked.give_password(alice)
    page.get_by_role("button", name="Use a passkey").click()
    is_in(page)

    sign_out(asked)  # alone
    page = asked.go("/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    is_in(page)

    asked.site.house.clock.move(minutes=10)  # to prove it again
    page = asked.go("/account/password")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prove that it is you")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Change the main password")

    page = asked.go("/account")
    page.get_by_role("link", name="Remove Chrome on Linux").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The passkey is removed here.")).to_be_visible()
    sign_out(asked)
    page = asked.go("/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This passkey is not known here.")


def test_the_browser_offers_a_passkey_in_the_field_for_the_name(scripted: Visitor, alice: Person) -> None:
    Device(scripted.page)
    scripted.let_in(alice)
    add_passkey(scripted)
    scripted.page.get_by_role("button", name="Sign out", exact=True).click()
    is_in(scripted.page)  # the virtual one takes the offer at once


def test_a_newcomer_needs_nothing_but_a_passkey(asked: Visitor, site: PortalSite) -> None:
    Device(asked.page)
    bob = site.person("bob@example.org", two_factor=False)
    page = asked.give_password(bob)
    page.get_by_role("link", name="use a passkey").click()
    page.get_by_label("Name of the passkey").fill("Bob’s laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    code = page.locator("#codes code").first.inner_text()
    page = asked.go("/")
    is_in(page)
    sign_out(asked)
    page = asked.give_password(bob)
    expect(page.get_by_role("heading", level=1)).to_have_text("Show your second factor")
    expect(page.get_by_label("Code from your authenticator")).to_have_count(0)
    page.get_by_text("I do not have my passkey").click()
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Use the recovery code").click()
    is_in(page)


def test_a_passkey_in_the_place_of_password_and_code_in_a_form(asked: Visitor, alice: Person) -> None:
    Device(asked.page)
    asked.let_in(alice)
    add_passkey(asked)
    page = asked.go("/app-passwords/new?purpose=phone")
    page.get_by_label("Name", exact=True).fill("Tablet in the kitchen")
    asked.site.house.clock.move(minutes=6)
    page.get_by_role("button", name="Make the app password").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("Tablet in the kitchen").first).to_be_visible()
    expect(page.locator("code").first).to_be_visible()


def test_a_key_that_does_not_know_its_user_is_a_second_factor_only(asked: Visitor, alice: Person) -> None:
    Device(asked.page, hasUserVerification=False, isUserVerified=False, transport="usb", hasResidentKey=False)
    asked.let_in(alice)
    add_passkey(asked, "Old security key")
    sign_out(asked)
    page = asked.give_password(alice)
    page.get_by_role("button", name="Use a passkey").click()
    is_in(page)
    asked.site.house.clock.move(minutes=10)
    page = asked.go("/account/password")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("enter your main password")
    page.get_by_label("Main password").fill(PASSWORD)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Change the main password")


def test_the_same_device_is_not_added_twice(asked: Visitor, alice: Person) -> None:
    Device(asked.page)
    asked.let_in(alice)
    add_passkey(asked)
    page = add_passkey(asked, "Again", is_known=True)
    expect(page.get_by_text("This device has a passkey for this account already.").first).to_be_visible()


def test_a_device_that_does_not_know_its_user_now_says_so_and_leaves_the_other_ways(
    asked: Visitor, alice: Person
) -> None:
    device = Device(asked.page)
    asked.let_in(alice)
    add_passkey(asked)
    sign_out(asked)
    device.verifies(False)
    page = asked.go("/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("The passkey was not used.").first).to_be_visible()
    page = asked.sign_in(alice)
    is_in(page)


def test_without_javascript_the_code_signs_in_and_says_what_a_passkey_takes(
    asked: Visitor, plain: Visitor, alice: Person
) -> None:
    Device(asked.page)
    asked.let_in(alice)
    add_passkey(asked)
    page = plain.go("/sign-in")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    page = plain.give_password(alice)
    expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
    expect(page.get_by_text("Using a passkey takes JavaScript")).to_be_visible()
    page = plain.sign_in(alice)
    page = plain.go("/account/passkeys/new")
    expect(page.get_by_text("Adding a passkey takes JavaScript")).to_be_visible()
    expect(page.get_by_role("button", name="Add the passkey")).to_be_hidden()


def test_one_browser_signs_another_out_and_sees_how_it_came_in(asked: Visitor, plain: Visitor, alice: Person) -> None:
    plain.sign_in(alice)
    asked.sign_in(alice)
    page = asked.go("/account")
    page.get_by_role("button", name="Sign out Chrome on Linux").click()
    expect(page.get_by_text("That browser is signed out.")).to_be_visible()
    expect(plain.go("/account").get_by_role("heading", level=1)).to_have_text("Sign in")
    plain.page.get_by_label("Mail address").fill("alice@example.org")
    plain.page.get_by_label("Main password").fill("not the password")
    plain.page.get_by_role("button", name="Go on").click()
    page = asked.go("/account")
    page.get_by_role("link", name="History of sign-ins").click()
    expect(page.get_by_text("Signed in with an authenticator code from").first).to_be_visible()
    expect(page.get_by_text("1 try, last just now")).to_be_visible()
