"""API tokens in a real browser: made, used, revoked, with and without JavaScript."""

from ipaddress import ip_address

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visitor
from tests.browser.portal_site import PortalSite

from valetkey.core.errors import NotAllowed
from valetkey.core.role import Action
from valetkey.service import api_tokens
from valetkey.service.ports import Actor

pytestmark = pytest.mark.browser


def shows(site: PortalSite, secret: str) -> Actor:
    return site.do(lambda: api_tokens.authenticate(site.house.ports, secret, ip_address("203.0.113.7")))


def test_a_token_from_its_making_to_its_end(site: PortalSite, visitor: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = visitor.come_in(alice, "/account")
    page.get_by_role("link", name="API tokens").click()
    page.get_by_role("link", name="New API token").click()
    page.get_by_label("Name", exact=True).fill("Monitoring")
    page.get_by_label("Only from these networks").check()
    page.get_by_label("office").check()
    page.get_by_label("Ends").select_option("7")
    page.get_by_role("button", name="Make the API token").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("is ready")
    secret = page.locator("#secret").inner_text().strip()
    assert shows(site, secret).account_id == alice.account.id
    page.get_by_role("link", name="Done").click()
    row = page.get_by_role("row", name="Monitoring")
    expect(row).to_contain_text("See the account")
    expect(row).to_contain_text("office")
    expect(row).to_contain_text("203.0.113.7")
    assert secret not in page.content()
    page.get_by_role("link", name="Revoke Monitoring").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("status").first).to_contain_text("The API token is revoked.")
    with pytest.raises(NotAllowed):
        shows(site, secret)


def test_it_is_made_by_keyboard_alone(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.come_in(alice, "/account/tokens/new")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the second box: make app passwords
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("is ready")
    (token,) = site.do(lambda: api_tokens.of_account(site.house.ports, alice.actor, alice.account.id))
    assert token.actions == {Action.OWN_READ, Action.OWN_MAKE}
