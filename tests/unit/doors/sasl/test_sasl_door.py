"""The door for Postfix and Exim, asked on real sockets with a real store."""

import asyncio
import base64
import errno
import grp
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.doors.door_site import QUICK, DoorSite, door, open_doors, peer, person_with, replaced
from tests.doors.gateway_site import Talk
from tests.verbs.site import House

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Held, Limits
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import app_passwords

ALICE = "alice@example.org"
FACTS = "service=smtp\tnologin\tlip=127.0.0.1\trip=198.51.100.7\tsecured"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(secret: str, name: str = ALICE, acting_for: str = "") -> str:
    return b64(f"{acting_for}\0{name}\0{secret}")


async def greeted(site: DoorSite, number: int = 0) -> Talk:
    """Connect, read the handshake and introduce ourselves as Postfix does."""
    talk = await site.connect(number)
    assert await talk.line() == "VERSION\t1\t2\n"
    await talk.until("DONE")
    await talk.say("VERSION\t1\t0\nCPID\t4711\n")
    return talk


async def ask(talk: Talk, number: int, response: str, facts: str = FACTS, mechanism: str = "PLAIN") -> str:
    await talk.say(f"AUTH\t{number}\t{mechanism}\t{facts}\tresp={response}\n")
    return await talk.line()


def sasl(**changes):
    return door(DoorKind.SASL, peer(secret="", **changes))


async def test_the_whole_handshake_comes_at_once(tmp_path):
    """Exim says nothing before its end."""
    async with open_doors(tmp_path, sasl()) as site:
        talk = await site.connect()
        lines = [await talk.line()]
        while lines[-1] != "DONE\n":
            lines.append(await talk.line())
        names = [line.split("\t")[0].strip() for line in lines]
        assert names == ["VERSION", "MECH", "MECH", "SPID", "CUID", "COOKIE", "DONE"]
        assert len(lines[-2].split("\t")[1].strip()) == 32


async def test_an_app_password_opens_and_names_itself(tmp_path):
    async with open_doors(tmp_path, sasl()) as site:
        person, secret = await person_with(site)
        credential = (await app_passwords.of_account(site.house.ports, person.actor, person.account.id))[0]
        talk = await greeted(site)
        assert await ask(talk, 1, plain(secret)) == f"OK\t1\tuser={ALICE}/app:{credential.id}\n"
        assert site.samples()["valetkey_door_logins_total sasl smtp allowed"] == 1


@pytest.mark.parametrize(
    ("service", "tag"),
    [("smtp", True), ("submission", True), ("imap", False), ("pop3", False), ("sieve", False)],
)
async def test_only_sending_is_told_the_app_password(tmp_path, service, tag):
    """Where a mailbox is opened, its name is looked up and must be the mailbox's."""
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        said = await ask(talk, 1, plain(secret), FACTS.replace("smtp", service))
        assert said.startswith(f"OK\t1\tuser={ALICE}")
        assert ("/app:ap_" in said) is tag


async def test_login_in_steps(tmp_path):
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        await talk.say(f"AUTH\t3\tLOGIN\t{FACTS}\n")
        assert await talk.line() == f"CONT\t3\t{b64('Username:')}\n"
        await talk.say(f"CONT\t3\t{b64('Alice@Example.ORG')}\n")
        assert await talk.line() == f"CONT\t3\t{b64('Password:')}\n"
        await talk.say(f"CONT\t3\t{b64(secret.upper())}\n")
        assert (await talk.line()).startswith(f"OK\t3\tuser={ALICE}/app:")


async def test_plain_asked_for(tmp_path):
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        await talk.say(f"AUTH\t3\tPLAIN\t{FACTS}\n")
        assert await talk.line() == "CONT\t3\t\n"
        await talk.say(f"CONT\t3\t{plain(secret)}\n")
        assert (await talk.line()).startswith("OK\t3\t")


