"""Passkeys through the portal's forms, with an authenticator in software; and the browsers that are signed in."""

import html
import json
import re

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.unit.doors.web.test_web_flows import text_of
from tests.verbs.authenticator import SoftAuthenticator
from tests.verbs.site import OPERATOR, House, Person

from valetkey.core.event import SecondFactorRenamed
from valetkey.doors.web.app import create_portal
from valetkey.doors.web.settings import WebSettings
from valetkey.service import activity

_OPTIONS = re.compile(r'data-options="([^"]*)"')
_ENDING = re.compile(r'action="(/account/sessions/[0-9a-f]+/end)"')


def options_on(visitor: PortalClient) -> str:
    """Give the options that the last page has for the browser."""
    assert visitor.page is not None
    found = _OPTIONS.search(visitor.page.text)
    assert found is not None
    return html.unescape(found.group(1))


def answered(visitor: PortalClient, device: SoftAuthenticator, prefix: str = "", **wrong: object) -> dict[str, str]:
    """Give the fields that the script of the last page would fill in."""
    options = options_on(visitor)
    text = device.create(options) if "pubKeyCredParams" in json.loads(options) else device.get(options, **wrong)
    return {f"{prefix}sealed": visitor.hidden(f"{prefix}sealed"), f"{prefix}answer": text}


async def add(visitor: PortalClient, device: SoftAuthenticator, name: str = "Laptop"):
    await visitor.get("/account/passkeys/new")
    return await visitor.post("/account/passkeys/new", {"name": name, **answered(visitor, device)})


@pytest.fixture
async def device(visitor: PortalClient, house: House, alice: Person) -> SoftAuthenticator:
    await visitor.sign_in(house, alice)
    made = SoftAuthenticator()
    assert (await add(visitor, made)).headers["location"] == "/account"
    await visitor.get("/account")
    await visitor.post("/sign-out", {})
    return made


async def test_a_passkey_alone_opens_the_portal(visitor: PortalClient, device: SoftAuthenticator) -> None:
    await visitor.get("/sign-in?next=/activity")
    assert "allowCredentials" not in options_on(visitor) or json.loads(options_on(visitor))["allowCredentials"] == []
    assert json.loads(options_on(visitor))["userVerification"] == "required"
    signed_in = await visitor.post("/sign-in/passkey", {"next": "/activity", **answered(visitor, device)})
    assert signed_in.headers["location"] == "/activity"
    assert (await visitor.get("/activity")).status_code == 200
    assert "Signed in with a passkey" in text_of(await visitor.get("/account/sign-ins"))


async def test_the_page_before_sign_in_says_the_same_of_everybody(
    portal: FastAPI, visitor: PortalClient, device: SoftAuthenticator, alice: Person
) -> None:
    """Which accounts have passkeys is told only behind the main password."""
    stranger = PortalClient(portal)
    for name in (alice.account.address, "nobody@example.org"):
        await stranger.get("/sign-in")
        page = await stranger.post("/sign-in", {"name": name, "password": "wrong", "next": "/"})
        assert (
            "allowCredentials" not in options_on(stranger) or not json.loads(options_on(stranger))["allowCredentials"]
        )
        assert "not right" in page.text


async def test_an_answer_from_another_browser_opens_nothing(
    portal: FastAPI, visitor: PortalClient, device: SoftAuthenticator
) -> None:
    await visitor.get("/sign-in")
    fields = answered(visitor, device)
    thief = PortalClient(portal)
    await thief.get("/sign-in")
    refused = await thief.post("/sign-in/passkey", fields)
    assert refused.status_code == 422
    assert "another browser" in refused.text
    assert (await thief.get("/")).headers["location"] == "/sign-in"
    assert (await visitor.post("/sign-in/passkey", fields)).status_code == 303
    visitor.http.cookies.delete("__Host-valetkey")
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-in/passkey", fields)).status_code == 422  # replayed


async def test_a_page_elsewhere_that_passes_answers_on_is_no_portal(
    visitor: PortalClient, device: SoftAuthenticator
) -> None:
    device.origin = "https://portal.example.org.evil.example"
    for host in ("portal.example.org", "portal.example.org.evil.example"):
        await visitor.get("/sign-in", Host=host)
        refused = await visitor.post("/sign-in/passkey", answered(visitor, device))
        assert refused.status_code == 422
        assert "not accepted" in refused.text


