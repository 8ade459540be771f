"""oauth2 and auth_policy: asked over HTTP on a real socket, with a real store."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from tests.doors.door_site import LOCALHOST, SECRET, DoorSite, door, open_doors, peer, person_with, replaced
from tests.verbs.site import House

from valetkey.core.limits import Held, Limits
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import accounts, app_passwords
from valetkey.service.ports import Actor, ActorKind

ALICE = "alice@example.org"
OPERATOR = Actor(ActorKind.OPERATOR)
FORM = {"grant_type": "password", "username": ALICE, "client_id": "mx1", "client_secret": SECRET}
PLACE = {"x-dovecot-auth-service": "imap", "x-dovecot-auth-remote": "198.51.100.7:50123"}
TRY = {
    "login": ALICE,
    "remote": "198.51.100.7",
    "protocol": "imap",
    "secured": "TLS",
    "session_id": "s",
    "app": "",
    "pwhash": "0123",
}
PASSES, FAILS = {"status": 0, "msg": ""}, {"status": -1, "msg": ""}


@asynccontextmanager
async def opened(folder: Path, house: House | None = None, **changes: Any) -> AsyncIterator[DoorSite]:
    given: dict[str, Any] = {"tls_only": True}
    async with open_doors(folder, door(DoorKind.HTTP, peer(**(given | changes))), house=house) as site:
        yield site


async def post(site: DoorSite, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"http://{LOCALHOST}:{site.port()}/dovecot/{path}", content=content, headers=headers)


async def token(site: DoorSite, password: str, place: dict[str, str] | None = None, **form: str) -> httpx.Response:
    body = urlencode(FORM | {"password": password} | form).encode()
    return await post(site, "token", body, PLACE if place is None else place)


async def policy(site: DoorSite, command: str, **facts: Any) -> Any:
    headers = {"authorization": f"Bearer {SECRET}"}
    answer = await post(site, f"policy?command={command}", json.dumps(TRY | facts).encode(), headers)
    return answer.json() if answer.status_code == 200 else answer.status_code


async def recorded(site: DoorSite, account_id: str | None) -> list[tuple[str, str | None, str]]:
    await site.house.recorder.flush()
    found = await site.house.store.read(lambda reader: reader.login_events(account_id, 50))
    return [(event.result, event.credential_id, event.network) for event in found]


async def test_a_grant_is_a_token_with_the_app_passwords_id(tmp_path):
    async with opened(tmp_path) as site:
        person, secret = await person_with(site)
        said = (await token(site, secret)).json()
        assert said["active"] == "true"
        assert said["username"] == ALICE
        ((result, app_id, network),) = await recorded(site, person.account.id)
        assert (result, app_id, network) == ("allowed", said["app_id"], "198.51.100.7")


@pytest.mark.parametrize("service_header", ["x-dovecot-auth-service", "x-dovecot-auth-protocol"])
async def test_a_refusal_is_one_that_both_versions_read(tmp_path, service_header):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site, scope=replaced([Permission.READ], MailProtocol.IMAP))
        place = {service_header: "imap", "x-dovecot-auth-remote": "2001:db8::1:993"}
        for password, more in (("wrong", {}), (secret, {}), (secret, {"username": "nobody"})):
            answer = await token(site, password, place, **more)
            assert answer.status_code == 200
            assert answer.json() == {"access_token": "-", "username": more.get("username", ALICE), "active": "false"}


async def test_what_is_not_said_opens_nothing(tmp_path):
    """Neither a protocol nor TLS is taken for granted."""
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        for place in ({}, {"x-dovecot-auth-service": "lmtp"}):
            assert (await token(site, secret, place)).json()["active"] == "false"
    (tmp_path / "b").mkdir()
    async with opened(tmp_path / "b", tls_only=False) as site:
        _, secret = await person_with(site)
        assert (await token(site, secret)).json()["active"] == "false"


async def test_who_is_no_client_gets_no_word_about_a_password(tmp_path):
    async with opened(tmp_path) as site:
        person, secret = await person_with(site)
        for wrong in ({"client_secret": "x"}, {"client_id": "mx2"}, {"client_secret": ""}):
            assert (await token(site, secret, **wrong)).status_code == 503
        assert (await token(site, secret, grant_type="client_credentials")).status_code == 400
        assert await recorded(site, person.account.id) == []


async def test_what_cannot_be_told_is_the_servers_error(tmp_path):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        site.house.store.close()
        assert (await token(site, secret)).status_code == 503
        assert await policy(site, "allow") == 503
        assert await policy(site, "report", success=False) == 503


async def test_no_token_is_active(tmp_path):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        answer = await post(site, "introspect", f"token={secret}".encode(), {})
        assert answer.json() == {"active": False}


async def test_policy_lets_pass_whose_account_lets_pass(tmp_path):
    async with opened(tmp_path) as site:
        assert await policy(site, "allow") == FAILS
        person = await site.house.person(ALICE)
        assert await policy(site, "allow") == PASSES
        assert await policy(site, "allow", secured="", tls=False) == FAILS
        assert await policy(site, "allow", secured="", tls=True) == PASSES
        assert await policy(site, "allow", protocol="lmtp") == FAILS
        await accounts.set_rights(site.house.ports, OPERATOR, person.account.id, frozenset({Permission.SEND}))
        assert await policy(site, "allow") == FAILS
        assert await policy(site, "allow", protocol="submission") == PASSES
        await accounts.disable(site.house.ports, OPERATOR, person.account.id)
        assert await policy(site, "allow", protocol="submission") == FAILS


async def test_policy_decides_on_a_named_app_password_as_always(tmp_path):
    async with opened(tmp_path) as site:
        person, _ = await person_with(site)
        key = (await site.house.issue(person)).app_password
        limited = (await site.house.issue(person, scope=replaced([Permission.READ]))).app_password
        bob = await site.house.person("bob@example.org")
        bobs = (await site.house.issue(bob)).app_password
        assert await policy(site, "allow", app=key.id) == PASSES
        assert await policy(site, "allow", app=limited.id) == FAILS  # nobody holds it
        assert await policy(site, "allow", app=bobs.id) == FAILS
        assert await policy(site, "allow", app="ap_aaaaaaaaaaaaaaaa") == FAILS
        await app_passwords.revoke(site.house.ports, person.actor, key.id, "lost")
        assert await policy(site, "allow", app=key.id) == FAILS


async def test_policy_holds_nothing_whatever_the_peer_holds_by_lua(tmp_path):
    async with opened(tmp_path, holds=frozenset(Held)) as site:
        person, _ = await person_with(site)
        reading = (await site.house.issue(person, scope=replaced([Permission.READ]))).app_password
        sending = (await site.house.issue(person, limits=Limits(messages_per_day=3))).app_password
        assert await policy(site, "allow", app=reading.id) == FAILS
        assert await policy(site, "allow", app=sending.id, protocol="submission") == FAILS
        assert await policy(site, "allow", app=sending.id) == PASSES


async def test_reports_are_kept_for_the_owner(tmp_path):
    async with opened(tmp_path) as site:
        person, _ = await person_with(site)
        key = (await site.house.issue(person)).app_password
        bob = await site.house.person("bob@example.org")
        bobs = (await site.house.issue(bob)).app_password
        assert await policy(site, "report", success=True, app=key.id) == PASSES
        await policy(site, "report", success=False, app=key.id)
        await policy(site, "report", success=True, app=bobs.id)  # of somebody else: not believed
        await policy(site, "report", success=True, policy_reject=True)
        found = await recorded(site, person.account.id)
        assert sorted(found, key=str) == sorted(
            [
                ("allowed", key.id, "198.51.100.7"),
                ("wrong-secret", None, "198.51.100.0/24"),
                ("allowed", None, "198.51.100.7"),
            ],
            key=str,
        )
        used = await app_passwords.get(site.house.ports, OPERATOR, key.id)
        assert used.last_use is not None
        assert await recorded(site, bob.account.id) == []


async def test_failures_of_a_network_slow_it_down_and_shut_nobody_out(tmp_path):
    house = House(tmp_path, throttle=ThrottleLimits(per_network=3))
    async with opened(tmp_path, house) as site:
        await site.house.person(ALICE)
        for number in range(4):
            await policy(site, "report", success=False, pwhash=str(number))
        assert (await policy(site, "allow"))["status"] > 0
        assert await policy(site, "allow", remote="203.0.113.9") == PASSES


@pytest.mark.parametrize("command", ["", "deny", "allow&command=allow"])
async def test_a_command_of_none_of_ours_is_refused(tmp_path, command):
    async with opened(tmp_path) as site:
        assert await policy(site, command) == 400


async def test_policy_needs_the_secret_of_a_peer(tmp_path):
    async with opened(tmp_path) as site:
        answer = await post(site, "policy?command=allow", json.dumps(TRY).encode(), {"authorization": "Bearer x"})
        assert answer.status_code == 401
