"""What the Lua script is answered: asked over HTTP on a real socket, with a real store."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.doors.door_site import LOCALHOST, SECRET, DoorSite, door, open_doors, peer, person_with, replaced
from tests.verbs.site import OPERATOR

from valetkey.core.limits import Held, Limits
from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import accounts, app_passwords

ALICE = "alice@example.org"
HERE = {
    "dovecot": "2.3",
    "user": ALICE,
    "service": "imap",
    "mechanism": "PLAIN",
    "remote_ip": "198.51.100.7",
    "remote_port": "50123",
    "local_ip": "192.0.2.1",
    "local_port": "993",
    "secured": "TLS",
    "session": "abcd",
    "vouched": False,
}
THROUGH_SASL = {"service": "smtp", "session": None, "remote_port": "0", "local_port": "0"}
WRONG = {"result": "wrong"}


@asynccontextmanager
async def opened(folder: Path, **changes: Any) -> AsyncIterator[DoorSite]:
    given: dict[str, Any] = {"holds": frozenset({Held.PERMISSIONS, Held.FOLDERS, Held.RECIPIENTS})}
    async with open_doors(folder, door(DoorKind.HTTP, peer(**(given | changes)))) as site:
        yield site


async def post(site: DoorSite, path: str, content: bytes, *, secret: str = SECRET, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        url = f"http://{LOCALHOST}:{site.port()}/dovecot/{path}"
        return await client.post(url, content=content, headers={"Authorization": f"Bearer {secret}"} | headers)


async def asked(site: DoorSite, password: str | None, **facts: Any) -> dict[str, Any]:
    said = HERE | {"password": password} | facts
    answer = await post(site, "auth", json.dumps(said).encode())
    assert answer.status_code == 200
    return answer.json()


async def events(site: DoorSite) -> list[str]:
    await site.house.recorder.flush()
    found = await site.house.store.read(lambda reader: reader.login_events(None, 50))
    return [event.result for event in found]


async def test_a_login_is_answered_with_what_dovecot_knows_it_by(tmp_path):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        old = await asked(site, secret)
        new = await asked(site, secret, dovecot="2.4")
        app_id = old["fields"]["userdb_app_id"]
        assert app_id.startswith("ap_")
        assert old == {"result": "ok", "fields": {"userdb_app_id": app_id}}
        assert new == {"result": "ok", "fields": {"user_app": app_id, "userdb_user_app": app_id}}


async def test_nothing_is_told_before_the_secret_is_proven(tmp_path):
    async with opened(tmp_path) as site:
        person, secret = await person_with(site)
        revoked = await site.house.issue(person)
        await app_passwords.revoke(site.house.ports, person.actor, revoked.app_password.id, "lost")
        for password, name in (
            (secret, "nobody@example.org"),
            ("wrong", ALICE),
            (revoked.secret.shown, ALICE),
            ("", ""),
        ):
            assert await asked(site, password, user=name) == WRONG


async def test_a_proven_secret_is_told_only_through_dovecots_own_processes(tmp_path):
    """Postfix takes "nologin" for a login: it gets a plain no, also if it calls itself by another service's name."""
    async with opened(tmp_path) as site:
        _, secret = await person_with(site, scope=replaced([Permission.READ], MailProtocol.IMAP))
        told = await asked(site, secret, service="submission")
        assert told["result"] == "told"
        assert told["reason"].startswith("This app password may not be used for sending mail")
        for facts in (THROUGH_SASL, THROUGH_SASL | {"service": "submission"}, {"service": "smtp"}, {"session": None}):
            assert await asked(site, secret, **({"service": "submission"} | facts)) == WRONG


async def test_expired_and_not_now_have_results_of_their_own(tmp_path):
    async with opened(tmp_path) as site:
        end = site.house.clock.now() + timedelta(hours=1)
        _, secret = await person_with(site, expires_at=end)
        site.house.clock.move(hours=2)
        assert await asked(site, secret) == {"result": "expired"}
        site.house.store.close()
        assert await asked(site, secret) == {"result": "later"}