async def test_a_passkey_as_second_factor(visitor: PortalClient, device: SoftAuthenticator, alice: Person) -> None:
    await visitor.give_password(alice)
    before = visitor.http.cookies.get("__Host-valetkey")
    page = await visitor.get("/sign-in/code")
    assert len(json.loads(options_on(visitor))["allowCredentials"]) == 1
    assert "Show your second factor" in page.text
    for fields in ({"answer": ""}, answered(visitor, device, signature=b"wrong"), {"answer": "{}", "sealed": "x"}):
        assert (await visitor.post("/sign-in/code", fields)).status_code == 422
        assert (await visitor.get("/")).headers["location"] == "/sign-in/code"
        await visitor.get("/sign-in/code")
    assert (await visitor.post("/sign-in/code", answered(visitor, device))).headers["location"] == "/"
    assert visitor.http.cookies.get("__Host-valetkey") != before
    assert (await visitor.get("/")).status_code == 200


async def test_half_a_sign_in_takes_no_answer_for_another_purpose(
    visitor: PortalClient, device: SoftAuthenticator, alice: Person
) -> None:
    await visitor.get("/sign-in")
    alone = answered(visitor, device)
    await visitor.give_password(alice)
    await visitor.get("/sign-in/code")
    assert (await visitor.post("/sign-in/code", alone)).status_code == 422
    await visitor.get("/sign-in/code")
    second = answered(visitor, device)
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-in/passkey", second)).status_code == 422
    assert (await visitor.get("/")).headers["location"] == "/sign-in/code"


async def test_a_passkey_proves_it_again_here_and_in_a_form(
    visitor: PortalClient, house: House, device: SoftAuthenticator, alice: Person
) -> None:
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=10)
    sent = await visitor.get("/account/password")
    assert sent.headers["location"] == "/prove?next=/account/password"
    await visitor.get("/prove?next=/account/password")
    proven = await visitor.post("/prove", {"next": "/account/password", **answered(visitor, device, "prove_")})
    assert proven.headers["location"] == "/account/password"
    fields = await visitor.new_form("phone", description="Tablet")
    house.clock.move(minutes=10)
    asked = await visitor.post("/app-passwords/new", fields)
    assert "prove_answer" in asked.text
    again = {**fields, "once": visitor.hidden("once"), "prove_password": "", "prove_code": ""}
    made = await visitor.post("/app-passwords/new", {**again, **answered(visitor, device, "prove_")})
    assert made.status_code == 200
    assert "Tablet" in text_of(made)


async def test_the_first_second_factor_may_be_a_passkey(visitor: PortalClient, house: House) -> None:
    bob = await house.person("bob@example.org", two_factor=False)
    await visitor.give_password(bob)
    shown = await add(visitor, SoftAuthenticator(), "<b>Bob</b>")
    assert len(re.findall(r"<code>([a-z0-9-]{17})</code>", shown.text)) == 10
    page = await visitor.get("/account")
    assert "&lt;b&gt;Bob&lt;/b&gt;" in page.text
    passkey = (await house.store.read(lambda reader: reader.passkeys(bob.account.id)))[0]
    last = await visitor.get(f"/account/passkeys/{passkey.id}/remove")
    assert "only second factor" in text_of(last)
    assert (await visitor.post(f"/account/passkeys/{passkey.id}/remove", {})).status_code == 422


async def test_a_passkey_is_removed_and_nobody_elses(
    portal: FastAPI, visitor: PortalClient, house: House, device: SoftAuthenticator, alice: Person
) -> None:
    passkey = (await house.store.read(lambda reader: reader.passkeys(alice.account.id)))[0]
    bob = await house.person("bob@example.org")
    other = PortalClient(portal)
    await other.sign_in(house, bob)
    assert (await other.get(f"/account/passkeys/{passkey.id}/remove")).status_code == 404
    await other.get("/account")
    assert (await other.post(f"/account/passkeys/{passkey.id}/remove", {})).status_code == 404
    await visitor.sign_in(house, alice)
    await visitor.get(f"/account/passkeys/{passkey.id}/remove")
    assert (await visitor.post(f"/account/passkeys/{passkey.id}/remove", {})).status_code == 303
    assert "removed here" in text_of(await visitor.get("/account"))
    assert await house.store.read(lambda reader: reader.passkeys(alice.account.id)) == ()


