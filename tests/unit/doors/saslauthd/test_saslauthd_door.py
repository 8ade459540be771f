"""The door for what asks saslauthd, asked on real sockets with a real store."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs
from tests.doors.door_site import QUICK, DoorSite, door, open_doors, peer, person_with, replaced
from tests.verbs.site import OPERATOR, House

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Held, Limits
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import Door, DoorKind
from valetkey.service import accounts, app_passwords

ALICE = "alice@example.org"
OK, NO = b"\0\2OK", b"\0\2NO"
A_DAY = timedelta(days=1)


def mux(folder: Path, **changes) -> Door:
    """Give the door of a server that takes passwords over TLS alone."""
    told = {"secret": "", "tls_only": True} | changes
    return door(DoorKind.SASLAUTHD, peer(**told), path=folder / "mux")


def counted(*strings: str | bytes) -> bytes:
    octets = [each.encode() if isinstance(each, str) else each for each in strings]
    return b"".join(len(each).to_bytes(2) + each for each in octets)


async def send(site: DoorSite, octets: bytes, *, end: bool = False) -> bytes:
    """Send octets on a connection of their own and give all that is answered."""
    talk = await site.connect()
    await talk.say(octets)
    if end:
        talk.writer.write_eof()
    return await asyncio.wait_for(talk.reader.read(), 10)


async def ask(site: DoorSite, secret: str, service: str = "imap", name: str = ALICE, realm: str = "") -> bytes:
    return await send(site, counted(name, secret, service, realm))


async def test_an_app_password_opens_and_a_wrong_one_does_not(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        assert await ask(site, secret) == OK
        assert await ask(site, "wrong") == NO
        assert await ask(site, secret, name="nobody@example.org") == NO
        assert site.samples()["valetkey_door_logins_total saslauthd imap allowed"] == 1
        assert site.samples()["valetkey_door_logins_total saslauthd imap wrong-secret"] == 2


@pytest.mark.parametrize(
    ("name", "realm", "answer"),
    [
        ("alice", "example.org", OK),
        ("alice", "", OK),  # the default domain
        ("Alice", "EXAMPLE.org", OK),
        ("alice", "example.net", NO),
        (ALICE, "example.org", NO),
        ("", "example.org", NO),
        ("", "", NO),
        ("alice\0", "example.org", NO),
        ("alice", "example.org\0", NO),
        ("al\nice", "example.org", NO),
        (b"\xff", "example.org", NO),
    ],
)
async def test_the_realm_is_the_names_domain(tmp_path, name, realm, answer):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        assert await ask(site, secret, name=name, realm=realm) == answer


async def test_a_name_is_read_in_utf_8_alone_because_the_server_goes_on_with_its_octets(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site, "jürgen@example.org")
        assert await ask(site, secret, name="jürgen@example.org") == OK
        assert await ask(site, secret, name="jürgen@example.org".encode("latin-1")) == NO


async def test_an_alias_opens_nothing_because_the_server_would_open_a_mailbox_of_that_name(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        person, secret = await person_with(site)
        await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, "sales@example.org")
        assert await ask(site, secret, name="sales@example.org") == NO
        assert await ask(site, secret) == OK


@pytest.mark.parametrize(
    ("service", "protocol"),
    [
        ("imap", MailProtocol.IMAP),
        ("pop", MailProtocol.POP3),
        ("pop3", MailProtocol.POP3),
        ("sieve", MailProtocol.SIEVE),
        ("smtp", MailProtocol.SMTP),
    ],
)
async def test_the_service_is_the_protocol(tmp_path, service, protocol):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        person = await site.house.person("bob@example.org")
        others = replaced([*Permission], *(each for each in MailProtocol if each is not protocol))
        elsewhere = (await site.house.issue(person, scope=others)).secret.shown
        assert await ask(site, secret, service) == OK
        assert b"NO This app password may not be used for" in await ask(site, elsewhere, service, "bob@example.org")


@pytest.mark.parametrize("service", ["http", "nntp", "mupdate", "lmtp", "csync", "login", "", "imap\0", "\xff"])
async def test_what_is_no_mail_protocol_of_ours_is_refused(tmp_path, service):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        assert await ask(site, secret, service) == NO


async def test_a_program_without_a_name_for_it_logs_in_to_the_doors_protocol(tmp_path):
    async with open_doors(tmp_path, replace(mux(tmp_path), protocol=MailProtocol.SMTP)) as site:
        _, secret = await person_with(site)
        assert await ask(site, secret, "") == OK
        assert await ask(site, secret, "http") == NO
        assert site.samples()["valetkey_door_logins_total saslauthd smtp allowed"] == 1


async def test_a_server_that_may_take_passwords_in_the_clear_is_refused_while_policy_demands_tls(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path, tls_only=False)) as site:
        _, secret = await person_with(site)
        assert b"NO Logins are accepted only over TLS" in await ask(site, secret)
        assert await ask(site, "wrong") == NO


async def test_a_policy_without_tls_lets_it_pass(tmp_path):
    house = House(tmp_path, policy=Policy(require_tls=False))
    async with open_doors(tmp_path, mux(tmp_path, tls_only=False), house=house) as site:
        _, secret = await person_with(site)
        assert await ask(site, secret) == OK


async def test_what_is_bound_to_a_network_is_refused_because_no_address_is_told(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
        with capture_logs() as logs:
            assert b"NO This app password may not be used from this network" in await ask(site, secret)
        [entry] = [each for each in logs if each["event"] == "login"]
        assert (entry["address"], entry["result"]) == ("unknown", "network")


async def test_revoked_and_disabled_are_answered_like_wrong(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        person, secret = await person_with(site)
        ports = site.house.ports
        bob, of_bob = await person_with(site, "bob@example.org")
        [credential] = await app_passwords.of_account(ports, person.actor, person.account.id)
        await app_passwords.revoke(ports, OPERATOR, credential.id, "lost")
        await accounts.disable(ports, OPERATOR, bob.account.id)
        assert await ask(site, secret) == NO
        assert await ask(site, of_bob, name="bob@example.org") == NO


async def test_why_is_told_to_who_has_proven_the_secret(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site, expires_at=site.house.clock.now() + A_DAY)
        assert await ask(site, secret) == OK
        site.house.clock.move(days=2)
        assert b"NO This app password has expired" in await ask(site, secret)
        assert await ask(site, "wrong") == NO


@pytest.mark.parametrize("holds", [frozenset(), frozenset(Held)])
async def test_limits_are_refused_whatever_is_said_of_the_peer(tmp_path, holds):
    """Nobody can say to the server which app password it was, so that it could hold the session to it."""
    async with open_doors(tmp_path, mux(tmp_path, holds=holds)) as site:
        _, limited = await person_with(site, limits=Limits(messages_per_day=5))
        _, reading = await person_with(site, "bob@example.org", scope=replaced([Permission.READ]))
        assert b"NO This mail server cannot hold this app password" in await ask(site, limited, "smtp")
        assert b"NO This mail server cannot hold this app password" in await ask(site, reading, name="bob")


async def test_a_main_password_with_its_code_opens_where_policy_says_so(tmp_path):
    house = House(tmp_path, policy=Policy(password_with_code=True))
    async with open_doors(tmp_path, mux(tmp_path), house=house) as site:
        person = await house.person()
        assert await ask(site, person.password) == NO
        assert await ask(site, person.password + house.code(person.seed)) == OK


async def test_cannot_tell_ends_without_an_answer(tmp_path):
    """There is no word for it; the server's log then says that reading failed, not that the password was wrong."""
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        site.break_store(Unavailable("The store is away."), once=True)
        assert await ask(site, secret) == b""
        assert await ask(site, "wrong") == NO
        assert site.samples()["valetkey_door_logins_total saslauthd imap cannot-tell"] == 1


