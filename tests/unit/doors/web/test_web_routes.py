"""Every route, found by asking the application: headers, stages of sign-in, forged forms, methods."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from tests.browser.portal_client import BROWSER, ORIGIN, PortalClient
from tests.browser.portal_site import settings_at
from tests.verbs import endpoints
from tests.verbs.site import House, Person

from valetkey.core.api_token import ApiToken
from valetkey.core.passkey import Passkey
from valetkey.core.role import OWN_ACTIONS
from valetkey.doors.web.app import create_portal
from valetkey.doors.web.streams import Bounds, Streams

BEFORE_SIGN_IN = {"/sign-in", "/sign-in/passkey", "/static/{name}", "/language"}
# Addresses of one-time links, and the page that each leads to; such a page is gone without its link.
LINKS = {
    "/recover/link/{token}": "/recover", "/recover/call-off/{token}": "/recover/call-off", "/welcome/{token}": "/welcome",
    "/account/notices/confirm/{token}": "/account/notices/confirm",
}  # fmt: skip
BY_LINK = {"/recover/call-off", "/recover/called-off", "/welcome"}
RECOVERING = {"/recover/mail", "/recover/begin", "/recover/finish"}  # with the main password given
SIGNING_IN = {"/sign-in", "/sign-in/passkey", "/sign-in/code", "/recover", "/recover/password", *RECOVERING}
BEFORE_SIGN_IN |= {"/recover", "/recover/password"}
HALFWAY = BEFORE_SIGN_IN | RECOVERING | {"/sign-in/code", "/sign-out"}
WITHOUT_FACTOR = endpoints.WITHOUT_FACTOR | {"/static/{name}", "/language"}


# What mail programs fetch: public, and no page (test_web_autoconfig.py).
FOR_PROGRAMS = re.compile(r"/mail/|/auto(config|discover)/|/\.well-known/autoconfig/", re.IGNORECASE)


@pytest.fixture(autouse=True)
def brief_streams(portal: FastAPI) -> None:
    """Streams of events that end with what they show first."""
    portal.state.portal = replace(portal.state.portal, streams=Streams(Bounds(lasts=0)))


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    found = []
    for route in flat(app.routes):
        if FOR_PROGRAMS.match(route.path):
            continue
        found += [(method, route.path) for method in sorted(route.methods - {"HEAD"})]
    assert len(found) > 25
    return found


def flat(routes: Any) -> list[APIRoute]:
    found: list[APIRoute] = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            found += flat(
                getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", ())
            )
    return found


def fill_in(path: str, credential_id: str = "ap_none") -> str:
    names = {
        "credential_id": credential_id,
        "totp_id": "tf_none",
        "passkey_id": "pk_none",
        "token_id": "at_none",
        "name": "tokens.css",
        "form": "csv",
    }
    return re.sub(r"{(\w+)}", lambda found: names.get(found[1], "none"), path)


def a_token(house: House, person: Person) -> ApiToken:
    now, own = house.clock.now(), person.account.id
    return ApiToken("at_none", own, "Script", OWN_ACTIONS, (), now, own, "", now + timedelta(days=9))


async def ask(visitor: PortalClient, method: str, path: str, **fields: str) -> Any:
    if method == "GET":
        return await visitor.http.get(path)
    return await visitor.http.post(path, data={"sent": "1", **fields}, headers=BROWSER)


def no_store(response: Any) -> bool:
    return response.headers["cache-control"] == "no-store"


def check_headers(response: Any) -> None:
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for part in (
        "style-src 'self'",
        "script-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert part in policy.split("; ")
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in response.headers["permissions-policy"]
    assert response.headers["strict-transport-security"].startswith("max-age=31536000")
    for cookie in response.headers.get_list("set-cookie"):
        assert re.match(r"__Host-valetkey(-form|-notice|-link)?=", cookie)
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


async def test_nobody_sees_anything_but_the_sign_in(portal: FastAPI, visitor: PortalClient) -> None:
    for method, path in routes_of(portal):
        response = await ask(visitor, method, fill_in(path))
        check_headers(response)
        if path in BEFORE_SIGN_IN:
            assert response.status_code == (200 if method == "GET" else 403), path
        elif path in LINKS:
            assert (response.status_code, response.headers["location"]) == (303, LINKS[path])
        elif path in BY_LINK:
            assert response.status_code in {403, 404}, (method, path)
        else:
            assert response.status_code == 303, (method, path)
            assert response.headers["location"].split("?")[0] == "/sign-in", (method, path)
            assert no_store(response)


async def test_half_a_sign_in_opens_nothing_but_the_code(portal: FastAPI, visitor: PortalClient, alice: Person) -> None:
    for method, path in routes_of(portal):
        await visitor.give_password(alice)
        await visitor.get("/sign-in/code")
        token = visitor.hidden("csrf")
        response = await ask(visitor, method, fill_in(path), csrf=token)
        if path == "/sign-out":
            assert response.headers["location"] == "/sign-in"
        elif path == "/language":
            assert response.headers["location"] == "/"
        elif path in HALFWAY:
            assert response.status_code in {200, 422}, (method, path)
        elif path in LINKS:
            assert (response.status_code, response.headers["location"]) == (303, LINKS[path])
        elif path in BY_LINK:
            assert response.status_code == 404, (method, path)
        elif method == "GET":
            assert (response.status_code, response.headers["location"]) == (303, "/sign-in/code"), path
        else:
            assert response.status_code == 403, path


async def test_half_a_sign_in_is_no_credential_in_any_other_form(
    portal: FastAPI, visitor: PortalClient, alice: Person
) -> None:
    await visitor.give_password(alice)
    token = visitor.http.cookies.get("__Host-valetkey")
    stranger = PortalClient(portal)
    for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"Basic {token}"}, {"X-Auth": str(token)}):
        response = await stranger.http.get("/", headers=headers)
        assert response.headers["location"] == "/sign-in"


async def test_the_token_of_half_a_sign_in_is_worthless_afterwards(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    stranger = PortalClient(portal)
    await visitor.give_password(alice)
    stranger.http.cookies.update(visitor.http.cookies)
    before = visitor.http.cookies.get("__Host-valetkey")
    house.clock.move(seconds=30)
    await visitor.get("/sign-in/code")
    await visitor.post("/sign-in/code", {"code": house.code(alice.seed), "next": "/"})
    assert visitor.http.cookies.get("__Host-valetkey") != before
    assert (await visitor.get("/")).status_code == 200
    assert (await stranger.get("/")).headers["location"] == "/sign-in"


async def test_without_a_second_factor_one_may_look_revoke_and_set_one_up(
    portal: FastAPI, visitor: PortalClient, house: House
) -> None:
    bob = await house.person("bob@example.org", two_factor=False)
    for method, path in routes_of(portal):
        await visitor.give_password(bob)
        await visitor.get("/set-up")
        token = visitor.hidden("csrf")
        response = await ask(visitor, method, fill_in(path), csrf=token)
        if path in WITHOUT_FACTOR:
            assert response.headers.get("location") != "/set-up", (method, path)
        elif path in SIGNING_IN:
            assert response.headers["location"] == "/"
        elif path in LINKS:
            assert (response.status_code, response.headers["location"]) == (303, LINKS[path])
        elif path in BY_LINK:
            assert response.status_code in {403, 404}, (method, path)
        else:
            assert (response.status_code, response.headers.get("location")) == (303, "/set-up"), (method, path)


async def test_every_page_of_a_signed_in_person(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    totp = (await house.store.read(lambda reader: reader.totps(alice.account.id)))[0]
    passkey = Passkey("pk_none", alice.account.id, "Laptop", b"id", b"key", 0, (), False, house.clock.now(), None)
    await house.store.write(lambda writer: writer.add_passkey(passkey))
    await house.store.write(lambda writer: writer.add_api_token(a_token(house, alice), 1, b"\0" * 32))
    for method, path in routes_of(portal):
        if method == "POST" or path.startswith(("/static", "/console")):
            continue
        response = await visitor.get(fill_in(path, issued.app_password.id).replace("tf_none", totp.id))
        check_headers(response)
        assert no_store(response)
        if path in {"/.well-known/change-password", *LINKS, *SIGNING_IN}:
            assert response.status_code == 303
            continue
        is_gone = path in {"/recover/call-off", "/welcome", "/account/notices/confirm"}  # without a link
        assert response.status_code == (404 if is_gone else 200), path
        if not response.headers["content-type"].startswith("text/html"):
            continue  # a stream of events, or something to take away
        lead = re.search(r'<p class="lead">(.*?)</p>', response.text, re.DOTALL)
        assert lead is not None, path
        assert len(lead.group(1).strip()) > 20, path
        assert response.text.count("<h1>") == 1
        assert "<main" in response.text
        assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|\sstyle=|javascript:", response.text), path
        size = len(response.content)
        for linked in re.findall(r'(?:href|src)="(/static/[^"]+)"', response.text):
            size += len((await visitor.http.get(linked)).content)
        assert size < 60_000, path


async def test_no_form_passes_without_its_token_or_from_elsewhere(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person
) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    await visitor.get("/account")
    right = visitor.hidden("csrf")
    other = PortalClient(portal)
    await other.sign_in(house, alice)
    await other.get("/account")
    probes = [
        ({}, BROWSER),
        ({"csrf": ""}, BROWSER),
        ({"csrf": "wrong"}, BROWSER),
        ({"csrf": right[:-1]}, BROWSER),
        ({"csrf": other.hidden("csrf")}, BROWSER),  # another session's
        ({"csrf": right}, {"Origin": "https://evil.example"}),
        ({"csrf": right}, {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}),
        ({"csrf": right}, {"Origin": "null"}),
        ({"csrf": right}, {"Sec-Fetch-Site": "same-site"}),
    ]
    number = house.store.change_number()
    posts = [path for method, path in routes_of(portal) if method == "POST" and path not in SIGNING_IN]
    assert len(posts) >= 10
    for path in posts:
        where = fill_in(path, issued.app_password.id)
        for fields, headers in probes:
            response = await visitor.http.post(where, data={"sent": "1", **fields}, headers=headers)
            assert response.status_code == 403, (path, fields, headers)
        for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
            response = await visitor.http.post(
                where, content=f"csrf={right}", headers={**BROWSER, "Content-Type": kind}
            )
            assert response.status_code == 415, (path, kind)
    assert house.store.change_number() == number
    assert (await visitor.get("/")).status_code == 200  # still signed in


async def test_a_sign_in_form_from_elsewhere_does_not_sign_in(visitor: PortalClient, alice: Person) -> None:
    await visitor.get("/sign-in")
    fields = {"name": alice.account.address, "password": alice.password, "csrf": visitor.hidden("csrf")}
    for wrong, headers in (
        ({"csrf": ""}, BROWSER), ({"csrf": "x"}, BROWSER), ({}, {"Origin": "https://evil.example"}),
    ):  # fmt: skip
        response = await visitor.http.post("/sign-in", data={**fields, **wrong}, headers=headers)
        assert response.status_code == 403
        assert "__Host-valetkey" not in {cookie.name for cookie in visitor.http.cookies.jar}


async def test_looking_changes_nothing(portal: FastAPI, visitor: PortalClient, house: House, alice: Person) -> None:
    issued = await house.issue(alice)
    await visitor.sign_in(house, alice)
    number = house.store.change_number()
    posts = {path for method, path in routes_of(portal) if method == "POST"}
    looks = {path for method, path in routes_of(portal) if method == "GET"}
    for path in posts - looks:
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
            response = await visitor.http.request(method, fill_in(path, issued.app_password.id))
            assert response.status_code == 405, (method, path)
            assert response.headers["allow"] == "POST"
            check_headers(response)
    for path in looks:
        await visitor.http.head(fill_in(path, issued.app_password.id))
        await visitor.get(fill_in(path, issued.app_password.id))
    assert house.store.change_number() == number
    assert (await visitor.get("/")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/static/../app.py", "/static/", "/no-such", "/%00"]
)
async def test_there_is_nothing_else(visitor: PortalClient, path: str) -> None:
    response = await visitor.get(path)
    assert response.status_code == 404
    check_headers(response)
    assert "There is no such page" in response.text


async def test_styles_are_kept_by_the_browser_and_pages_are_not(visitor: PortalClient) -> None:
    page = await visitor.get("/sign-in")
    found = re.search(r'href="(/static/tokens\.css\?v=[0-9a-f]{12})"', page.text)
    assert found is not None
    assert "immutable" in (await visitor.http.get(found.group(1))).headers["cache-control"]
    assert no_store(page)


async def test_no_strict_transport_for_localhost(house: House) -> None:
    local = PortalClient(create_portal(house.ports, settings_at("http://localhost:8080")))
    assert "strict-transport-security" not in (await local.get("/sign-in")).headers
