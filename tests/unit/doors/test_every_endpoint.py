"""Endpoint × credential kind × state of sign-in, generated from the routing tables: what should open nothing opens nothing.

The one who holds the credentials is an administrator, so that a credential that did work would open everything.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.api_client import token_for
from tests.verbs.endpoints import PUBLIC, Opens
from tests.verbs.scene import COOKIE, Scene, Shown, basic, bearer, by_session, changed, cookie
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House

from valetkey.core.role import TOKEN_ACTIONS, Role
from valetkey.doors.api.operations import PREFIX
from valetkey.service import accounts, api_tokens, invitations, portal_sessions, sign_in
from valetkey.service.proving import Proof, prove_again

# There only while something waits: a link in this browser, a recovery under way.
NOT_NOW = {"/account/notices/confirm", "/console/accounts/{account_id}/recovery"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    house = House(tmp_path)
    made = Scene(house, tmp_path)
    await made.populate()
    yield made
    house.close()


# --- what the sign-in or the token once was, and is no more


async def expired(scene: Scene) -> Shown:
    scene.house.clock.move(hours=25)
    return by_session(scene.session)


async def idle(scene: Scene) -> Shown:
    scene.house.clock.move(minutes=61)
    return by_session(scene.session)


async def half_expired(scene: Scene) -> Shown:
    half = await sign_in.start(scene.house.ports, "ada@example.org", PASSWORD, address=HOME, client="x")
    scene.house.clock.move(minutes=11)
    return by_session(half)


async def half_after_the_whole(scene: Scene) -> Shown:
    house = scene.house
    half = await sign_in.start(house.ports, "ada@example.org", PASSWORD, address=HOME, client="x")
    house.clock.move(seconds=30)
    await sign_in.prove_code(house.ports, half.token, house.code(scene.ada.seed), address=HOME)
    return by_session(half)


async def before_proving_again(scene: Scene) -> Shown:
    house, old = scene.house, scene.session
    house.clock.move(seconds=30)
    proof = Proof(PASSWORD, house.code(scene.ada.seed))
    await prove_again(house.ports, old.token, proof, address=HOME)
    return by_session(old)


async def signed_out(scene: Scene) -> Shown:
    await portal_sessions.sign_out(scene.house.ports, scene.session.token)
    return by_session(scene.session)


async def ended_from_elsewhere(scene: Scene) -> Shown:
    other = await scene.house.signed_in(scene.ada)
    await portal_sessions.sign_out_others(scene.house.ports, scene.house.acting(scene.ada.account), other.token)
    return by_session(scene.session)


async def of_a_disabled_account(scene: Scene) -> Shown:
    await accounts.disable(scene.house.ports, OPERATOR, scene.ada.account.id)
    return by_session(scene.session)


async def before_a_new_main_password(scene: Scene) -> Shown:
    await accounts.set_main_password(scene.house.ports, OPERATOR, scene.ada.account.id, "violet anchor ninety marbles")
    return by_session(scene.session)


async def token_revoked(scene: Scene) -> Shown:
    made = await token_for(scene.house, scene.ada)
    await api_tokens.revoke(scene.house.ports, scene.house.acting(scene.ada.account), made.token.id)
    return Shown(bearer(made.secret))


async def token_expired(scene: Scene) -> Shown:
    scene.house.clock.move(days=31)
    return Shown(bearer(scene.token))


async def token_from_the_wrong_network(scene: Scene) -> Shown:
    made = await token_for(scene.house, scene.ada, allowed_ips=("203.0.113.0/24",))
    return Shown(bearer(made.secret))


async def token_of_a_network_that_is_gone(scene: Scene) -> Shown:
    house = scene.house
    made = await token_for(house, scene.ada, allowed_ips=("office",))
    assert ip_network("203.0.113.0/24") in house.ports.networks.resolve(("office",))
    return Shown(bearer(made.secret))


async def token_of_a_disabled_account(scene: Scene) -> Shown:
    await accounts.disable(scene.house.ports, OPERATOR, scene.ada.account.id)
    return Shown(bearer(scene.token))


GONE = (
    expired, idle, half_expired, half_after_the_whole, before_proving_again, signed_out, ended_from_elsewhere,
    of_a_disabled_account, before_a_new_main_password, token_revoked, token_expired, token_from_the_wrong_network,
    token_of_a_network_that_is_gone, token_of_a_disabled_account,
)  # fmt: skip

# --- what is good, but not here or not in this form

Maker = Callable[[Scene], Shown]
_NAME = "ada@example.org"
MISPLACED: dict[str, Maker] = {
    "app password as cookie": lambda s: Shown(cookie(s.secret)),
    "app password as bearer": lambda s: Shown(bearer(s.secret)),
    "app password as basic": lambda s: Shown(basic(_NAME, s.secret)),
    "app password in forms": lambda s: Shown(fields={"name": _NAME, "password": s.secret, "token": s.secret}),
    "main password as bearer": lambda s: Shown(bearer(PASSWORD.replace(" ", ""))),
    "main password as basic": lambda s: Shown(basic(_NAME, PASSWORD)),
    "main password as cookie": lambda s: Shown(cookie(PASSWORD.replace(" ", "+"))),
    "main password in forms": lambda s: Shown(fields={"name": _NAME, "password": PASSWORD}),
    "session as bearer": lambda s: Shown(bearer(s.session.token), csrf=s.session.session.csrf),
    "session as basic": lambda s: Shown(basic(_NAME, s.session.token), csrf=s.session.session.csrf),
    "session in forms": lambda s: Shown(fields={"session": s.session.token, COOKIE: s.session.token}),
    "session under the name without prefix": lambda s: Shown(cookie(s.session.token, "valetkey")),
    "session under the name of the form cookie": lambda s: Shown(cookie(s.session.token, f"{COOKIE}-form")),
    "session cut short": lambda s: Shown(cookie(s.session.token[:-1]), csrf=s.session.session.csrf),
    "session drawn long": lambda s: Shown(cookie(s.session.token + "A" * 300)),
    "hash of the session": lambda s: Shown(cookie(s.session.session.id_hash.hex())),
    "form token as session": lambda s: Shown(cookie(s.session.session.csrf)),
    "api token as cookie": lambda s: Shown(cookie(s.token)),
    "api token as basic": lambda s: Shown(basic(s.token, "")),
    "api token as password": lambda s: Shown(basic(_NAME, s.token)),
    "api token under another scheme": lambda s: Shown(bearer(s.token, "Token")),
    "api token in forms": lambda s: Shown(fields={"access_token": s.token, "token": s.token}),
    "api token with more behind it": lambda s: Shown(bearer(s.token + "a")),
    "api token in capitals": lambda s: Shown(bearer(s.token.upper())),
    "id of an app password": lambda s: Shown(bearer(s.ids["credential_id"])),
    "who a proxy says it is": lambda s: Shown({"X-Forwarded-User": _NAME, "Remote-User": _NAME, "X-Forwarded-For": "::1"}),
}  # fmt: skip


@pytest.mark.parametrize("make", GONE, ids=lambda make: make.__name__)
async def test_what_is_over_opens_nothing(scene: Scene, make: Callable[[Scene], Awaitable[Shown]]) -> None:
    shown = await make(scene)
    await scene.ask(scene.endpoints[0], shown)
    await scene.ask(next(one for one in scene.endpoints if one.path == "/"), shown)  # what is over is cleared away
    before = scene.rows()
    assert await scene.unlike_nobody(shown) == []
    assert changed(before, scene.rows()) == []


async def test_what_is_good_elsewhere_opens_nothing_here(scene: Scene) -> None:
    before = scene.rows()
    for name, make in MISPLACED.items():
        assert await scene.unlike_nobody(make(scene)) == [], name
    assert changed(before, scene.rows()) == []


async def test_neither_door_takes_the_key_of_the_other(scene: Scene) -> None:
    """A session that opens the portal opens nothing of the API; a token that opens the API opens no page."""
    api = [one for one in scene.endpoints if one.path.startswith(PREFIX)]
    pages = [one for one in scene.endpoints if not one.path.startswith(PREFIX)]
    assert len(api) > 40
    assert len(pages) > 100
    before = scene.rows()
    assert await scene.unlike_nobody(by_session(scene.session), api) == []
    assert await scene.unlike_nobody(Shown(bearer(scene.token)), pages) == []
    both = ("Authorization", f"Bearer {scene.token}"), ("Authorization", f"Bearer {scene.secret}")
    assert (await scene.send("GET", f"{PREFIX}/me", both[:1])).status == 200
    assert (await scene.send("GET", f"{PREFIX}/me", both)).status == 401
    assert (await scene.send("GET", f"{PREFIX}/me?access_token={scene.token}")).status == 401
    noted = {"api_token"}  # when a token was last used
    assert set(changed(before, scene.rows())) <= noted


async def test_nobody_opens_only_what_is_listed(scene: Scene) -> None:
    wrong = []
    for endpoint in scene.endpoints:
        status, location = (await scene.ask(endpoint, Shown())).kind
        if endpoint.opens is Opens.TOKEN:
            is_right = status == 401
        elif endpoint.opens in {Opens.NOTHING, Opens.SIGNING_IN}:
            is_right = status in ({200, 303, 400, 404, 422} if endpoint.is_look else {200, 400, 403, 415})
        else:
            is_right = (status, location) == (303, "/sign-in")
        if not is_right:
            wrong.append(f"{endpoint}: {status} {location}")
    assert wrong == []


async def test_what_is_listed_as_public_is_there(scene: Scene) -> None:
    assert PUBLIC.keys() <= {endpoint.path for endpoint in scene.endpoints}
    assert all(reason for reason in PUBLIC.values())


async def test_half_a_sign_in_opens_the_code_and_the_recovery_alone(scene: Scene) -> None:
    half = by_session(
        await sign_in.start(scene.house.ports, "ada@example.org", PASSWORD, address=HOME, client="Firefox")
    )
    open_to_it = {Opens.NOTHING, Opens.SIGNING_IN, Opens.HALF}
    before = scene.rows()
    wrong = []
    for endpoint in scene.endpoints:
        if endpoint.opens in open_to_it:
            continue
        kind = (await scene.ask(endpoint, half)).kind
        if endpoint.opens is Opens.TOKEN:
            is_right = kind[0] == 401
        else:
            is_right = kind == ((303, "/sign-in/code") if endpoint.is_look else (403, ""))
        if not is_right:
            wrong.append(f"{endpoint}: {kind}")
    assert wrong == []
    assert changed(before, scene.rows()) == []
    code = next(one for one in scene.endpoints if one.path == "/sign-in/code" and one.method == "GET")
    assert (await scene.ask(code, half)).status == 200  # it was a half-finished sign-in all the time


async def test_without_a_second_factor_only_looking_revoking_and_setting_up_is_open(scene: Scene) -> None:
    eve = await scene.house.person("eve@example.org", two_factor=False, role=Role.ADMIN)
    shown = by_session(await scene.house.signed_in(eve))
    before = scene.rows()
    wrong = []
    for endpoint in scene.endpoints:
        if endpoint.opens not in {Opens.FULL, Opens.TOKEN}:
            continue
        kind = (await scene.ask(endpoint, shown)).kind
        if kind != (303, "/set-up") and not (endpoint.opens is Opens.TOKEN and kind[0] == 401):
            wrong.append(f"{endpoint}: {kind}")
    assert wrong == []
    assert changed(before, scene.rows()) == []


async def test_a_whole_sign_in_opens_it_all(scene: Scene) -> None:
    """Otherwise the tests above would prove nothing."""
    shown = by_session(scene.session)
    wrong = []
    for endpoint in scene.endpoints:
        if endpoint.opens in {Opens.FULL, Opens.NO_SECOND_FACTOR} and endpoint.is_look:
            status, location = (await scene.ask(endpoint, shown)).kind
            if status != (404 if endpoint.path in NOT_NOW else 200) and location != "/account/password":
                wrong.append(f"{endpoint}: {status} {location}")
        if endpoint.opens is Opens.TOKEN and endpoint.is_look:
            status = (await scene.ask(endpoint, Shown(bearer(scene.token)))).status
            if status != 200:
                wrong.append(f"{endpoint}: {status}")
    assert wrong == []


# Bodies that are good, so that only whose it is can be what an operation refuses.
BODIES: dict[str, Any] = {
    "make_app_password": {"description": "Phone", "ready_made": "mail-app"},
    "change_app_password": {"description": "Renamed"},
    "set_account_rights": {"rights": ["read"]},
    "add_alias": {"address": "other@example.org"},
}


async def test_what_is_anothers_is_not_there(scene: Scene) -> None:
    """Whoever is signed in completely, or holds a token with all that is one's own, finds nothing of somebody else."""
    eve = await scene.house.person("eve@example.org")
    page, token = by_session(await scene.house.signed_in(eve)), await token_for(scene.house, eve)
    await scene.note_use(Shown(bearer(token.secret)))
    before, wrong = scene.rows(), []
    for endpoint in scene.endpoints:
        if "_id}" not in endpoint.path and "{name}/end" not in endpoint.path:
            continue
        body = BODIES.get(endpoint.operation.id) if endpoint.operation else None
        shown = Shown({**bearer(token.secret), "If-Match": '"x"'}) if endpoint.operation else page
        status = (await scene.ask(endpoint, shown, body=body)).status
        if status not in ({403, 404} if endpoint.operation else {404}):
            wrong.append(f"{endpoint}: {status}")
    assert wrong == []
    assert changed(before, scene.rows()) == []
    assert len(scene.house.live.sessions) == 1


