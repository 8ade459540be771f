"""Recovery, invitations and notice addresses in the portal, through its forms, with the mails that it sends."""

import pytest
from tests.browser.portal_client import BROWSER, PortalClient, portal_of
from tests.unit.doors.web.test_web_flows import text_of
from tests.verbs.outbox import Outbox, send_all, token_in
from tests.verbs.site import OPERATOR, PASSWORD, House, Person

from valetkey.core.role import Role
from valetkey.service import accounts, invitations

OUTSIDE = "alice@elsewhere.example"
GONE = "This link opens nothing"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, mailer=Outbox())
    yield house
    house.close()


@pytest.fixture
def visitor(house):
    return PortalClient(portal_of(house))


@pytest.fixture
async def alice(house) -> Person:
    person = await house.person()
    now = house.clock.now()
    await house.store.write(lambda writer: writer.set_notice_address(person.account.id, OUTSIDE, now))
    await send_all(house)
    return person


async def mailed(house, path="/recover/link/", to=OUTSIDE):
    return path + token_in((await send_all(house)).to(to)[-1], path)


async def half(visitor, alice):
    await visitor.get("/recover")
    sent = await visitor.post("/recover/password", {"name": alice.account.address, "password": alice.password})
    assert (sent.status_code, sent.headers["location"]) == (303, "/recover")
    return await visitor.get("/recover")


async def with_link(visitor, house, alice):
    await half(visitor, alice)
    sent = await visitor.post("/recover/mail", {})
    assert sent.headers["location"] == "/recover"
    opened = await visitor.get(await mailed(house))
    assert (opened.status_code, opened.headers["location"]) == (303, "/recover")
    return await visitor.get("/recover")


async def begun(visitor, house, alice):
    assert "72 hours pass" in text_of(await with_link(visitor, house, alice))
    await visitor.post("/recover/begin", {})
    return await visitor.get("/recover")


async def test_the_whole_way(visitor: PortalClient, house: House, alice: Person) -> None:
    page = await begun(visitor, house, alice)
    assert "The waiting time runs" in text_of(page)
    house.clock.move(hours=72)
    page = await with_link(visitor, house, alice)
    assert "Take my old second factor away" in text_of(page)
    done = await visitor.post("/recover/finish", {})
    assert (done.status_code, done.headers["location"]) == (303, "/set-up")
    page = await visitor.get("/set-up")
    assert page.status_code == 200
    assert "Your old second factors are taken away" in text_of(page)
    assert (await visitor.get("/app-passwords/new?purpose=phone")).headers["location"] == "/set-up"


