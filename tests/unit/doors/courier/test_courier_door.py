"""The door for Courier, asked on real sockets with a real store."""

import asyncio
import pwd
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs
from tests.doors.door_site import QUICK, DoorSite, door, open_doors, peer, person_with, replaced
from tests.verbs.site import HOME, OPERATOR, House

from valetkey.core.errors import CannotStart, Unavailable
from valetkey.core.limits import Held
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.asked.settings import Door, DoorKind
from valetkey.service import accounts, app_passwords

ALICE = "alice@example.org"
NOBODY = pwd.getpwnam("nobody")
FAIL = b"FAIL\n"


def authdaemon(folder: Path, mailbox: str = "/var/mail/{domain}/{local_part}", **changes) -> Door:
    """Give the door of a Courier that takes passwords over TLS alone, whose mailboxes belong to nobody."""
    told = {"secret": "", "tls_only": True} | changes
    socket = folder / "authdaemon"
    return door(DoorKind.AUTHDAEMON, peer(**told), path=socket, login_user="nobody", mailbox=mailbox)


def login(name: str | bytes, secret: str | bytes, service: str = "imap", client: str = f"::ffff:{HOME}") -> bytes:
    """Write a request as Courier does."""
    octets = [each.encode() if isinstance(each, str) else each for each in (service, "login", name, secret, "")]
    body = b"\n".join(octets)
    where = f"TCPREMOTEIP={client}\n".encode() if client else b""
    return where + b"AUTH %d\n%s" % (len(body), body)


async def send(site: DoorSite, octets: bytes, *, end: bool = False) -> bytes:
    """Send octets on a connection of their own and give all that is answered."""
    talk = await site.connect()
    await talk.say(octets)
    if end:
        talk.writer.write_eof()
    return await asyncio.wait_for(talk.reader.read(), 10)