async def test_a_wrong_secret_is_told_nothing(tmp_path):
    """Nobody, somebody, a revoked secret and a right one of somebody else: one answer."""
    async with open_doors(tmp_path, sasl()) as site:
        person, secret = await person_with(site)
        issued = await site.house.issue(person, "Old")
        await app_passwords.revoke(site.house.ports, person.actor, issued.app_password.id)
        talk = await greeted(site)
        wrong = "vkey-" + "-".join(["abcd"] * 6)
        assert await ask(talk, 1, plain(wrong)) == f"FAIL\t1\tuser={ALICE}\n"
        assert await ask(talk, 2, plain(issued.secret.shown)) == f"FAIL\t2\tuser={ALICE}\n"
        assert await ask(talk, 3, plain(wrong, "nobody@example.org")) == "FAIL\t3\tuser=nobody@example.org\n"
        assert await ask(talk, 4, plain(secret, "bob@example.org")) == "FAIL\t4\tuser=bob@example.org\n"


async def test_the_reason_is_told_behind_a_right_secret(tmp_path):
    async with open_doors(tmp_path, sasl()) as site:
        person, _ = await person_with(site)
        reading = await site.house.issue(person, scope=replaced([Permission.READ], MailProtocol.IMAP))
        office = await site.house.issue(person, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
        limited = await site.house.issue(person, limits=Limits(messages_per_day=3))
        talk = await greeted(site)
        told = [await ask(talk, n, plain(each.secret.shown)) for n, each in enumerate((reading, office, limited), 1)]
        assert "reason=This app password may not be used for sending mail, see https://" in told[0]
        assert "reason=This app password may not be used from this network" in told[1]
        assert "reason=This mail server cannot hold this app password to its limits" in told[2]


async def test_limits_pass_where_the_peer_holds_them(tmp_path):
    async with open_doors(tmp_path, sasl(holds=frozenset({Held.SENDING}))) as site:
        _, secret = await person_with(site, limits=Limits(messages_per_day=3))
        talk = await greeted(site)
        assert (await ask(talk, 1, plain(secret))).startswith("OK\t1\t")


async def test_tls_is_what_the_server_says(tmp_path):
    async with open_doors(tmp_path, sasl(), house=House(tmp_path, policy=Policy(require_tls=True))) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        said = await ask(talk, 1, plain(secret), FACTS.replace("\tsecured", ""))
        assert said.startswith("FAIL\t1\t") and "only over TLS" in said
        assert (await ask(talk, 2, plain(secret), FACTS.replace("\tsecured", "\tsecured=tls"))).startswith("OK\t2\t")


@pytest.mark.parametrize("address", ["", "unknown", "198.51.100.07", "300.1.1.1", "::ffff:198.51.100.7x"])
async def test_an_unknown_address_fails_every_network_rule(tmp_path, address):
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("198.51.100.0/24",))
        talk = await greeted(site)
        assert "this network" in await ask(talk, 1, plain(secret), f"service=smtp\trip={address}\tsecured")
        assert (await ask(talk, 2, plain(secret))).startswith("OK")


@pytest.mark.parametrize("service", ["", "lmtp", "xmpp", "doveadm", "smtp\x01tx"])
async def test_an_unknown_service_is_refused(tmp_path, service):
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        said = await ask(talk, 1, plain(secret), FACTS.replace("service=smtp", f"service={service}"))
        assert said == f"FAIL\t1\tuser={ALICE}\n"


async def test_nobody_acts_for_somebody_else(tmp_path):
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        assert (await ask(talk, 1, plain(secret, acting_for="bob@example.org"))).startswith("FAIL\t1\t")
        assert (await ask(talk, 2, plain(secret, acting_for=ALICE.upper()))).startswith("OK\t2\t")


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        ("XOAUTH2", "user={name}\1auth=Bearer {secret}\1\1"),
        ("OAUTHBEARER", "n,a={name},\1host=mail.example.org\1auth=Bearer {secret}\1\1"),
    ],
)
async def test_no_token_opens_and_an_app_password_is_none(tmp_path, mechanism, message):
    """The refusal takes two steps (RFC 7628 3.2.3)."""
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        said = await ask(talk, 5, b64(message.format(name=ALICE, secret=secret)), mechanism=mechanism)
        word, number, challenge = said.rstrip("\n").split("\t")
        assert (word, number) == ("CONT", "5")
        assert b'"status"' in base64.b64decode(challenge)
        await talk.say(f"CONT\t5\t{'' if mechanism == 'XOAUTH2' else b64(chr(1))}\n")
        assert await talk.line() == f"FAIL\t5\tuser={ALICE}\n"
        assert site.samples()["valetkey_door_logins_total sasl smtp wrong-secret"] == 1