async def test_the_page_for_the_code_leads_there(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.give_password(alice)
    page = await visitor.get("/sign-in/code")
    assert 'href="/recover"' in page.text
    page = await visitor.get("/recover")
    assert "a…@elsewhere.example" in text_of(page)
    assert OUTSIDE not in page.text


async def test_nobody_learns_anything_without_the_password(visitor: PortalClient, alice: Person) -> None:
    pages = []
    for name in (alice.account.address, "nobody@example.org"):
        await visitor.get("/recover")
        refused = await visitor.post("/recover/password", {"name": name, "password": "wrong"})
        assert refused.status_code == 422
        pages.append(text_of(refused))
    assert pages[0] == pages[1]
    for path in ("mail", "begin", "finish"):
        sent = await visitor.post(f"/recover/{path}", {})
        assert sent.headers["location"].startswith("/sign-in")


async def test_a_link_opened_first_waits_for_the_password(visitor: PortalClient, house: House, alice: Person) -> None:
    await half(visitor, alice)
    await visitor.post("/recover/mail", {})
    link = await mailed(house)
    other = PortalClient(visitor.http._transport.app)
    await other.get(link)
    assert "The link from your mail is here" in text_of(await other.get("/recover"))
    assert "Begin the waiting time" in text_of(await half(other, alice))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_scans_mail_uses_no_link_up(visitor: PortalClient, house: House, alice: Person, method: str) -> None:
    await half(visitor, alice)
    await visitor.post("/recover/mail", {})
    link = await mailed(house)
    scanner = PortalClient(visitor.http._transport.app, "192.0.2.99")
    scanner.http.follow_redirects = True
    for _ in range(3):
        await scanner.http.request(method, link)
    await visitor.get(link)
    await visitor.get("/recover")
    await visitor.post("/recover/begin", {})
    assert "The waiting time runs" in text_of(await visitor.get("/recover"))
    call_off = await mailed(house, "/recover/call-off/")
    await scanner.http.request(method, call_off)
    assert "The waiting time runs" in text_of(await visitor.get("/recover"))


async def test_a_wrong_link_is_told_and_another_is_offered(visitor: PortalClient, alice: Person) -> None:
    await half(visitor, alice)
    await visitor.get("/recover/link/" + "x" * 43)
    assert "Begin the waiting time" in text_of(await visitor.get("/recover"))
    refused = await visitor.post("/recover/begin", {})
    assert refused.status_code == 422
    assert "This link is not right" in text_of(refused)
    assert "Mail me the link" in text_of(refused)


async def test_every_page_says_that_a_recovery_runs_and_calls_it_off(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    owner = PortalClient(visitor.http._transport.app)
    await owner.sign_in(house, alice)
    await begun(visitor, house, alice)
    for path in ("/", "/account", "/activity", "/app-passwords/new"):
        page = await owner.get(path)
        assert "Somebody is recovering this account." in text_of(page), path
    sent = await owner.post("/recover/stop", {})
    assert sent.headers["location"] == "/account"
    assert "The recovery is called off" in text_of(await owner.get("/account"))
    assert "Somebody is recovering" not in text_of(await owner.get("/"))


async def test_the_link_of_a_notice_calls_it_off_without_signing_in(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    await begun(visitor, house, alice)
    link = await mailed(house, "/recover/call-off/", "alice@example.org")
    anybody = PortalClient(visitor.http._transport.app)
    opened = await anybody.get(link)
    assert opened.headers["location"] == "/recover/call-off"
    page = await anybody.get("/recover/call-off")
    assert "Call it off" in text_of(page)
    assert link.rpartition("/")[2] not in page.text
    assert "The recovery is called off" in text_of(await anybody.post("/recover/called-off", {}))
    await anybody.get(link)
    assert GONE in text_of(await anybody.get("/recover/call-off"))


async def test_without_a_notice_address_one_asks_the_administrators(visitor: PortalClient, house: House) -> None:
    bob = await house.person("bob@example.org")
    assert "Ask your administrators" in text_of(await half(visitor, bob))
    refused = await visitor.post("/recover/mail", {})
    assert refused.status_code == 422


async def invited(house) -> str:
    account = await accounts.create(house.ports, OPERATOR, "new@example.org")
    made = await invitations.invite(house.ports, OPERATOR, account.id)
    return "/welcome/" + made.token


async def test_an_invitation_leads_to_a_password_and_a_second_factor(visitor: PortalClient, house: House) -> None:
    link = await invited(house)
    opened = await visitor.get(link)
    assert (opened.status_code, opened.headers["location"]) == (303, "/welcome")
    assert opened.headers["referrer-policy"] == "no-referrer"
    assert "httponly" in opened.headers["set-cookie"].lower()
    page = await visitor.get("/welcome")
    assert "new@example.org" in text_of(page)
    assert link.rpartition("/")[2] not in page.text
    for password, repeated, told in (("short", "short", "characters"), (PASSWORD, "other", "not the same")):
        refused = await visitor.post("/welcome", {"password": password, "repeated": repeated})
        assert refused.status_code == 422
        assert told in text_of(refused)
    sent = await visitor.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD})
    assert (sent.status_code, sent.headers["location"]) == (303, "/set-up")
    assert (await visitor.get("/set-up")).status_code == 200
    other = PortalClient(visitor.http._transport.app)
    await other.get(link)
    gone = await other.get("/welcome")
    assert gone.status_code == 404
    assert GONE in text_of(gone)


@pytest.mark.parametrize("token", ["x" * 43, "short", "x" * 300, "%2e%2e", "a b", "ä"])
async def test_wrong_invitations_look_like_used_ones(visitor: PortalClient, house: House, token: str) -> None:
    link = await invited(house)
    await visitor.get(link)
    await visitor.get("/welcome")
    await visitor.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD})
    used = PortalClient(visitor.http._transport.app)
    await used.get(link)
    wrong = PortalClient(visitor.http._transport.app)
    await wrong.get("/welcome/" + token)
    assert text_of(await used.get("/welcome")) == text_of(await wrong.get("/welcome"))
    assert (await wrong.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD})).status_code in {403, 404}


