"""The door for LDAP, asked on real sockets with a real store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from random import Random

import pytest
from structlog.testing import capture_logs
from tests.doors.door_site import QUICK, SECRET, DoorSite, door, open_doors, peer, person_with
from tests.doors.ldap_client import (
    BAD_NAME,
    BASE,
    DISCONNECTED,
    NO_SASL,
    NOT_ALLOWED,
    PROTOCOL_ERROR,
    SUCCESS,
    UNAVAILABLE,
    UNWILLING,
    WRONG,
    Client,
    bind,
    equal,
    extended,
    login,
    message,
    present,
    search,
    tlv,
)
from tests.servers.certificates import CertificateAuthority
from tests.verbs.site import OPERATOR, House

from valetkey.core.errors import Unavailable
from valetkey.core.limits import EVERYTHING_HELD, Limits
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.throttle import ThrottleLimits
from valetkey.doors.asked.settings import Door, DoorKind
from valetkey.doors.ldap.tickets import LASTS
from valetkey.service import accounts, app_passwords

ALICE = "alice@example.org"
MX1 = f"cn=mx1,{BASE}"
FACTS = {"rip": "198.51.100.7", "tls": "TLS"}
A_LOGIN = login(ALICE, **FACTS)
BY_PLACE = f"uid={ALICE},service=imap,rip=198.51.100.7,tls=TLS,{BASE}"
WHO_AM_I, START_TLS = "1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.4.1.1466.20037"
A_DAY = timedelta(days=1)


def ldap(**changes) -> Door:
    return door(DoorKind.LDAP, peer(**changes))


async def connected(site: DoorSite, number: int = 0) -> Client:
    return Client(await site.connect(number))


async def proven(site: DoorSite, name: str = MX1) -> Client:
    """Connect, and bind as the mail server."""
    client = await connected(site)
    assert await client.bind(name, SECRET) == SUCCESS
    return client


async def log_in(site: DoorSite, secret: str, wanted: bytes = A_LOGIN) -> tuple[int, str]:
    """Search and bind as a mail server does; gives the result and what is told."""
    client = await proven(site)
    reply = await client.ask(bind(await client.name_for(wanted), secret))
    return reply.code, reply.text


async def test_an_app_password_opens_and_a_wrong_one_does_not(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        person, secret = await person_with(site)
        with capture_logs() as logs:
            assert await log_in(site, secret) == (SUCCESS, "")
        [entry] = [each for each in logs if each["event"] == "login"]
        assert (entry["peer"], entry["address"], entry["tls"]) == ("mx1", "198.51.100.7", True)
        assert await log_in(site, "wrong") == (WRONG, "")
        assert await log_in(site, secret, login("nobody@example.org", **FACTS)) == (WRONG, "")
        assert await log_in(site, person.password) == (WRONG, "")
        assert site.samples()["valetkey_door_logins_total ldap imap allowed"] == 1
        assert site.samples()["valetkey_door_logins_total ldap imap wrong-secret"] == 3


async def test_a_search_tells_nothing_of_who_there_is(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        await person_with(site)
        client = await proven(site)
        found = []
        for name in (ALICE, "alixx@example.org"):
            (entry,), done = await client.find(login(name, **FACTS))
            assert entry.attributes == {"uid": [name.encode()]}
            found.append((len(entry.name), done.code, done.text, entry.name.split(",")[1:4]))
        assert found[0] == found[1]


async def test_only_uid_is_given_and_only_to_who_asks_for_it(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        client = await proven(site)
        for asked, given in (
            ((), ["uid"]),
            (("*",), ["uid"]),
            (("UID", "mail"), ["uid"]),
            (("1.1",), []),
            (("mail",), []),
        ):
            (entry,), _ = await client.find(A_LOGIN, *asked)
            assert list(entry.attributes) == given


async def test_only_a_peer_searches_while_it_is_bound(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        client = await connected(site)
        assert (await client.find(A_LOGIN))[1].code == NOT_ALLOWED
        for name, password in ((MX1, "wrong"), (f"cn=mx2,{BASE}", SECRET), ("cn=MX1", SECRET), (BASE, SECRET)):
            assert await client.bind(name, password) != SUCCESS
            assert (await client.find(A_LOGIN))[1].code == NOT_ALLOWED
        assert await client.bind(MX1, SECRET) == SUCCESS
        name = await client.name_for(A_LOGIN)
        assert await client.bind(name, secret) == SUCCESS
        assert (await client.find(A_LOGIN))[1].code == NOT_ALLOWED
        assert await client.bind("", "") == SUCCESS
        assert (await client.find(A_LOGIN))[1].code == NOT_ALLOWED


async def test_what_was_found_is_good_on_another_connection_for_a_minute(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        name = await (await proven(site)).name_for(A_LOGIN)
        assert await (await connected(site)).bind(name, secret) == SUCCESS
        site.house.clock.move(seconds=LASTS)
        assert await (await connected(site)).bind(name, secret) == SUCCESS
        site.house.clock.move(seconds=1)
        assert await (await proven(site)).bind(name, secret) == UNWILLING


async def test_what_was_found_is_good_as_it_is_and_for_nobody_else(tmp_path):
    elsewhere = peer("mx2", networks=(ip_network("127.0.0.1/32"),), secret="another secret")
    async with open_doors(tmp_path, ldap(), door(DoorKind.LDAP, elsewhere)) as site:
        _, secret = await person_with(site)
        client = await proven(site)
        name = await client.name_for(A_LOGIN)
        changes = (
            ("198.51.100.7", "198.51.100.8"),
            ("alice", "bob"),
            ("imap", "smtp"),
            ("tls=TLS,", ""),
            ("ticket=", "ticket=1"),
        )
        for old, new in (*changes, (BASE, "dc=other"), (",ticket", ",session=x,ticket")):
            assert old in name
            assert await client.bind(name.replace(old, new), secret) == UNWILLING
        assert await (await connected(site, 1)).bind(name, secret) == UNWILLING
        assert await client.bind(name.replace("uid=a", r"UID=\61"), secret) == SUCCESS


async def test_a_peer_with_a_secret_has_to_prove_it(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        client = await connected(site)
        reply = await client.ask(bind(BY_PLACE, secret))
        assert reply.code == UNWILLING
        assert "prove the peer's secret" in reply.text
        assert await client.bind(MX1, SECRET) == SUCCESS
        assert await client.bind(BY_PLACE, "wrong") == WRONG
        assert await client.bind(BY_PLACE, secret) == SUCCESS


async def test_a_peer_without_one_is_believed_at_its_place_and_finds_nothing(tmp_path):
    async with open_doors(
        tmp_path, ldap(secret=""), door(DoorKind.LDAP, peer(secret=""), path=tmp_path / "ldapi")
    ) as site:
        _, secret = await person_with(site)
        for number in (0, 1):
            client = await connected(site, number)
            assert await client.bind(BY_PLACE, secret) == SUCCESS
            assert await client.bind(BY_PLACE, "wrong") == WRONG
            assert await client.bind(MX1, "x") == WRONG
            assert (await client.find(A_LOGIN))[1].code == NOT_ALLOWED


async def test_an_address_that_is_not_listed_is_not_heard(tmp_path):
    async with open_doors(tmp_path, ldap(networks=(ip_network("192.0.2.0/24"),))) as site:
        assert await (await site.connect()).is_closed()


async def test_no_password_is_nobody_and_never_a_login(tmp_path):
    async with open_doors(tmp_path, ldap(secret="")) as site:
        await person_with(site)
        client = await connected(site)
        assert await client.bind("", "") == SUCCESS
        assert await client.bind(BY_PLACE, "") == UNWILLING
        assert await client.bind(MX1, "") == UNWILLING
        assert (await client.ask(extended(WHO_AM_I))).parts[-1][1] == b""


async def test_who_am_i(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        client = await proven(site)
        assert (await client.ask(extended(WHO_AM_I))).parts[-1][1] == f"dn:{MX1}".encode()
        await client.bind(MX1, "wrong")
        assert (await client.ask(extended(WHO_AM_I))).parts[-1][1] == b""


async def test_what_is_not_spoken_here(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        client = await connected(site)
        sasl = tlv(0x60, tlv(0x02, b"\3"), tlv(0x04, ""), tlv(0xA3, tlv(0x04, "PLAIN")))
        for operation, code in (
            (bind("", "", version=2), PROTOCOL_ERROR),
            (sasl, NO_SASL),
            (extended(START_TLS), UNWILLING),
            (extended("1.2.3"), PROTOCOL_ERROR),
            (tlv(0x4A, "uid=a"), UNWILLING),
            (bind("nonsense", "x"), BAD_NAME),
            (bind('uid="a"', "x"), BAD_NAME),
            (bind("uid=a", "x"), UNWILLING),
        ):
            assert (await client.ask(operation)).code == code
        assert await client.bind(MX1, SECRET) == SUCCESS
        assert (await client.find(A_LOGIN, base="nonsense"))[1].code == BAD_NAME


async def test_a_look_up_without_a_service_is_an_error_and_no_answer(tmp_path):
    """So a map of Postfix learns nothing, and Postfix asks its clients to come again."""
    async with open_doors(tmp_path, ldap()) as site:
        await person_with(site)
        client = await proven(site)
        for wanted in (equal("mail", ALICE), equal("mail", "nobody@example.org"), present("objectClass")):
            entries, done = await client.find(wanted)
            assert (entries, done.code) == ([], UNWILLING)


async def test_everybody_may_see_what_the_server_can(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        client = await connected(site)
        (root,), done = await client.find(present("objectClass"), base="", scope=0)
        assert (root.name, done.code) == ("", SUCCESS)
        assert root.attributes["supportedLDAPVersion"] == [b"3"]
        (root,), _ = await client.find(present("objectClass"), "supportedExtension", base="", scope=0)
        assert root.attributes == {"supportedExtension": [WHO_AM_I.encode()]}
        assert (await client.find(present("objectClass"), base="", scope=2))[1].code == NOT_ALLOWED
        assert (await client.find(equal("cn", "x"), base="", scope=0))[0] == []


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", " ", "a" * 600])
async def test_what_cannot_be_a_name_is_not_found(tmp_path, name):
    async with open_doors(tmp_path, ldap()) as site:
        entries, done = await (await proven(site)).find(login(name))
        assert (entries, done.code) == ([], SUCCESS)


@pytest.mark.parametrize(
    "name", ["alice,service=smtp", "a+b", r"a\b", 'a"b', "#a", "a=b", "älice@bücher.example", b"\xff\xfe", "*", "a)(b"]
)
async def test_hostile_names_are_names_and_nothing_else(tmp_path, name):
    async with open_doors(tmp_path, ldap()) as site:
        client = await proven(site)
        (entry,), _ = await client.find(login(name, **FACTS))
        with capture_logs() as logs:
            assert await client.bind(entry.name, "wrong") == WRONG
        [found] = [each for each in logs if each["event"] == "login"]
        assert found["name"] == (name if isinstance(name, str) else "\ufffd\ufffd")
        assert (found["protocol"], found["address"]) == ("imap", "198.51.100.7")


async def test_an_alias_opens_nothing_because_the_server_would_open_a_mailbox_of_that_name(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        person, secret = await person_with(site)
        await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, "sales@example.org")
        assert await log_in(site, secret, login("sales@example.org", **FACTS)) == (WRONG, "")


async def test_a_name_is_read_in_utf_8_alone_because_the_server_goes_on_with_its_octets(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site, "jürgen@example.org")
        assert await log_in(site, secret, login("jürgen@example.org", **FACTS)) == (SUCCESS, "")
        assert await log_in(site, secret, login("jürgen@example.org".encode("latin-1"), **FACTS)) == (WRONG, "")


async def test_what_is_no_mail_protocol_of_ours_is_refused(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        for service, code in (
            ("imap", SUCCESS),
            ("smtp", SUCCESS),
            ("sieve", SUCCESS),
            ("doveadm", WRONG),
            ("http", WRONG),
        ):
            assert (await log_in(site, secret, login(ALICE, service, **FACTS)))[0] == code


async def test_why_is_told_to_who_has_proven_the_secret(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site, expires_at=site.house.clock.now() + A_DAY)
        assert await log_in(site, secret) == (SUCCESS, "")
        site.house.clock.move(days=2)
        code, text = await log_in(site, secret)
        assert code == WRONG
        assert text.startswith("This app password has expired")
        assert await log_in(site, "wrong") == (WRONG, "")


async def test_revoked_and_disabled_are_answered_like_wrong(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        person, secret = await person_with(site)
        bob, of_bob = await person_with(site, "bob@example.org")
        ports = site.house.ports
        [credential] = await app_passwords.of_account(ports, person.actor, person.account.id)
        await app_passwords.revoke(ports, OPERATOR, credential.id, "lost")
        await accounts.disable(ports, OPERATOR, bob.account.id)
        assert await log_in(site, secret) == (WRONG, "")
        assert await log_in(site, of_bob, login("bob@example.org", **FACTS)) == (WRONG, "")


async def test_networks_tls_and_limits_hold(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site, network_rule=NetworkRule.ALLOWED, allowed_ips=("192.0.2.0/24",))
        assert "may not be used from this network" in (await log_in(site, secret))[1]
        assert "may not be used from this network" in (await log_in(site, secret, login(ALICE, tls="TLS")))[1]
        assert (await log_in(site, secret, login(ALICE, rip="192.0.2.7", tls="TLS")))[0] == SUCCESS
        for facts in ({}, {"tls": ""}, {"tls": "secured"}):
            code, text = await log_in(site, secret, login(ALICE, rip="192.0.2.7", **facts))
            assert (code, text[:32]) == (WRONG, "Logins are accepted only over TLS"[:32])
        _, limited = await person_with(site, "bob@example.org", limits=Limits(messages_per_day=5))
        assert "cannot hold" in (await log_in(site, limited, login("bob@example.org", "smtp", **FACTS)))[1]


async def test_what_the_peer_is_set_up_for_counts(tmp_path):
    """Its TLS, and not what it holds: the answer does not say which app password it was."""
    async with open_doors(tmp_path, ldap(tls_only=True, holds=EVERYTHING_HELD)) as site:
        person, secret = await person_with(site)
        assert (await log_in(site, secret, login(ALICE, "smtp")))[0] == SUCCESS
        assert (await log_in(site, secret, login(ALICE, "smtp", tls="")))[0] == WRONG
        limited = await site.house.issue(person, limits=Limits(messages_per_day=5))
        assert "cannot hold" in (await log_in(site, limited.secret.shown, login(ALICE, "smtp")))[1]


async def test_cannot_tell_is_unavailable(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        break_store(site, Unavailable("The store is away."))
        code, text = await log_in(site, secret)
        assert code == UNAVAILABLE
        assert text.startswith("Logins cannot be checked right now")
        assert (await log_in(site, secret))[0] == SUCCESS


async def test_a_decision_that_takes_too_long_is_unavailable(tmp_path, monkeypatch):
    async with open_doors(tmp_path, ldap(), limits=replace(QUICK, answer=0.1)) as site:
        monkeypatch.setattr("valetkey.doors.asked.attempts.check", lambda *_: asyncio.sleep(30))
        assert await log_in(site, "secret") == (UNAVAILABLE, "")


async def test_too_many_failures_are_unavailable_and_the_right_password_passes(tmp_path):
    house = House(tmp_path, throttle=ThrottleLimits(per_network=2))
    async with open_doors(tmp_path, ldap(), house=house) as site:
        _, secret = await person_with(site)
        codes = [(await log_in(site, f"wrong {number}"))[0] for number in range(3)]
        assert codes == [WRONG, WRONG, UNAVAILABLE]
        assert (await log_in(site, secret))[0] == SUCCESS


async def test_a_policy_without_tls_lets_pass_what_says_nothing_of_it(tmp_path):
    house = House(tmp_path, policy=Policy(require_tls=False))
    async with open_doors(tmp_path, ldap(), house=house) as site:
        _, secret = await person_with(site)
        assert (await log_in(site, secret, login(ALICE)))[0] == SUCCESS


async def test_a_refusal_waits_where_nobody_else_waits_behind_it(tmp_path):
    async with open_doors(tmp_path, ldap(), limits=replace(QUICK, failure_delay=0.5)) as site:
        _, secret = await person_with(site)
        clock = asyncio.get_running_loop().time
        client = await proven(site)
        name = await client.name_for(A_LOGIN)
        began = clock()
        assert await client.bind(name, "wrong") == WRONG
        assert await client.bind(name, secret) == SUCCESS
        assert clock() - began < 0.5
        alone = await connected(site)
        began = clock()
        assert await alone.bind(name, "wrong") == WRONG
        assert clock() - began >= 0.5
        began = clock()
        assert await alone.bind(name, "wrong too") == WRONG  # it is kept for the logins of many
        assert clock() - began < 0.5
        began = clock()
        assert await alone.bind(MX1, "wrong") == WRONG
        assert clock() - began >= 0.5


async def test_requests_at_once_are_answered_in_their_order(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        client = await proven(site)
        name = await client.name_for(A_LOGIN)
        at_once = [bind(name, "wrong"), bind(name, secret), extended(WHO_AM_I), bind(MX1, SECRET), search(A_LOGIN)]
        await client.talk.say(b"".join(message(10 + n, each) for n, each in enumerate(at_once)))
        replies = [await client.reply() for _ in range(6)]
        assert [each.number for each in replies] == [10, 11, 12, 13, 14, 14]
        assert [each.code for each in replies[:2]] == [WRONG, SUCCESS]
        assert replies[2].parts[-1][1] == f"dn:{name}".encode()


async def test_abandon_and_unbind(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        client = await proven(site)
        await client.send(tlv(0x50, b"\1"))
        assert len((await client.find(A_LOGIN))[0]) == 1
        await client.send(tlv(0x42))
        assert await client.talk.is_closed()


@pytest.mark.parametrize(
    "octets",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x30\x80\0\0", b"\x30\x84\x7f\xff\xff\xff", message(1, tlv(0x61)), b"\x30\0"],
)
async def test_who_does_not_speak_ldap_is_told_so_and_left(tmp_path, octets):
    async with open_doors(tmp_path, ldap()) as site:
        client = await connected(site)
        with capture_logs() as logs:
            await client.talk.say(octets)
            reply = await client.reply()
            assert await client.talk.is_closed()
        assert (reply.number, reply.operation, reply.code) == (0, DISCONNECTED, PROTOCOL_ERROR)
        assert [each["event"] for each in logs] == ["peer_misunderstood"]


async def test_a_trickle_does_not_move_the_deadline_and_a_kept_connection_may_rest(tmp_path):
    async with open_doors(tmp_path, ldap(), limits=replace(QUICK, request=0.4)) as site:
        resting, slow = await proven(site), await proven(site)

        async def trickle() -> None:
            for octet in message(9, bind(MX1, "x" * 500)):
                await slow.talk.say(bytes([octet]))
                await asyncio.sleep(0.05)

        drops = asyncio.create_task(trickle())
        assert await slow.talk.is_closed(within=2)
        drops.cancel()
        await asyncio.gather(drops, return_exceptions=True)
        assert len((await resting.find(A_LOGIN))[0]) == 1


async def test_many_ask_at_once(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        found = await asyncio.gather(*(log_in(site, secret if n % 2 else "wrong") for n in range(40)))
        assert [code for code, _ in found] == [WRONG, SUCCESS] * 20


async def test_random_octets_open_nothing_and_break_nothing(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        for seed in range(20):
            talk = await site.connect()
            await talk.say(b"\x30\x82\x10\0" * (seed % 2) + Random(seed).randbytes(10_000))
            talk.writer.write_eof()
            assert await talk.is_closed()
        assert (await log_in(site, secret))[0] == SUCCESS


async def test_over_tls(tmp_path):
    authority = CertificateAuthority(tmp_path)
    async with open_doors(tmp_path, replace(ldap(), tls=True), authority=authority) as site:
        _, secret = await person_with(site)
        assert (await log_in(site, secret))[0] == SUCCESS


async def test_no_secret_is_logged(tmp_path):
    async with open_doors(tmp_path, ldap()) as site:
        _, secret = await person_with(site)
        with capture_logs() as logs:
            assert (await log_in(site, secret))[0] == SUCCESS
            assert (await log_in(site, "swordfish"))[0] == WRONG
            client = await connected(site)
            await client.bind(MX1, "swordfish")
            await client.bind(BY_PLACE, "swordfish")
        assert "ticket" not in repr(logs)
        for word in (secret, SECRET, "swordfish"):
            assert word not in repr(logs)


def break_store(site: DoorSite, fault: Exception) -> None:
    """Let the next look-up fail."""
    real: Callable[..., object] = site.house.store.find_login
    faults = [fault]

    def broken(*given: object) -> object:
        if faults:
            raise faults.pop()
        return real(*given)

    site.house.store.find_login = broken  # type: ignore[method-assign]
