"""A real Dovecot, 2.3 and 2.4, asks without Lua: by its oauth2 passdb, and by auth_policy on top of passwords of its own."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.doors.door_site import SECRET, DoorSite, door, open_doors, peer, replaced
from tests.servers.asking_dovecot import NEEDS
from tests.servers.certificates import CertificateAuthority
from tests.servers.dialogue import dialogue, plain
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.dovecot24 import OWN_PASSWORDS, Dovecot24, Dovecot24Options, running_dovecot24
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.people import ALICE, BOB
from tests.servers.places import own_directory
from tests.verbs.site import OPERATOR

from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import accounts, app_passwords

pytestmark = [pytest.mark.integration, pytest.mark.needs(*NEEDS)]

AnyDovecot = Dovecot | Dovecot24
WRONG = "z NO [AUTHENTICATIONFAILED]"
LATER = "z NO [UNAVAILABLE]"

GRANT = """\
grant_url = http://127.0.0.1:{port}/dovecot/token
client_id = mx1
client_secret = {secret}
username_attribute = username
active_attribute = active
active_value = true
use_grant_password = yes
send_auth_headers = yes
timeout_msecs = 8000
pass_attrs = userdb_app_id=%{{oauth2:app_id}}
"""
TOKENS = """\
introspection_url = http://127.0.0.1:{port}/dovecot/introspect
introspection_mode = post
username_attribute = username
active_attribute = active
active_value = true
"""
GRANT_24 = """
passdb oauth2 {{
  mechanisms_filter = plain login
  oauth2 {{
    grant_url = http://127.0.0.1:{port}/dovecot/token
    client_id = mx1
    client_secret = {secret}
    introspection_mode = post
    introspection_url = http://127.0.0.1:{port}/dovecot/introspect
    username_attribute = username
    active_attribute = active
    active_value = true
    send_auth_headers = yes
  }}
}}
"""
POLICY = """
auth_policy_server_url = http://127.0.0.1:{port}/dovecot/policy
auth_policy_server_api_header = Authorization: Bearer {secret}
auth_policy_hash_nonce = a-nonce-of-this-site
auth_policy_reject_on_fail = {reject}
auth_policy_request_attributes = {attributes}
"""
ATTRIBUTES = (
    "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} protocol=%s secured=%c mech=%m "
    "session_id=%{session} device_id=%{client_id} app=%{passdb:userdb_app_id}"
)
# Dovecot 2.4 has the names in a list.
ATTRIBUTES_24 = """{
  login = %{requested_username}
  pwhash = %{hashed_password}
  remote = %{remote_ip}
  protocol = %{protocol}
  secured = %{secured}
  mech = %{mechanism}
  session_id = %{session}
  device_id = %{client_id}
  app = %{passdb:userdb_app_id | default('')}
}"""


@contextmanager
def granting(version: str, authority: CertificateAuthority, port: int, secret: str = SECRET) -> Iterator[AnyDovecot]:
    if version == "2.4":
        options = Dovecot24Options(passdbs=GRANT_24.format(port=port, secret=secret))
        with running_dovecot24(authority, options) as newer:
            yield newer
        return
    with own_directory("oauth2") as folder:
        (folder / "grant.ext").write_text(GRANT.format(port=port, secret=secret))
        (folder / "tokens.ext").write_text(TOKENS.format(port=port))
        passdbs = (
            f"passdb {{\n  driver = oauth2\n  mechanisms = plain login\n  args = {folder}/grant.ext\n}}\n"
            f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {folder}/tokens.ext\n}}\n"
            "auth_mechanisms = plain login xoauth2 oauthbearer\n"
        )
        with running_dovecot(authority, DovecotOptions(passdbs=passdbs)) as dovecot:
            yield dovecot


@contextmanager
def judged(version: str, authority: CertificateAuthority, port: int, reject: str = "yes") -> Iterator[AnyDovecot]:
    """Run a Dovecot with passwords of its own, and with auth_policy."""
    attributes = ATTRIBUTES if version == "2.3" else ATTRIBUTES_24
    lines = POLICY.format(port=port, secret=SECRET, reject=reject, attributes=attributes)
    if version == "2.4":
        lines = lines.replace("auth_policy_request_attributes = {", "auth_policy_request_attributes {")
        with running_dovecot24(authority, Dovecot24Options(passdbs=OWN_PASSWORDS, extra=lines)) as newer:
            yield newer
    else:
        with running_dovecot(authority, DovecotOptions(extra=lines)) as dovecot:
            yield dovecot


@pytest.fixture(params=["2.3", "2.4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[DoorSite]:
    async with open_doors(tmp_path, door(DoorKind.HTTP, peer(tls_only=True))) as opened:
        yield opened


def log_in(dovecot: AnyDovecot, secret: str, name: str = ALICE.address) -> str:
    with dialogue(dovecot.ports.imap) as talk:
        talk.line()
        return talk.imap("z", f"AUTHENTICATE PLAIN {plain(name, secret)}")[-1]


async def beside(call: Callable[..., str], *arguments: str | AnyDovecot) -> str:
    """Call what blocks in a thread, while the doors answer in this one."""
    return await asyncio.to_thread(call, *arguments)


async def results(site: DoorSite) -> list[str]:
    """Give the results of all logins that were recorded."""
    await site.house.recorder.flush()
    account = await accounts.find(site.house.ports, OPERATOR, ALICE.address)
    events = await site.house.store.read(lambda reader: reader.login_events(account.id, 50))
    return [event.result for event in events for _ in range(event.count)]


async def test_a_password_grant_lets_in_whom_the_one_decision_lets_in(
    site: DoorSite, authority: CertificateAuthority, version: str
) -> None:
    house = site.house
    alice = await house.person(ALICE.address)
    wide = await house.issue(alice)
    revoked = await house.issue(alice)
    await app_passwords.revoke(house.ports, OPERATOR, revoked.app_password.id, "a test")
    limited = await house.issue(alice, scope=replaced([Permission.READ], MailProtocol.IMAP))
    with granting(version, authority, site.port()) as dovecot:
        assert (await beside(log_in, dovecot, wide.secret.shown)).startswith("z OK")
        assert (await beside(log_in, dovecot, "wrong")).startswith(WRONG)
        assert (await beside(log_in, dovecot, 'pässwörd & = + % "\\')).startswith(WRONG)
        assert (await beside(log_in, dovecot, wide.secret.shown, BOB.address)).startswith(WRONG)
        assert (await beside(log_in, dovecot, revoked.secret.shown)).startswith(WRONG)
        # Its session could be held to nothing.
        assert (await beside(log_in, dovecot, limited.secret.shown)).startswith(WRONG)
        house.store.close()
        assert (await beside(log_in, dovecot, wide.secret.shown)).startswith(LATER)


async def test_a_wrong_client_secret_is_no_wrong_password(
    site: DoorSite, authority: CertificateAuthority, version: str
) -> None:
    alice = await site.house.person(ALICE.address)
    key = await site.house.issue(alice)
    with granting(version, authority, site.port(), "another secret") as dovecot:
        assert (await beside(log_in, dovecot, key.secret.shown)).startswith(LATER)


async def test_an_app_password_is_no_token(site: DoorSite, authority: CertificateAuthority) -> None:
    """2.3 asks a passdb about tokens; the answer has the right shape, and opens nothing."""
    alice = await site.house.person(ALICE.address)
    key = await site.house.issue(alice)

    def bearer(dovecot: AnyDovecot) -> str:
        token = f"user={ALICE.address}\1auth=Bearer {key.secret.shown}\1\1"
        with dialogue(dovecot.ports.imap) as talk:
            talk.line()
            talk.ask(f"z AUTHENTICATE XOAUTH2 {base64.b64encode(token.encode()).decode()}", r"\+|z ")
            return talk.ask("", "z ")[-1]

    with granting("2.3", authority, site.port()) as dovecot:
        assert (await beside(bearer, dovecot)).startswith(WRONG)


async def test_policy_stands_on_top_of_passwords_of_dovecots_own(
    site: DoorSite, authority: CertificateAuthority, version: str
) -> None:
    """Who has no account, or a disabled one, does not come in with the right password; failures are recorded."""
    house = site.house
    with judged(version, authority, site.port()) as dovecot:
        assert (await beside(log_in, dovecot, ALICE.password)).startswith(WRONG)
        alice = await house.person(ALICE.address)
        assert (await beside(log_in, dovecot, ALICE.password)).startswith("z OK")
        assert (await beside(log_in, dovecot, "wrong")).startswith(WRONG)
        await accounts.disable(house.ports, OPERATOR, alice.account.id)
        assert (await beside(log_in, dovecot, ALICE.password)).startswith(WRONG)
    await asyncio.sleep(0)
    assert sorted(await results(site)) == ["allowed", "wrong-secret"]


async def test_policy_that_cannot_tell_leaves_it_to_the_administrator(
    site: DoorSite, authority: CertificateAuthority, version: str
) -> None:
    """auth_policy_reject_on_fail says what holds while Valetkey is down."""
    await site.house.person(ALICE.address)
    site.house.store.close()
    for reject, answer in (("yes", "z NO"), ("no", "z OK")):
        with judged(version, authority, site.port(), reject) as dovecot:
            assert (await beside(log_in, dovecot, ALICE.password)).startswith(answer)


async def test_policy_knows_the_app_password_that_dovecots_own_database_names(
    site: DoorSite, authority: CertificateAuthority, version: str
) -> None:
    """An app password kept in Dovecot's file ends when it ends here, and its owner sees its use."""
    house = site.house
    alice = await house.person(ALICE.address)
    key = (await house.issue(alice)).app_password
    line = f"{ALICE.address}:{{PLAIN}}kept::::::userdb_app_id={key.id}\n"
    with judged(version, authority, site.port()) as dovecot:
        if isinstance(dovecot, Dovecot24):
            dovecot.place.write("/etc/dovecot/users", line)
        else:
            (dovecot.directory / "users").write_text(line)
        assert (await beside(log_in, dovecot, "kept")).startswith("z OK")
        # Dovecot lets the client in first, and reports then.
        async with asyncio.timeout(10):
            while (used := await app_passwords.get(house.ports, OPERATOR, key.id)).last_use is None:
                await house.recorder.flush()
                await asyncio.sleep(0.05)
        assert used.last_use.protocol is MailProtocol.IMAP
        await app_passwords.revoke(house.ports, OPERATOR, key.id, "a test")
        assert (await beside(log_in, dovecot, "kept")).startswith(WRONG)