async def test_an_app_password_opens_the_mailbox_and_a_wrong_one_does_not(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        _, secret = await person_with(site)
        lines = (await send(site, login("ALICE", secret))).decode().splitlines()
        folder = "/var/mail/example.org/alice"
        who = [f"UID={NOBODY.pw_uid}", f"GID={NOBODY.pw_gid}", f"HOME={folder}", f"MAILDIR={folder}"]
        assert lines == [*who, f"ADDRESS={ALICE}", "."]
        assert await send(site, login(ALICE, "wrong")) == FAIL
        assert await send(site, login("nobody@example.org", secret)) == FAIL
        assert site.samples()["valetkey_door_logins_total authdaemon imap allowed"] == 1
        assert site.samples()["valetkey_door_logins_total authdaemon imap wrong-secret"] == 2


async def test_the_clients_address_is_the_one_that_courier_tells(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        _, secret = await person_with(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
        assert (await send(site, login(ALICE, secret, client="::ffff:203.0.113.9"))).startswith(b"UID=")
        assert (await send(site, login(ALICE, secret, client="203.0.113.9"))).startswith(b"UID=")
        for elsewhere in ("::ffff:198.51.100.7", "", "203.0.113.09", "office", "2001:db8::1"):
            assert await send(site, login(ALICE, secret, client=elsewhere)) == FAIL


@pytest.mark.parametrize(
    "request_line",
    [
        b"PRE . imap alice@example.org\n",
        b"TCPREMOTEIP=::1\nPRE . login alice@example.org\n",
        b"PASSWD imap\talice@example.org\told\tnew\n",
        b"ENUMERATE\n",
    ],
)
async def test_nothing_is_told_of_who_there_is(tmp_path, request_line):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        await person_with(site)
        assert await send(site, request_line) == FAIL


async def test_mechanisms_that_show_no_password_are_refused(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        body = b"imap\ncram-md5\nPDEyMz4=\nYWxpY2U=\n"
        assert await send(site, b"AUTH %d\n%s" % (len(body), body)) == FAIL


async def test_the_service_is_the_protocol_and_others_are_refused(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        person = await site.house.person()
        only_pop3 = (await site.house.issue(person, scope=replaced([*Permission], MailProtocol.POP3))).secret.shown
        assert (await send(site, login(ALICE, only_pop3, "pop3"))).startswith(b"UID=")
        for service in ("imap", "esmtp", "courier", "webmail", "login"):
            assert await send(site, login(ALICE, only_pop3, service)) == FAIL


async def test_permissions_are_refused_whatever_is_said_of_the_peer(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path, holds=frozenset(Held))) as site:
        _, secret = await person_with(site, scope=replaced([Permission.READ]))
        assert await send(site, login(ALICE, secret)) == FAIL


async def test_revoked_disabled_and_expired_are_refused(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        person, secret = await person_with(site)
        bob, of_bob = await person_with(site, "bob@example.org")
        _, of_carol = await person_with(
            site, "carol@example.org", expires_at=site.house.clock.now() + timedelta(days=1)
        )
        assert (await send(site, login("carol", of_carol))).startswith(b"UID=")
        [credential] = await app_passwords.of_account(site.house.ports, person.actor, person.account.id)
        await app_passwords.revoke(site.house.ports, OPERATOR, credential.id, "lost")
        await accounts.disable(site.house.ports, OPERATOR, bob.account.id)
        site.house.clock.move(days=2)
        for name, gone in (("alice", secret), ("bob", of_bob), ("carol", of_carol)):
            assert await send(site, login(name, gone)) == FAIL


async def test_without_tls_nobody_passes_while_policy_demands_it(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path, tls_only=False)) as site:
        _, secret = await person_with(site)
        assert await send(site, login(ALICE, secret)) == FAIL
    house = House(tmp_path, policy=Policy(require_tls=False))
    async with open_doors(tmp_path, authdaemon(tmp_path, tls_only=False), house=house) as site:
        assert (await send(site, login(ALICE, secret))).startswith(b"UID=")


async def test_cannot_tell_ends_without_an_answer(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        _, secret = await person_with(site)

        def broken(*_: object) -> None:
            raise Unavailable("The store is away.")

        site.house.store.find_login = broken
        assert await send(site, login(ALICE, secret)) == b""


@pytest.mark.parametrize("local_part", ["../../etc", "..", "bob/maildir"])
async def test_an_address_that_would_lead_elsewhere_opens_nothing(tmp_path, local_part):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        name = f"{local_part}@example.org"
        _, secret = await person_with(site, name)
        with capture_logs() as logs:
            assert await send(site, login(name, secret)) == b""
        assert [each["address"] for each in logs if each["event"] == "mailbox_unknown"] == [name]


async def test_a_request_that_is_none_is_refused_and_one_that_ends_early_not_answered(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        _, secret = await person_with(site)
        for octets in (b"AUTH 9999\n", b"AUTH x\n", b"GET / HTTP/1.1\r\n", b"x" * 5000, b"\0\n"):
            assert await send(site, octets) == FAIL
        whole = login(ALICE, secret)
        for size in (0, 5, 20, 40, len(whole) - 1):
            assert await send(site, whole[:size], end=True) == b""
        assert "valetkey_door_logins_total authdaemon imap allowed" not in site.samples()


async def test_who_says_nothing_is_left_and_harms_nobody(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path), limits=replace(QUICK, request=0.3)) as site:
        _, secret = await person_with(site)
        silent, slow = await site.connect(), await site.connect()
        await slow.say("AUTH 40\nimap\n")
        assert (await send(site, login(ALICE, secret))).startswith(b"UID=")
        assert await silent.is_closed()
        assert await slow.is_closed()


async def test_octets_of_any_kind_open_nothing_and_break_nothing(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path), limits=replace(QUICK, failure_delay=0)) as site:
        _, secret = await person_with(site)
        for octets in (b"\0", b"\xff\xfe", secret.encode() + b"\0", b"x\ny", bytes(range(11, 256))):
            assert await send(site, login(ALICE, octets)) == FAIL
        for seed in range(30):
            assert await send(site, Random(seed).randbytes(10_000), end=True) in {b"", FAIL}
        assert (await send(site, login(ALICE, secret))).startswith(b"UID=")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"login_user": "no-such-user"}, "no system user no-such-user"),
        ({"login_user": "root"}, "must not run as root"),
        ({"mailbox": "/var/mail/{name}"}, "nothing else"),
    ],
)
async def test_a_door_that_cannot_name_mailboxes_does_not_start(tmp_path, changes, why):
    with pytest.raises(CannotStart, match=why):
        async with open_doors(tmp_path, replace(authdaemon(tmp_path), **changes)):
            pass


async def test_no_secret_is_logged(tmp_path):
    async with open_doors(tmp_path, authdaemon(tmp_path)) as site:
        _, secret = await person_with(site)
        with capture_logs() as logs:
            await send(site, login(ALICE, secret))
            await send(site, login(ALICE, "hush"))
            await send(site, login(ALICE, "hush" * 1000))
        assert secret not in repr(logs)
        assert "hush" not in repr(logs)