async def test_a_decision_that_takes_too_long_ends_without_an_answer(tmp_path, monkeypatch):
    async with open_doors(tmp_path, mux(tmp_path), limits=replace(QUICK, answer=0.1)) as site:
        monkeypatch.setattr("valetkey.doors.asked.attempts.check", lambda *_: asyncio.sleep(30))
        with capture_logs() as logs:
            assert await ask(site, "secret") == b""
        assert [each["why"] for each in logs if each["event"] == "login_undecided"] == ["it took too long"]


async def test_after_too_many_failures_only_a_right_password_is_answered(tmp_path):
    house = House(tmp_path, throttle=ThrottleLimits(per_network=2))
    async with open_doors(tmp_path, mux(tmp_path), house=house) as site:
        _, secret = await person_with(site)
        assert [await ask(site, f"wrong {number}") for number in range(3)] == [NO, NO, b""]
        assert await ask(site, secret) == OK


async def test_a_refusal_waits_and_an_answer_does_not(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path), limits=replace(QUICK, failure_delay=0.4)) as site:
        _, secret = await person_with(site)
        clock = asyncio.get_running_loop().time
        began = clock()
        assert await ask(site, secret) == OK
        assert clock() - began < 0.4
        for name in (ALICE, "nobody@example.org", ""):
            began = clock()
            assert await ask(site, "wrong", name=name) == NO
            assert clock() - began >= 0.4