@pytest.mark.parametrize("name", ["", " ", "x" * 200])
async def test_an_unfit_name_is_told_and_nothing_kept(
    visitor: PortalClient, house: House, alice: Person, name: str
) -> None:
    await visitor.sign_in(house, alice)
    refused = await add(visitor, SoftAuthenticator(), name)
    assert refused.status_code == 422
    assert 'id="name-wrong"' in refused.text
    assert await house.store.read(lambda reader: reader.passkeys(alice.account.id)) == ()


async def test_where_browsers_permit_no_passkeys_none_are_offered(house: House, alice: Person) -> None:
    settings = WebSettings("https://192.0.2.7", also_at=("https://portal.example.org",))
    bare = PortalClient(create_portal(house.ports, settings))
    assert "data-passkey" not in (await bare.get("/sign-in", Host="192.0.2.7")).text
    assert "data-passkey" in (await bare.get("/sign-in")).text
    await bare.sign_in(house, alice)
    assert "permit no passkeys" in text_of(await bare.get("/account/passkeys/new", Host="192.0.2.7"))
    assert "/account/passkeys/new" not in (await bare.get("/account", Host="192.0.2.7")).text


async def test_browsers_are_signed_out_one_by_one_and_all_at_once(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    one, other = PortalClient(portal), PortalClient(portal)
    for client in (one, other, visitor):
        await client.sign_in(house, alice)
    page = await visitor.get("/account")
    endings = _ENDING.findall(page.text)
    assert len(endings) == 2  # not this browser itself
    sent = await visitor.post(endings[0], {})
    assert sent.headers["location"] == "/account"
    assert [(await client.get("/")).status_code for client in (one, other)].count(200) == 1
    await visitor.get("/account")
    assert (await visitor.post(endings[0], {})).status_code == 404
    await visitor.get("/account")
    everywhere = await visitor.post("/account/sessions/end-all", {})
    assert everywhere.headers["location"] == "/sign-in"
    assert [(await client.get("/")).status_code for client in (one, other, visitor)] == [303] * 3


async def test_a_new_main_password_is_said_honestly(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    await visitor.get("/account/password")
    weak = "asdfghjkl;'asdfg"
    refused = await visitor.post("/account/password", {"password": weak, "repeated": weak})
    assert "would guess this password in about" in text_of(refused)
    assert "Rows of keys" in text_of(refused)
    good = "a walrus paints seven lamps"
    await visitor.post("/account/password", {"password": good, "repeated": good})
    assert "would need centuries to guess it" in text_of(await visitor.get("/account"))


@pytest.mark.parametrize("before", ["x", "-1", "9" * 50, "²", "0"])
async def test_the_history_bears_any_number(visitor: PortalClient, house: House, alice: Person, before: str) -> None:
    await visitor.sign_in(house, alice)
    assert (await visitor.get(f"/account/sign-ins?before={before}")).status_code == 200


async def test_second_factors_are_renamed_by_their_owner_alone(
    portal: FastAPI, visitor: PortalClient, house: House, device: SoftAuthenticator, alice: Person
) -> None:
    passkey = (await house.store.read(lambda reader: reader.passkeys(alice.account.id)))[0]
    totp = (await house.store.read(lambda reader: reader.totps(alice.account.id)))[0]
    other = PortalClient(portal)
    await other.sign_in(house, await house.person("bob@example.org"))
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=6)  # no proof is asked for
    for path in (f"/account/passkeys/{passkey.id}/rename", f"/account/authenticators/{totp.id}/rename"):
        assert (await other.get(path)).status_code == 404
        await other.get("/account")
        assert (await other.post(path, {"name": "Mine"})).status_code == 404
        await visitor.get(path)
        refused = await visitor.post(path, {"name": " "})
        assert refused.status_code == 422
        assert (await visitor.post(path, {"name": "<i>Red</i> " + path[9]})).status_code == 303
    page = await visitor.get("/account")
    assert "works as before" in text_of(page)
    assert "&lt;i&gt;Red&lt;/i&gt; p" in page.text
    assert "&lt;i&gt;Red&lt;/i&gt; a" in page.text
    assert (await house.store.read(lambda reader: reader.passkeys(alice.account.id)))[0].name == "<i>Red</i> p"
    happened = [one.event for one in await activity.audit(house.ports, OPERATOR, account_id=alice.account.id, limit=2)]
    assert happened == [
        SecondFactorRenamed(totp.name, "<i>Red</i> a"),
        SecondFactorRenamed(passkey.name, "<i>Red</i> p", "passkey"),
    ]