async def test_a_token_does_what_it_is_for_and_nothing_else(scene: Scene) -> None:
    wrong = []
    for action in sorted(TOKEN_ACTIONS):
        shown = Shown(bearer((await token_for(scene.house, scene.ada, {action})).secret))
        await scene.note_use(shown)
        before = scene.rows()
        for endpoint in scene.endpoints:
            operation = endpoint.operation
            if operation is None or not operation.actions or (action in operation.actions and not operation.in_person):
                continue
            answered = await scene.ask(endpoint, shown)
            if answered.status != 403 or "not-permitted" not in answered.text:
                wrong.append(f"{endpoint} by {action}: {answered.status}")
        assert changed(before, scene.rows()) == []
    assert wrong == []


async def test_looking_changes_no_row(scene: Scene) -> None:
    house = scene.house
    new = await accounts.create(house.ports, OPERATOR, "new@example.org")
    invitation = (await invitations.invite(house.ports, OPERATOR, new.id)).token
    shown, machine = by_session(scene.session), Shown(bearer(scene.token))
    await scene.note_use(machine)
    before = scene.rows()
    for endpoint in scene.endpoints:
        for method in ("GET", "HEAD") if endpoint.is_look else ():
            await scene.ask(endpoint, machine if endpoint.operation else shown, method=method)
            await scene.ask(endpoint, Shown(), {**scene.ids, "token": invitation}, method=method)
    assert changed(before, scene.rows()) == []


async def test_other_methods_do_nothing(scene: Scene) -> None:
    shown = Shown({**cookie(scene.session.token), **bearer(scene.token)}, csrf=scene.session.session.csrf)
    await scene.note_use(Shown(bearer(scene.token)))
    before, wrong = scene.rows(), []
    offered: dict[str, set[str]] = {}
    for endpoint in scene.endpoints:
        offered.setdefault(endpoint.path, set()).add(endpoint.method)
    for endpoint in {one.path: one for one in scene.endpoints}.values():
        for method in METHODS:
            takes = offered[endpoint.path] | ({"HEAD"} if "GET" in offered[endpoint.path] else set())
            if method not in takes and (await scene.ask(endpoint, shown, method=method)).status != 405:
                wrong.append(f"{method} {endpoint.path}")
    assert wrong == []
    assert changed(before, scene.rows()) == []
