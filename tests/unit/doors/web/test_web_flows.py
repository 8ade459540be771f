"""What people do in the portal, through its forms, over a real store."""

import html
import re
from base64 import b32decode
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.browser.portal_client import BROWSER, PortalClient, portal_of
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House, Person, attempt

from valetkey.core.errors import Unavailable
from valetkey.core.login import Allowed
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission, PermissionMode
from valetkey.core.second_factor import code_at, step_of
from valetkey.service import accounts, app_passwords, login
from valetkey.service.ports import LiveSession, LoginEvent

SECRET = re.compile(r"vkey(?:-[a-z]{4}){6}")


def text_of(response: httpx.Response) -> str:
    """Give what a person reads on a page."""
    body = re.sub(r"(?s)<(script|style|head).*?</\1>", "", response.text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def secret_on(response: httpx.Response) -> str:
    """Give the app password that a page shows."""
    found = re.search(r'<code id="secret"[^>]*>(.*?)</code>', response.text)
    assert found is not None
    return re.sub(r"<[^>]+>", "", found.group(1))


async def of(house: House, person: Person) -> tuple[Any, ...]:
    return await app_passwords.of_account(house.ports, OPERATOR, person.account.id)


async def test_from_sign_in_to_a_login_to_revoking(visitor: PortalClient, house: House, alice: Person) -> None:
    assert (await visitor.sign_in(house, alice)).headers["location"] == "/"
    assert "No app passwords yet" in text_of(await visitor.get("/"))
    made = await visitor.post("/app-passwords/new", await visitor.new_form("phone", description="My phone"))
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    secret = secret_on(made)
    assert SECRET.fullmatch(secret)
    said = text_of(made)
    for wanted in ("It can read mail", "mail.example.org", "993", "465", "SSL/TLS", "alice@example.org"):
        assert wanted in said
    assert isinstance(await login.check(house.ports, attempt("alice@example.org", secret)), Allowed)
    await house.recorder.flush()
    listed = await visitor.get("/")
    assert secret not in listed.text
    assert "My phone" in text_of(listed)
    assert "In use" in text_of(listed)
    (one,) = await of(house, alice)
    house.live.sessions = [
        LiveSession(str(n), alice.account.id, one.id, MailProtocol.IMAP, HOME, "", house.clock.now(), "1")
        for n in range(2)
    ]
    house.live.fails = lambda session: session.credential_id == one.id
    await visitor.get(f"/app-passwords/{one.id}/revoke")
    gone = await visitor.post(f"/app-passwords/{one.id}/revoke", {"reason": "Device lost or stolen"})
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    assert "2 connections closed" in text_of(await visitor.get("/"))
    assert "2 connections closed" not in text_of(await visitor.get("/"))
    assert not isinstance(await login.check(house.ports, attempt("alice@example.org", secret)), Allowed)
    again = await visitor.get(f"/app-passwords/{one.id}/revoke")
    assert "revoked already" in text_of(again)


async def test_the_wrong_password_says_no_more_than_that(visitor: PortalClient, alice: Person) -> None:
    for name, password in (
        ("alice@example.org", "wrong"),
        ("nobody@example.org", PASSWORD),
        ("", ""),
        ("\0", "\r\n"),
        ("a" * 399, "b" * 1999),
    ):
        await visitor.get("/sign-in")
        refused = await visitor.post("/sign-in", {"name": name, "password": password})
        assert refused.status_code == 422
        assert "The address or the password is not right." in text_of(refused)
        assert visitor.hidden("password") == ""
        assert "__Host-valetkey" not in {cookie.name for cookie in visitor.http.cookies.jar}


async def test_what_was_typed_stays_except_the_password(visitor: PortalClient, alice: Person) -> None:
    await visitor.get("/sign-in?next=/activity")
    refused = await visitor.post(
        "/sign-in", {"name": 'ali"ce<b>@example.org', "password": "s3cret-typo", "next": "/activity"}
    )
    assert visitor.hidden("name") == 'ali"ce<b>@example.org'
    assert visitor.hidden("next") == "/activity"
    assert "<b>" not in refused.text
    assert "s3cret-typo" not in refused.text


async def test_an_app_password_does_not_sign_in_and_says_so(visitor: PortalClient, house: House, alice: Person) -> None:
    secret = (await house.issue(alice)).secret.shown
    await visitor.get("/sign-in")
    refused = await visitor.post("/sign-in", {"name": "alice@example.org", "password": secret.upper()})
    assert "App passwords open mail only" in text_of(refused)
    assert secret not in refused.text.lower()


async def test_a_code_signs_in_once(portal: FastAPI, visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    thief = PortalClient(portal, "192.0.2.66")
    await thief.give_password(alice)
    await thief.get("/sign-in/code")
    for code in (house.code(alice.seed), " ".join(house.code(alice.seed)), "000000", "", "①②③④⑤⑥"):
        refused = await thief.post("/sign-in/code", {"code": code})
        assert refused.status_code == 422
        assert "wrong" in refused.text
    assert (await thief.get("/")).headers["location"] == "/sign-in/code"
    told = text_of(await visitor.get("/activity"))
    assert "Sign-in from 192.0.2.66 refused: wrong code the main password was right; if this was not you" in told


async def test_a_recovery_code_signs_in_once(visitor: PortalClient, house: House, alice: Person) -> None:
    for expected in (303, 422):
        visitor.http.cookies.clear()
        await visitor.give_password(alice)
        await visitor.get("/sign-in/code")
        answer = await visitor.post("/sign-in/code", {"recovery_code": alice.recovery_codes[0].upper()})
        assert answer.status_code == expected
    assert "<details" in answer.text
    await visitor.sign_in(house, alice)
    assert "9 of 10 left" in text_of(await visitor.get("/account"))


@pytest.mark.parametrize("evil", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_a_sign_in_returns_to_a_page_of_ours(
    visitor: PortalClient, house: House, alice: Person, evil: str
) -> None:
    await visitor.get("/sign-in")
    await visitor.http.get("/sign-in", params={"next": evil})
    await visitor.post("/sign-in", {"name": alice.account.address, "password": PASSWORD, "next": evil})
    house.clock.move(seconds=30)
    await visitor.get("/sign-in/code")
    done = await visitor.post("/sign-in/code", {"code": house.code(alice.seed), "next": evil})
    assert done.headers["location"] == "/"


async def test_one_comes_back_to_where_one_wanted(visitor: PortalClient, house: House, alice: Person) -> None:
    assert (await visitor.get("/activity")).headers["location"] == "/sign-in?next=/activity"
    await visitor.get("/sign-in?next=/activity")
    sent = await visitor.post("/sign-in", {"name": "alice@example.org", "password": PASSWORD, "next": "/activity"})
    assert sent.headers["location"] == "/sign-in/code?next=/activity"


def seed_on(page: httpx.Response) -> bytes:
    """Read the seed that a page shows, as somebody does who cannot scan."""
    found = re.search(r'<code id="seed"[^>]*>([A-Z2-7 ]+)</code>', page.text)
    assert found is not None
    return b32decode(found[1].replace(" ", ""))


async def test_set_up_from_nothing(visitor: PortalClient, house: House) -> None:
    bob = await house.person("bob@example.org", two_factor=False)
    assert (await visitor.give_password(bob)).headers["location"] == "/set-up"
    offered = await visitor.get("/set-up")
    assert "<svg" in offered.text
    assert "qr" in offered.text
    fields = {"sealed": visitor.hidden("sealed"), "name": "My phone"}
    refused = await visitor.post("/set-up", {**fields, "code": "000000"})
    assert refused.status_code == 422
    assert visitor.hidden("sealed") == fields["sealed"], "nothing has to be scanned anew"
    seed = seed_on(refused)
    assert seed == seed_on(offered)
    done = await visitor.post("/set-up", {**fields, "code": code_at(seed, step_of(house.clock.now()))})
    codes = re.findall(r"<code>([a-z0-9-]{17})</code>", done.text)
    assert len(set(codes)) == 10
    assert done.headers["cache-control"] == "no-store"
    assert "I have kept them" in text_of(done)
    assert (await visitor.get("/app-passwords/new")).status_code == 200  # the same session goes on, now complete
    assert 'action="/"' in done.text  # no program used the main password
    assert "None in the last 90 days" in (await visitor.get("/set-up/programs")).text
    after = (await visitor.get("/account")).text
    assert not any(code in after for code in codes)


async def test_who_sets_up_a_second_factor_is_led_through_the_programs(visitor: PortalClient, house: House) -> None:
    bob = await house.person("bob@example.org", two_factor=False)
    now = house.clock.now()
    events = [
        LoginEvent(bob.account.id, credential, MailProtocol.IMAP, HOME, client, result, now, now)
        for credential, client, result in (
            (None, "<b>Thunderbird</b>", "allowed"), (None, "Guessing", "wrong-secret"), ("ap_1", "Scanner", "allowed"),
        )
    ]  # fmt: skip
    await house.store.add_login_events(events)
    await visitor.give_password(bob)
    offered = await visitor.get("/set-up")
    assert "Now they use it: &lt;b&gt;Thunderbird&lt;/b&gt;." in offered.text
    fields = {"sealed": visitor.hidden("sealed"), "name": "My phone"}
    done = await visitor.post("/set-up", {**fields, "code": code_at(seed_on(offered), step_of(house.clock.now()))})
    assert 'action="/set-up/programs"' in done.text
    led = await visitor.get("/set-up/programs")
    assert "&lt;b&gt;Thunderbird&lt;/b&gt;" in led.text
    assert "Scanner" not in led.text
    assert "Guessing" not in led.text
    assert "/set-up/programs" in (await visitor.get("/account")).text


@pytest.mark.parametrize(
    "changes", [{"sealed": "x"}, {"sealed": ""}, {"sealed": "A" * 900}, {"name": "\0"}, {"name": ""}]
)
async def test_a_bent_set_up_form_is_answered_plainly(
    visitor: PortalClient, house: House, changes: dict[str, str]
) -> None:
    bob = await house.person("bob@example.org", two_factor=False)
    await visitor.give_password(bob)
    await visitor.get("/set-up")
    fields = {"sealed": visitor.hidden("sealed"), "name": "x", "code": "000000"}
    answer = await visitor.post("/set-up", {**fields, **changes})
    assert answer.status_code == 422
    assert visitor.hidden("sealed") != ""


async def test_an_old_proof_is_asked_for_again_and_leads_back(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=6)
    sent = await visitor.get("/app-passwords/new?purpose=phone")
    assert sent.headers["location"] == "/prove?next=/app-passwords/new?purpose=phone"
    await visitor.get(sent.headers["location"])
    back = visitor.hidden("next")
    before = visitor.http.cookies.get("__Host-valetkey")
    fields = {"prove_password": PASSWORD, "prove_code": house.code(alice.seed), "next": back}
    assert (await visitor.post("/prove", {**fields, "prove_password": "wrong"})).status_code == 422
    assert (await visitor.post("/prove", {**fields, "prove_code": "000000"})).status_code == 422
    proven = await visitor.post("/prove", fields)
    assert (proven.status_code, proven.headers["location"]) == (303, "/app-passwords/new?purpose=phone")
    assert visitor.http.cookies.get("__Host-valetkey") != before
    assert (await visitor.get(proven.headers["location"])).status_code == 200


async def test_a_form_filled_in_slowly_is_not_lost(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("phone", description="Slowly typed")
    house.clock.move(minutes=6)
    asked = await visitor.post("/app-passwords/new", fields)
    assert asked.status_code == 422
    assert visitor.hidden("description") == "Slowly typed"
    assert await of(house, alice) == ()
    fields["once"] = visitor.hidden("once")
    proof = {"prove_password": PASSWORD, "prove_code": house.code(alice.seed)}
    wrong = await visitor.post("/app-passwords/new", {**fields, **proof, "prove_password": "wrong"})
    assert wrong.status_code == 422
    assert PASSWORD not in wrong.text
    made = await visitor.post("/app-passwords/new", {**fields, **proof, "once": visitor.hidden("once")})
    assert SECRET.fullmatch(secret_on(made))
    assert (await visitor.get("/")).status_code == 200


async def test_loading_the_answer_again_makes_no_second_one(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("phone")
    token = visitor.hidden("csrf")
    assert (await visitor.post("/app-passwords/new", {**fields, "csrf": token})).status_code == 200
    again = await visitor.post("/app-passwords/new", {**fields, "csrf": token})
    assert again.status_code == 409
    assert len(await of(house, alice)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"description": ""}, "description"),
        ({"description": "a" * 101}, "description"),
        ({"description": "a\u202eb"}, "description"),
        ({"permission": []}, "permissions"),
        ({"protocol": []}, "protocols"),
        ({"permission": ["send"], "protocol": ["imap"]}, "permissions"),
        ({"permission": ["root", "READ"]}, "permissions"),
        ({"expires": "date", "expires_on": ""}, "expires_at"),
        ({"expires": "date", "expires_on": "2020-01-01"}, "expires_at"),
        ({"expires": "date", "expires_on": "31.12.2030"}, "expires_at"),
        ({"expires": "-5"}, "expires_at"),
        ({"expires": "٣٠"}, "expires_at"),
        ({"expires": "99999999999"}, "expires_at"),
        ({"idle": "0"}, "idle_for"),
        ({"idle": "x"}, "idle_for"),
        ({"rule": "allowed", "networks": ""}, "allowed_ips"),
        ({"rule": "allowed", "networks": "0.0.0.0/0"}, "allowed_ips"),
        ({"rule": "allowed", "networks": "192.0.2.1/24"}, "allowed_ips"),
        ({"rule": "allowed", "named": ["atlantis"]}, "allowed_ips"),
        ({"rule": "allowed", "networks": "192.0.2.1 " * 3 + " ".join(f"10.0.0.{n}" for n in range(60))}, "allowed_ips"),
        ({"rule": "everywhere"}, "allowed_ips"),
    ],
)  # fmt: skip
async def test_mistakes_are_named_beside_their_field_and_nothing_is_lost(
    visitor: PortalClient, house: House, alice: Person, changes: dict[str, Any], field: str
) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("phone", **{"description": "Kept words", **changes})
    answer = await visitor.post("/app-passwords/new", fields)
    assert answer.status_code == 422
    assert f'id="{field}-wrong"' in answer.text
    assert f'href="#{field}"' in answer.text
    assert f'id="{field}"' in answer.text
    assert visitor.ticked("permission") == [one for one in fields["permission"] if one in set(Permission)]
    if "description" not in changes:
        assert visitor.hidden("description") == "Kept words"
    assert await of(house, alice) == ()


@pytest.mark.parametrize(
    "purpose", ["phone", "computer", "scanner", "website", "archive", "crm", "filters", "everything"]
)
async def test_each_purpose_makes_a_password_that_can_do_its_job(
    visitor: PortalClient, house: House, alice: Person, purpose: str
) -> None:
    await visitor.sign_in(house, alice)
    folders = {"folders": "Customers"} if purpose == "crm" else {}
    made = await visitor.post("/app-passwords/new", await visitor.new_form(purpose, **folders))
    secret = secret_on(made)
    (one,) = await of(house, alice)
    assert (len(secret) == 20) is (purpose == "scanner")
    for protocol in MailProtocol:
        verdict = await login.check(house.ports, attempt("alice@example.org", secret, protocol=protocol))
        assert isinstance(verdict, Allowed) is (protocol in one.scope.protocols)
    if purpose != "everything":
        assert (Permission.FILTERS in one.scope.permissions) is (purpose == "filters")


async def test_everything_but_one_thing(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("everything")
    fields["permission"].remove("delete")
    await visitor.post("/app-passwords/new", fields)
    (one,) = await of(house, alice)
    assert one.scope.mode is PermissionMode.RESTRICT
    assert one.scope.permissions == {Permission.DELETE}


async def test_networks_expiry_and_disuse_are_kept(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form(
        "scanner",
        rule="allowed",
        named=["office"],
        networks="192.0.2.7, 2001:db8::/32\n192.0.2.7",
        expires="30",
        idle="14",
    )
    await visitor.post("/app-passwords/new", fields)
    (one,) = await of(house, alice)
    held = one.restrictions
    assert held.allowed_ips == ("office", "192.0.2.7/32", "2001:db8::/32")
    assert held.expires_at == house.clock.now() + timedelta(days=30)
    assert held.idle_for == timedelta(days=14)
    page = text_of(await visitor.get(f"/app-passwords/{one.id}"))
    assert "Only from office, 192.0.2.7/32 and 2001:db8::/32" in page
    assert "after 14 days without use" in page


async def test_a_policy_is_offered_and_held(house: House, alice: Person) -> None:
    house.with_ports(
        policy=Policy(max_lifetime=timedelta(days=60), default_lifetime=timedelta(days=45), max_app_passwords=1)
    )
    visitor = PortalClient(portal_of(house))
    await visitor.sign_in(house, alice)
    form = await visitor.get("/app-passwords/new?purpose=phone")
    offered = re.findall(
        r'<option value="(\w+)"( selected)?>', form.text.split('name="expires"')[1].split("</select>")[0]
    )
    assert [value for value, _ in offered] == ["7", "30", "45", "60", "date"]
    assert [value for value, chosen in offered if chosen] == ["45"]
    never = await visitor.post("/app-passwords/new", await visitor.new_form("phone", expires="never"))
    assert "60 days at most" in text_of(never)
    assert secret_on(await visitor.post("/app-passwords/new", await visitor.new_form("phone", expires="60")))
    more = await visitor.post("/app-passwords/new", await visitor.new_form("phone", expires="7"))
    assert "1 app passwords at most" in text_of(more)


async def test_rights_limit_what_is_offered(house: House) -> None:
    carol = await house.person("carol@example.org", rights=frozenset({Permission.SEND}))
    visitor = PortalClient(portal_of(house))
    await visitor.sign_in(house, carol)
    shown = (await visitor.get("/app-passwords/new")).text
    assert "purpose=scanner" in shown
    assert "purpose=archive" not in shown
    assert "purpose=filters" not in shown
    fields = await visitor.new_form("scanner")
    assert fields["permission"] == ["send"]
    fields["permission"] = ["send", "read", "filters"]
    await visitor.post("/app-passwords/new", fields)
    (one,) = await of(house, carol)
    assert one.scope.effective(frozenset(Permission)) == {Permission.SEND}


async def change_form(visitor: PortalClient, credential_id: str, **changes: Any) -> dict[str, Any]:
    await visitor.get(f"/app-passwords/{credential_id}/change")
    fields = {
        "description": visitor.hidden("description"), "expires": "keep", "idle": "keep", "rule": visitor.ticked("rule")[0],
        "permission": visitor.ticked("permission"), "protocol": visitor.ticked("protocol"),
    }  # fmt: skip
    return {**fields, **changes}


async def test_renaming_and_narrowing_need_no_fresh_proof_and_widening_does(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice)).app_password
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=10)
    where = f"/app-passwords/{one.id}/change"
    narrowed = await visitor.post(
        where, await change_form(visitor, one.id, description="New name", permission=["read"])
    )
    assert narrowed.headers["location"] == f"/app-passwords/{one.id}"
    (now,) = await of(house, alice)
    assert now.description == "New name"
    assert now.scope.effective(frozenset(Permission)) == {Permission.READ}
    assert now.scope.protocols == one.scope.protocols
    widened = await visitor.post(where, await change_form(visitor, one.id, permission=["read", "delete"]))
    assert widened.status_code == 422
    assert "prove_password" in widened.text
    (same,) = await of(house, alice)
    assert same.scope == now.scope
    proof = {"prove_password": PASSWORD, "prove_code": house.code(alice.seed)}
    token = visitor.hidden("csrf")
    fields = await change_form(visitor, one.id, permission=["read", "delete"])
    assert (await visitor.post(where, {**fields, **proof, "csrf": token})).status_code == 303
    (last,) = await of(house, alice)
    assert last.scope.effective(frozenset(Permission)) == {Permission.READ, Permission.DELETE}


async def test_saving_without_a_change_changes_nothing(visitor: PortalClient, house: House, alice: Person) -> None:
    one = (
        await house.issue(alice, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",), idle_for=timedelta(days=9))
    ).app_password
    await visitor.sign_in(house, alice)
    fields = await change_form(visitor, one.id, named=["office"])
    number = house.store.change_number()
    assert (await visitor.post(f"/app-passwords/{one.id}/change", fields)).status_code == 303
    assert house.store.change_number() == number
    assert await of(house, alice) == (one,)


async def test_a_shared_account_has_its_own_list(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    shared = await house.shared(owner=alice)
    await visitor.sign_in(house, alice)
    listed = await visitor.get(f"/?account={shared.id}")
    assert f"/app-passwords/new?account={shared.id}" in listed.text
    await visitor.get(f"/app-passwords/new?purpose=scanner&account={shared.id}")
    account = visitor.hidden("account")
    assert account == shared.id
    made = await visitor.post("/app-passwords/new", await visitor.new_form("scanner", account=account))
    assert shared.address in text_of(made)
    verdict = await login.check(house.ports, attempt(shared.address, secret_on(made), protocol=MailProtocol.SMTP))
    assert isinstance(verdict, Allowed)
    assert "Phone" in text_of(await visitor.get(f"/?account={shared.id}"))
    assert "Phone" not in text_of(await visitor.get("/"))
    assert "App password “Phone” made" in text_of(await visitor.get(f"/activity?account={shared.id}"))
    mallory = await house.person("mallory@example.org")
    other = PortalClient(portal)
    await other.sign_in(house, mallory)
    for path in (f"/?account={shared.id}", f"/activity?account={shared.id}", f"/app-passwords/new?account={shared.id}"):
        assert (await other.get(path)).status_code == 404
    await other.get("/account")
    token = other.hidden("csrf")
    for path, fields in (("/app-passwords/revoke-all", {}), ("/app-passwords/new", {"purpose": "phone"})):
        assert (await other.post(path, {**fields, "account": shared.id, "csrf": token})).status_code == 404


async def test_what_is_another_persons_does_not_exist(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice)).app_password
    mallory = await house.person("mallory@example.org")
    await visitor.sign_in(house, mallory)
    await visitor.get("/account")
    token = visitor.hidden("csrf")
    for path in ("", "/revoke", "/change"):
        theirs, none = (
            await visitor.get(f"/app-passwords/{one.id}{path}"),
            await visitor.get(f"/app-passwords/ap_none{path}"),
        )
        assert (theirs.status_code, theirs.text) == (404, none.text)
    for path in ("/revoke", "/change"):
        assert (await visitor.post(f"/app-passwords/{one.id}{path}", {"csrf": token})).status_code == 404
    (same,) = await of(house, alice)
    assert same.is_live


async def test_revoking_works_with_an_old_proof_and_without_the_mail_side(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    one = (await house.issue(alice)).app_password
    await visitor.sign_in(house, alice)
    house.clock.move(minutes=50)
    house.live.broken = Unavailable("The workers do not answer.")
    await visitor.get(f"/app-passwords/{one.id}/revoke")
    assert (await visitor.post(f"/app-passwords/{one.id}/revoke", {})).status_code == 303
    assert "Revoked" in text_of(await visitor.get("/"))
    assert (await visitor.get(f"/app-passwords/{one.id}")).status_code == 200


async def test_revoking_all(visitor: PortalClient, house: House, alice: Person) -> None:
    for name in ("One", "Two"):
        await house.issue(alice, name)
    await visitor.sign_in(house, alice)
    assert "Two" in text_of(await visitor.get("/app-passwords/revoke-all"))
    assert (await visitor.post("/app-passwords/revoke-all", {"account": visitor.hidden("account")})).status_code == 303
    assert not any(one.is_live for one in await of(house, alice))


async def test_the_last_authenticator_stays_and_another_can_go(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    await visitor.sign_in(house, alice)
    seed = seed_on(await visitor.get("/set-up"))
    fields = {"sealed": visitor.hidden("sealed"), "name": "Tablet"}
    added = await visitor.post("/set-up", {**fields, "code": code_at(seed, step_of(house.clock.now()))})
    assert added.headers["location"] == "/account"
    totps = await house.store.read(lambda reader: reader.totps(alice.account.id))
    first, second = sorted(totps, key=lambda totp: totp.name)
    await visitor.get(f"/account/authenticators/{first.id}/remove")
    assert (await visitor.post(f"/account/authenticators/{first.id}/remove", {})).status_code == 303
    last = await visitor.get(f"/account/authenticators/{second.id}/remove")
    assert "only second factor" in text_of(last)
    refused = await visitor.post(f"/account/authenticators/{second.id}/remove", {})
    assert refused.status_code == 422
    assert (await visitor.get("/account/authenticators/tf_none/remove")).status_code == 404


async def test_new_recovery_codes_replace_the_old(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    await visitor.get("/account/recovery-codes")
    drawn = await visitor.post("/account/recovery-codes", {})
    codes = re.findall(r"<code>([a-z0-9-]{17})</code>", drawn.text)
    assert len(codes) == 10
    assert not set(codes) & set(alice.recovery_codes)
    await visitor.get("/account")
    await visitor.post("/sign-out", {})
    for code, status in ((alice.recovery_codes[0], 422), (codes[0], 303)):
        await visitor.give_password(alice)
        await visitor.get("/sign-in/code")
        assert (await visitor.post("/sign-in/code", {"recovery_code": code})).status_code == status


async def test_changing_the_main_password_signs_others_out(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    other = PortalClient(portal)
    await other.sign_in(house, alice)
    await visitor.sign_in(house, alice)
    await visitor.get("/account/password")
    for first, second in (("short", "short"), ("a longer pass phrase", "another pass phrase"), ("", "")):
        refused = await visitor.post("/account/password", {"password": first, "repeated": second})
        assert refused.status_code == 422
        assert "a longer pass" not in refused.text
    new = "a longer pass phrase"
    assert (await visitor.post("/account/password", {"password": new, "repeated": new})).status_code == 303
    assert (await visitor.get("/account")).status_code == 200
    assert (await other.get("/account")).headers["location"].startswith("/sign-in")
    assert (await visitor.get("/.well-known/change-password")).headers["location"] == "/account/password"


async def test_signing_out_ends_the_session_itself(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    await visitor.sign_in(house, alice)
    await visitor.get("/")
    thief = PortalClient(portal)
    thief.http.cookies.update(visitor.http.cookies)
    assert (await thief.get("/")).status_code == 200
    await visitor.get("/")
    left = await visitor.post("/sign-out", {})
    assert left.headers["location"] == "/sign-in"
    assert (await thief.get("/")).status_code == 303
    assert "You are signed out." in text_of(await visitor.get("/sign-in"))


async def test_others_can_be_signed_out(portal: FastAPI, visitor: PortalClient, house: House, alice: Person) -> None:
    other = PortalClient(portal, "192.0.2.66")
    await other.sign_in(house, alice)
    await visitor.sign_in(house, alice)
    assert "192.0.2.66" in text_of(await visitor.get("/account"))
    await visitor.post("/account/sessions/end-others", {})
    assert "1 other browser was signed out." in text_of(await visitor.get("/account"))
    assert (await other.get("/")).status_code == 303


async def test_a_session_that_is_over_sends_to_the_sign_in(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = await visitor.new_form("phone")
    house.clock.move(hours=2)
    assert (await visitor.post("/app-passwords/new", fields)).headers["location"] == "/sign-in"
    assert await of(house, alice) == ()


async def test_a_sign_in_that_took_too_long_begins_again(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.give_password(alice)
    await visitor.get("/sign-in/code")
    house.clock.move(minutes=11)
    assert (await visitor.post("/sign-in/code", {"code": house.code(alice.seed)})).headers["location"] == "/sign-in"


async def test_a_disabled_account_is_out_at_once(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert (await visitor.get("/")).status_code == 303


async def test_the_address_is_the_visitors(house: House, alice: Person) -> None:
    portal = portal_of(house, trusted_proxies=(ip_network("10.0.0.0/8"),))
    visitor = PortalClient(portal, "10.0.0.1")
    visitor.http.headers["X-Forwarded-For"] = "192.0.2.250, 203.0.113.77"
    await visitor.sign_in(house, alice)
    shown = text_of(await visitor.get("/account"))
    assert "203.0.113.77" in shown
    assert "192.0.2.250" not in shown


class BrokenStore:
    """A store that is gone."""

    def __getattr__(self, name: str) -> Any:
        raise Unavailable("The database is locked.")


class WrongStore:
    """A bug."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("secret-detail-of-a-bug")


async def test_a_broken_store_is_no_wrong_password(house: House, alice: Person) -> None:
    visitor = PortalClient(portal_of(house))
    await visitor.get("/sign-in")
    house.with_ports(store=BrokenStore())
    broken = PortalClient(portal_of(house))
    broken.http.cookies.update(visitor.http.cookies)
    broken.page = visitor.page
    answer = await broken.post("/sign-in", {"name": "alice@example.org", "password": PASSWORD})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert "nothing is wrong with your password" in text_of(answer)
    assert "locked" not in answer.text


async def test_a_bug_tells_a_number_and_nothing_else(
    house: House, alice: Person, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    house.with_ports(store=WrongStore())
    visitor = PortalClient(portal_of(house))
    visitor.http.cookies.set("__Host-valetkey", "x" * 43)
    answer = await visitor.get("/account?canary=1")
    assert answer.status_code == 500
    assert "secret-detail" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    found = re.search(r"<code>([0-9a-f]{10})</code>", answer.text)
    assert found is not None
    logged = "".join(capsys.readouterr()) + caplog.text
    assert found.group(1) in logged
    assert "RuntimeError" in logged
    assert "secret-detail" not in logged


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "é", '"', "a; b"])
async def test_nonsense_in_cookies_is_nobody(portal: FastAPI, cookie: str) -> None:
    raw = PortalClient(portal)
    header = f"__Host-valetkey={cookie}; __Host-valetkey-form={cookie}; __Host-valetkey-notice={cookie}".encode()
    answer = await raw.http.get("/sign-in", headers={b"cookie": header})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "notice", ["revoked.2", "revoked.999999999999999", "revoked.-1", "revoked.x", "evil", "revoked.٢", "<b>"]
)
async def test_a_notice_is_one_of_ours(portal: FastAPI, notice: str) -> None:
    raw = PortalClient(portal)
    answer = await raw.http.get("/sign-in", headers={b"cookie": f"__Host-valetkey-notice={notice}".encode()})
    assert answer.status_code == 200
    assert "<b>" not in answer.text
    assert "evil" not in answer.text
    shown = re.search(r"(\d+) connections? closed", answer.text)
    assert (shown is not None) is (notice in {"revoked.2", "revoked.999999999999999"})


async def test_a_form_in_the_form_of_a_bomb(visitor: PortalClient, alice: Person) -> None:
    await visitor.get("/sign-in")
    for body, status in ((b"a=" + b"b" * 100_000, 413), (b"&".join([b"a=1"] * 1000), 400), (b"name=%ff%fe", 400)):
        headers = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
        answer = await visitor.http.post("/sign-in", content=body, headers=headers)
        assert answer.status_code == status
        assert "<h1>" in answer.text