async def test_bad_input_of_one_client_disturbs_no_other(tmp_path):
    """Its login fails, and the logins around it pass (CVE-2017-15132, CVE-2025-59028)."""
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        good = plain(secret)
        bad = [
            "!!!",
            "AGFs\tresp=x",
            "=====",
            "=",
            good + "=",
            "QQ",
            "A" * 60_000,
            "\x01t\x01",
            b64("\0\0"),
            b64("x"),
            "*",
        ]
        await talk.say("".join(f"AUTH\t{n}\tPLAIN\t{FACTS}\tresp={each}\n" for n, each in enumerate(bad, 100)))
        await talk.say(f"AUTH\t1\tLOGIN\t{FACTS}\nCONT\t1\tnot base64\tat all\nAUTH\t2\tPLAIN\t{FACTS}\tresp={good}\n")
        await talk.say(f"AUTH\t3\tNTLM\t{FACTS}\nAUTH\t4\tPLAIN\t{FACTS}\tresp={good}\n")
        said = {line.split("\t")[1].strip(): line for line in [await talk.line() for _ in range(len(bad) + 5)]}
        assert said["2"].startswith("OK") and said["4"].startswith("OK")
        assert [
            line for number, line in said.items() if number not in {"1", "2", "4"} and not line.startswith("FAIL")
        ] == []


async def test_logins_of_one_connection_wait_for_no_other(tmp_path):
    """A refusal comes late; what was asked behind it does not."""
    slow = replace(QUICK, failure_delay=0.5)
    async with open_doors(tmp_path, sasl(), limits=slow) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        await talk.say(
            f"AUTH\t1\tPLAIN\t{FACTS}\tresp={plain('wrong')}\nAUTH\t2\tPLAIN\t{FACTS}\tresp={plain(secret)}\n"
        )
        begun = asyncio.get_running_loop().time()
        assert (await talk.line()).startswith("OK\t2\t")
        assert (await talk.line()).startswith("FAIL\t1\t")
        assert asyncio.get_running_loop().time() - begun > 0.4


async def test_many_at_once_are_all_answered(tmp_path):
    async with open_doors(tmp_path, sasl(), limits=replace(QUICK, at_once=4)) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        answers = {f"{n}": "OK" if n % 3 else "FAIL" for n in range(1, 61)}
        secrets = {n: plain(secret if word == "OK" else "x") for n, word in answers.items()}
        await talk.say("".join(f"AUTH\t{n}\tPLAIN\t{FACTS}\tresp={each}\n" for n, each in secrets.items()))
        lines = [(await talk.line()).split("\t") for _ in answers]
        assert {line[1]: line[0] for line in lines} == answers


async def test_cannot_tell_closes_the_connection(tmp_path):
    """Postfix makes 454 of it; logins that were decided are answered before."""
    async with open_doors(tmp_path, sasl()) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        real = site.house.store.find_login

        def broken(name, indexes):
            if name == "bob@example.org":
                raise Unavailable("The store is away.")
            return real(name, indexes)

        site.house.store.find_login = broken
        await talk.say(f"AUTH\t1\tPLAIN\t{FACTS}\tresp={plain('wrong')}\n")
        await talk.say(f"AUTH\t2\tPLAIN\t{FACTS}\tresp={plain(secret, 'bob@example.org')}\n")
        assert (await talk.line()).startswith("FAIL\t1\t")
        with pytest.raises(ConnectionResetError):  # Postfix knows at once, and its next login is not lost too
            await talk.line()
        again = await greeted(site)
        assert (await ask(again, 1, plain(secret))).startswith("OK")