async def test_one_purpose_does_not_open_another(visitor: PortalClient, house: House, alice: Person) -> None:
    token = (await invited(house)).rpartition("/")[2]
    await visitor.get("/recover/link/" + token)
    assert GONE in text_of(await visitor.get("/welcome"))
    await half(visitor, alice)
    await visitor.get("/recover/link/" + token)
    await visitor.get("/recover")
    assert (await visitor.post("/recover/begin", {})).status_code == 422


async def test_a_notice_address_is_added_confirmed_and_removed(visitor: PortalClient, house: House) -> None:
    bob = await house.person("bob@example.org")
    await visitor.sign_in(house, bob)
    assert "Add a notice address" in text_of(await visitor.get("/account/notices"))
    await visitor.get("/account/notices/change")
    refused = await visitor.post("/account/notices/change", {"address": "bob@example.org"})
    assert "one of this site’s own" in text_of(refused)
    assert visitor.hidden("address") == "bob@example.org"
    sent = await visitor.post("/account/notices/change", {"address": "bob@elsewhere.example"})
    assert sent.headers["location"] == "/account/notices"
    assert "Waits until you open the link" in text_of(await visitor.get("/account/notices"))
    link = await mailed(house, "/account/notices/confirm/", "bob@elsewhere.example")
    stranger = PortalClient(visitor.http._transport.app)
    await stranger.get(link)
    assert (await stranger.get("/account/notices/confirm")).headers["location"].startswith("/sign-in")
    await visitor.get(link)
    assert "bob@elsewhere.example" in text_of(await visitor.get("/account/notices/confirm"))
    await visitor.post("/account/notices/confirm", {})
    page = text_of(await visitor.get("/account/notices"))
    assert "Confirmed. Notices go there from now on." in page
    assert "Change the notice address" in page
    await visitor.get("/account/notices/remove")
    await visitor.post("/account/notices/remove", {})
    assert "Add a notice address" in text_of(await visitor.get("/account/notices"))


async def test_changing_where_notices_go_asks_for_a_proof(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=6)
    for path in ("change", "remove"):
        sent = await visitor.get(f"/account/notices/{path}")
        assert sent.headers["location"] == f"/prove?next=/account/notices/{path}"
    for path in ("change", "remove"):
        await visitor.get("/account/notices")
        sent = await visitor.post(f"/account/notices/{path}", {"address": "x@elsewhere.example"})
        assert sent.headers["location"].startswith("/prove")


@pytest.mark.parametrize(
    "path",
    ["/recover/password", "/recover/called-off", "/welcome"],
)
async def test_forms_of_visitors_need_their_token(visitor: PortalClient, alice: Person, path: str) -> None:
    await visitor.get("/recover")
    sent = await visitor.post(path, {"csrf": "wrong"})
    assert sent.status_code == 403
    elsewhere = await visitor.post(path, {}, {**BROWSER, "Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403


async def test_an_administrator_has_no_way_to_shorten_it(visitor: PortalClient, house: House, alice: Person) -> None:
    boss = await house.person("boss@example.org")
    await house.store.write(lambda writer: writer.set_role(boss.account.id, Role.ADMIN))
    await begun(visitor, house, alice)
    admin = PortalClient(visitor.http._transport.app)
    await admin.sign_in(house, boss)
    await admin.get("/account")
    for path in ("/recover/finish", "/recover/begin", "/recover/mail"):
        sent = await admin.post(path, {})
        assert sent.headers["location"] == "/"  # these pages are for who is half signed in
    assert (await house.store.read(lambda reader: reader.open_recovery(alice.account.id))) is not None