async def test_octets_of_any_kind_are_a_wrong_password(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path), limits=replace(QUICK, failure_delay=0)) as site:
        _, secret = await person_with(site)
        for octets in (b"\0", secret.encode() + b"\0", b"\xff\xfe", b"\r\n.\r\n", bytes(range(256))):
            assert await send(site, counted(ALICE, octets, "imap", "")) == NO


async def test_what_is_too_long_is_refused_at_its_count(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        assert await send(site, b"\xff\xff") == NO
        assert await send(site, counted("a" * 513)) == NO
        assert await send(site, counted(ALICE, "x" * 60_000, "imap", "")) == NO


async def test_a_question_that_ends_early_is_not_answered(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        whole = counted(ALICE, secret, "imap", "")
        for size in (0, 1, 2, 9, len(whole) - 1):
            assert await send(site, whole[:size], end=True) == b""
        assert "valetkey_door_logins_total saslauthd imap allowed" not in site.samples()


async def test_who_says_nothing_or_too_little_is_left_and_harms_nobody(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path), limits=replace(QUICK, request=0.3)) as site:
        _, secret = await person_with(site)
        silent, slow = await site.connect(), await site.connect()
        await slow.say(b"\0")
        assert await ask(site, secret) == OK
        assert await silent.is_closed()
        assert await slow.is_closed()


async def test_a_trickle_does_not_move_the_deadline(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path), limits=replace(QUICK, request=0.4)) as site:
        talk = await site.connect()

        async def trickle() -> None:
            for octet in counted("a" * 500):
                await talk.say(bytes([octet]))
                await asyncio.sleep(0.05)

        drops = asyncio.create_task(trickle())
        assert await talk.is_closed(within=2)
        drops.cancel()
        await asyncio.gather(drops, return_exceptions=True)


async def test_one_connection_asks_once(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        question = counted(ALICE, secret, "imap", "")
        assert await send(site, question + question) == OK


async def test_many_ask_at_once(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        answers = await asyncio.gather(*(ask(site, secret if n % 2 else "wrong") for n in range(60)))
        assert answers == [NO, OK] * 30


async def test_ten_thousand_random_octets_open_nothing_and_break_nothing(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path), limits=replace(QUICK, failure_delay=0)) as site:
        _, secret = await person_with(site)
        for seed in range(30):
            assert await send(site, Random(seed).randbytes(10_000), end=True) in {b"", NO}
        assert await ask(site, secret) == OK


async def test_no_secret_is_logged(tmp_path):
    async with open_doors(tmp_path, mux(tmp_path)) as site:
        _, secret = await person_with(site)
        with capture_logs() as logs:
            assert await ask(site, secret) == OK
            assert await ask(site, "a wrong secret") == NO
            await send(site, counted(ALICE, "a secret too long" * 100, "imap", ""))
        assert secret not in repr(logs)
        assert "secret" not in repr([{**each, "result": ""} for each in logs])