async def test_a_throttled_client_is_told_to_come_again(tmp_path):
    """Too many failures are no wrong password; a right one always wins."""
    house = House(tmp_path, throttle=ThrottleLimits(per_network=2))
    async with open_doors(tmp_path, sasl(), house=house) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        for number in (1, 2):
            assert (await ask(talk, number, plain(f"wrong {number}"))).startswith("FAIL")
        with pytest.raises(ConnectionResetError):
            await ask(talk, 3, plain("wrong 3"))
        again = await greeted(site)
        assert (await ask(again, 1, plain(secret))).startswith("OK")


@pytest.mark.parametrize(
    "said",
    [
        "VERSION\t2\t0\n",
        "AUTH\tx\tPLAIN\n",
        "AUTH\t-1\tPLAIN\n",
        "AUTH\t4294967296\tPLAIN\n",
        "AUTH\n",
        "CONT\n",
        "AUTH\t1\tLOGIN\tservice=smtp\nAUTH\t1\tLOGIN\tservice=smtp\n",
        "AUTH\t1\tPLAIN" + "\tx" * 100 + "\n",
        "x" * 70_000,
    ],
    ids=["version", "word", "negative", "too-high", "none", "cont", "twice", "fields", "long"],
)
async def test_a_server_that_does_not_speak_the_protocol_is_left(tmp_path, said):
    async with open_doors(tmp_path, sasl()) as site:
        talk = await greeted(site)
        await talk.say(said)
        assert await talk.is_closed()


async def test_an_unlisted_place_gets_no_word(tmp_path):
    async with open_doors(tmp_path, sasl(networks=())) as site:
        talk = await site.connect()
        assert await talk.is_closed()


async def test_a_unix_socket(tmp_path):
    path = tmp_path / "sasl"
    async with open_doors(tmp_path, door(DoorKind.SASL, peer(secret=""), path=path)) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        assert (await ask(talk, 1, plain(secret))).startswith("OK")
        assert Path(path).stat().st_mode & 0o777 == 0o600


async def test_a_line_that_never_ends_is_too_slow(tmp_path):
    async with open_doors(tmp_path, sasl(), limits=replace(QUICK, request=0.2)) as site:
        talk = await greeted(site)
        await talk.say("AUTH\t1\tPL")
        assert await talk.is_closed()


async def test_an_idle_connection_is_kept_and_then_left(tmp_path):
    async with open_doors(tmp_path, sasl(), limits=replace(QUICK, idle=4.0, request=0.5)) as site:
        _, secret = await person_with(site)
        talk = await greeted(site)
        await asyncio.sleep(1)
        assert (await ask(talk, 1, plain(secret))).startswith("OK")
        assert await talk.is_closed()


async def test_a_peer_that_takes_no_answer_is_left(tmp_path):
    """It holds up nobody but itself."""
    async with open_doors(tmp_path, sasl(), limits=replace(QUICK, send=0.3)) as site:
        _, secret = await person_with(site)
        deaf, other = await greeted(site), await greeted(site)
        deaf.reader._transport.pause_reading()
        line = f"AUTH\t1\tNTLM\t{FACTS}\n"
        for _ in range(200):
            deaf.writer.write(line.encode() * 1000)
            if deaf.writer.transport.is_closing():
                break
            await asyncio.sleep(0)
        assert (await ask(other, 1, plain(secret))).startswith("OK")
        deaf.writer.transport.abort()


async def test_a_folder_gives_its_group_to_a_unix_socket(tmp_path, monkeypatch):
    """The service may change no owner; a folder with the set-group-ID bit does it."""
    folder = tmp_path / "queue"
    folder.mkdir()
    group = next(each for each in grp.getgrall() if each.gr_gid not in {0, os.getegid()})
    os.chown(folder, -1, group.gr_gid)
    folder.chmod(0o2750)

    def forbidden(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", forbidden)
    one = door(DoorKind.SASL, peer(secret=""), path=folder / "sasl", group=group.gr_name)
    async with open_doors(tmp_path, one) as site:
        await greeted(site)
        found = (folder / "sasl").stat()
        assert (found.st_gid, found.st_mode & 0o777) == (group.gr_gid, 0o660)