@pytest.mark.parametrize("service", ["lmtp", "doveadm", "", None, "IMAP\t", "xmpp"])
async def test_a_service_that_is_none_of_ours_is_refused(tmp_path, service):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        assert await asked(site, secret, service=service) == WRONG


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "oauthbearer"])
async def test_an_app_password_is_no_token(tmp_path, mechanism):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        assert await asked(site, secret, mechanism=mechanism) == WRONG


async def test_sending_through_sasl_is_known_by_its_name(tmp_path):
    """And is held where the name is told: there, and not where another service is named."""
    async with opened(tmp_path, holds=frozenset({Held.SENDING})) as site:
        _, secret = await person_with(site, limits=Limits(senders=(ALICE,)))
        said = await asked(site, secret, **THROUGH_SASL)
        assert said["result"] == "ok"
        assert said["fields"]["user"].startswith(f"{ALICE}/app:ap_")
        assert await asked(site, secret, **(THROUGH_SASL | {"service": "submission"})) == WRONG
        assert (await asked(site, secret, service="submission"))["result"] == "told"


async def test_dovecots_submission_is_given_the_number_of_recipients(tmp_path):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site, limits=Limits(recipients_per_message=3))
        said = await asked(site, secret, service="submission")
        assert said["fields"]["userdb_submission_max_recipients"] == "3"
        assert await asked(site, secret, **THROUGH_SASL) == WRONG


async def test_a_limited_session_is_held_or_refused(tmp_path):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site, scope=replaced([Permission.READ], MailProtocol.IMAP))
        old, new = await asked(site, secret), await asked(site, secret, dovecot="2.4")
        assert old["rights"]["text"] == '"*" anyone lr\n'
        assert old["fields"]["userdb_acl_globals_only"] == "yes"
        assert new["fields"]["userdb_acl/anyone/rights"] == "lr"
        assert "rights" not in new
    (tmp_path / "other").mkdir()
    async with opened(tmp_path / "other", holds=frozenset()) as site:
        _, secret = await person_with(site, scope=replaced([Permission.READ], MailProtocol.IMAP))
        assert (await asked(site, secret))["reason"].startswith("This mail server cannot hold this app password")


@pytest.mark.parametrize("separator", ["", None])
async def test_without_a_separator_levels_stay_levels(tmp_path, separator):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site, limits=Limits(folders=("Archive/*",)))
        said = await asked(site, secret, separator=separator)
        assert '"Archive/*" anyone' in said["rights"]["text"]


async def test_who_is_given_no_fields_holds_nothing(tmp_path):
    """A program that asks through Dovecot's sockets is told the name at most, so no list of rights reaches it."""
    async with opened(tmp_path) as site:
        person, reading = await person_with(site, scope=replaced([Permission.READ], MailProtocol.IMAP))
        folders = (await site.house.issue(person, limits=Limits(folders=("Archive",)))).secret.shown
        usual = (await site.house.issue(person)).secret.shown
        for facts in (THROUGH_SASL, {"session": None}, {"remote_port": "0"}, {"session": "abcd", "service": "imaps"}):
            said = {"service": "imap"} | {key: value for key, value in facts.items() if value != "smtp"}
            assert await asked(site, reading, **said) == WRONG, facts
            assert await asked(site, folders, **said) == WRONG, facts
            assert await asked(site, usual, **said) == {"result": "ok", "fields": {}}, facts


async def test_an_alias_opens_no_mailbox_of_that_name(tmp_path):
    """Dovecot goes on with the name as it was typed; Postfix is told the account's own."""
    async with opened(tmp_path) as site:
        person, secret = await person_with(site)
        await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, "sales@example.org")
        assert await asked(site, secret, user="sales@example.org") == WRONG
        assert (await asked(site, secret, user="ALICE@Example.org"))["result"] == "ok"
        said = await asked(site, secret, user="sales@example.org", **THROUGH_SASL)
        assert said["fields"]["user"].startswith(f"{ALICE}/app:")


