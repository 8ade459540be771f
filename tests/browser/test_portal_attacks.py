"""What others write must stay text, and a session must stay where it belongs. Dialogs and CSP reports fail a test."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import Visitor
from tests.browser.poison import CORPUS, TRICKS
from tests.browser.portal_site import PortalSite
from tests.verbs.site import Person

from valetkey.core.login import Reason
from valetkey.core.scope import MailProtocol
from valetkey.service import app_passwords
from valetkey.service.ports import LiveSession, LoginEvent

pytestmark = pytest.mark.browser


async def poison(site: PortalSite, alice: Person) -> list[str]:
    """Have every field that somebody else can write hold every piece of the corpus."""
    house = site.house
    ids = [(await house.issue(alice, text)).app_password.id for text in CORPUS]
    now = house.clock.now()
    events = [
        LoginEvent(
            alice.account.id, credential, MailProtocol.IMAP, f"192.0.2.{n}", client, result, now - timedelta(minutes=n), now
        )
        for n, client in enumerate((*CORPUS, *(text[:200] for text in TRICKS)))
        for credential, result in ((ids[n % len(ids)], "allowed"), (ids[n % len(ids)], Reason.NETWORK.value), (None, "<b>x"))
    ]  # fmt: skip
    await house.store.add_login_events(events)
    house.live.sessions = [
        LiveSession(str(n), alice.account.id, ids[n], MailProtocol.IMAP, "192.0.2.1", text, now, "1")
        for n, text in enumerate(CORPUS)
    ]
    for credential in ids[:4]:
        await app_passwords.revoke(house.ports, house.acting(alice.account), credential, CORPUS[3])
    return ids


def test_what_others_write_stays_text(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    ids = site.do(lambda: poison(site, alice))
    scripted.context.set_extra_http_headers({"User-Agent": "<script>alert(1)</script>\u00bf Firefox/1 Linux"})
    page = scripted.sign_in(alice)
    paths = ["/", "/activity", "/account", "/app-passwords/revoke-all"]
    paths += [f"/app-passwords/{one}" for one in ids]
    paths += [f"/app-passwords/{one}/{verb}" for one in ids[4:8] for verb in ("revoke", "change")]
    for path in paths:
        scripted.go(path)
        expect(page.locator("main h1")).to_have_count(1)
        assert page.locator("main :is(script, iframe, base, meta, style, math, img, mglyph)").count() == 0, path
        assert page.locator('[onload], [onerror], [onfocus], [href^="javascript:" i], [action*="evil"]').count() == 0, (
            path
        )
        text = page.content()
        assert not any(trick in text for trick in ("\u202e", "\u2066", "\u200b", "\x1b", "\x07", "\ufeff")), path
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, path
    scripted.go("/")
    for text in CORPUS[4:8]:
        expect(page.get_by_role("link", name=text, exact=True)).to_be_visible()


def test_typed_text_comes_back_as_text(site: PortalSite, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.go("/sign-in")
    for text in CORPUS[:8]:
        page.get_by_label("Mail address").fill(text)
        page.get_by_label("Main password").fill("x")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("alert")).to_contain_text("not right")
        expect(page.get_by_label("Mail address")).to_have_value(text)
        site.house.clock.move(minutes=11)  # a new throttle window
    scripted.let_in(alice)
    for text in CORPUS[:8]:
        scripted.go(f"/app-passwords/new?purpose={text}&account=")
        scripted.go(f"/prove?next={text}")
        expect(page.locator("main input[name=next]")).to_have_value("/")
    scripted.go("/app-passwords/new?purpose=phone")
    page.get_by_text("Limit further").click()
    for text in CORPUS[:8]:
        page.get_by_label("Only from these networks").check()
        page.get_by_label("Addresses or networks").fill(text)
        page.get_by_label("Name", exact=True).fill(text)
        page.get_by_role("button", name="Make the app password").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("Name", exact=True)).to_have_value(text)


def test_another_site_cannot_act(site: PortalSite, chromium: Browser, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    page = scripted.come_in(alice)
    number = site.house.store.change_number()
    other = site.url.replace("localhost", "127.0.0.1")  # another host is another site
    paths = ["/sign-out", "/app-passwords/revoke-all", "/account/sessions/end-others", "/account/recovery-codes"]
    forms = "".join(
        f'<form method=post action="{site.url}{path}"><input name=csrf value=x><button>{path}</button></form>'
        for path in paths
    )
    page.route(f"{other}/evil", lambda route: route.fulfill(content_type="text/html", body=forms))
    for path in paths:
        page.goto(f"{other}/evil")
        page.get_by_role("button", name=path).click()
        # The cookie stays at home (SameSite); were it sent, the origin would be refused all the same.
        expect(page.get_by_role("heading", level=1)).to_have_text("That is not permitted")
    assert site.house.store.change_number() == number
    page.goto(site.url + "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("App passwords")
    page.goto(other + "/")  # another host is another visitor
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_it_cannot_be_framed(site: PortalSite, scripted: Visitor) -> None:
    page = scripted.page
    page.route(
        "**/evil",
        lambda route: route.fulfill(content_type="text/html", body=f'<iframe src="{site.url}/sign-in"></iframe>'),
    )
    page.goto(site.url.replace("localhost", "127.0.0.1") + "/evil")
    page.wait_for_timeout(300)
    assert not page.frames[1].locator("form").count()
    scripted.complaints[:] = [said for said in scripted.complaints if "frame" not in said.lower()]


def test_scripts_cannot_read_the_cookies_that_open_something(site: PortalSite, scripted: Visitor) -> None:
    page = scripted.sign_in(site.person("alice@example.org"))
    assert page.evaluate("document.cookie") == "__Host-valetkey-zone=UTC"  # which a script set, and which opens nothing
    names = {cookie["name"]: cookie for cookie in scripted.context.cookies()}
    session = names["__Host-valetkey"]
    assert (session["httpOnly"], session["secure"], session["sameSite"], session["path"]) == (True, True, "Lax", "/")
    assert session["expires"] == -1


def test_a_code_is_used_once_in_two_browsers(site: PortalSite, chromium: Browser, scripted: Visitor) -> None:
    alice = site.person("alice@example.org")
    thief = Visitor(site, chromium.new_context(), scripted.complaints)
    thief.give_password(alice)
    scripted.give_password(alice)
    code = site.next_code(alice)
    for one in (scripted, thief):
        one.page.get_by_label("Code from your authenticator").fill(code)
        one.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(scripted.page.get_by_role("heading", level=1)).to_have_text("App passwords")
    expect(thief.page.get_by_role("alert")).to_be_visible()
    thief.context.close()