async def test_our_gateways_master_user_is_confirmed_for_what_the_gateway_let_in(tmp_path):
    async with opened(tmp_path, master_user="gateway") as site:
        person, _ = await person_with(site)
        key = (await site.house.issue(person, scope=replaced([Permission.READ], MailProtocol.IMAP))).app_password
        master = {"vouched": True, "master_user": "gateway", "app_password": key.id, "secured": "", "session": "gw-1"}
        said = await asked(site, None, **master)
        assert said == {"result": "ok", "fields": {"userdb_app_id": key.id}}  # the gateway holds it
        for change in (
            {"master_user": "root"},
            {"master_user": None},
            {"vouched": False},
            {"app_password": None},
            {"app_password": "ap_aaaaaaaaaaaaaaaa"},
            {"user": "nobody@example.org"},
        ):
            assert (await asked(site, "the master's password", **(master | change)))["result"] == "wrong"
        await app_passwords.revoke(site.house.ports, person.actor, key.id, "lost")
        assert await asked(site, None, **master) == WRONG


async def test_nobody_vouches_where_no_master_user_is_ours(tmp_path):
    async with opened(tmp_path) as site:
        person, _ = await person_with(site)
        key = (await site.house.issue(person)).app_password
        for master in ("", "gateway", None):
            said = await asked(site, None, vouched=True, master_user=master, app_password=key.id)
            assert said == WRONG


async def test_the_client_is_told_to_its_owner(tmp_path):
    async with opened(tmp_path) as site:
        person, secret = await person_with(site)
        await asked(site, secret, client_id='"name" "Mail \\"x\\"" "version" NIL "os" "Y"')
        await site.house.recorder.flush()
        (found,) = await site.house.store.read(lambda reader: reader.login_events(person.account.id, 9))
        assert found.client.startswith("Mail ")
        assert found.network == "198.51.100.7"


@pytest.mark.parametrize(
    ("facts", "passes"),
    [
        ({"secured": "TLS"}, True),
        ({"secured": "tls"}, True),
        ({"secured": ""}, False),
        ({"secured": None}, False),
        ({"secured": "secured"}, False),
        ({"secured": "secured", "remote_ip": "127.0.0.1", "real_remote_ip": "127.0.0.1"}, True),
        ({"secured": "secured", "remote_ip": "192.0.2.1"}, True),
        ({"secured": "secured", "remote_ip": "127.0.0.1", "real_remote_ip": "203.0.113.9"}, False),
        ({"secured": "secured", "remote_ip": "not an address"}, False),
    ],
)
async def test_only_tls_and_the_own_machine_are_without_a_wire(tmp_path, facts, passes):
    """What comes over a network that Dovecot is told to trust is read on the way all the same."""
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        assert ((await asked(site, secret, **facts))["result"] == "ok") is passes


async def test_a_wrong_secret_of_the_server_asks_nothing(tmp_path):
    async with opened(tmp_path) as site:
        _, secret = await person_with(site)
        body = json.dumps(HERE | {"password": secret}).encode()
        for given in ("wrong", SECRET + "x"):
            assert (await post(site, "auth", body, secret=given)).status_code == 401
        assert await events(site) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b'{"user": 1}', b'{"user": {}}', b'{"user": ["a"]}', b"[" * 30_000,
     b'{"user": "\\ud800"}', b"{" + b",".join(b'"%d": "x"' % n for n in range(100)) + b"}"],
)  # fmt: skip
async def test_a_body_that_is_none_is_refused_with_a_word(tmp_path, body):
    async with opened(tmp_path) as site:
        answer = await post(site, "auth", body)
        assert answer.status_code == 400
        assert answer.json()["error"]


async def test_paths_and_methods_are_few(tmp_path):
    async with opened(tmp_path) as site, httpx.AsyncClient() as client:
        url = f"http://{LOCALHOST}:{site.port()}/dovecot"
        assert (await client.get(f"{url}/auth")).status_code == 405
        assert (await client.post(f"{url}/other")).status_code == 404
        assert (await client.post(f"{url}/auth/")).status_code == 404
        assert (await client.post(url)).status_code == 404
