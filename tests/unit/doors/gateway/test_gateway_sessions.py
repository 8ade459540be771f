"""What happens between a login and a session's end."""

import asyncio
import base64
import socket
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import FakeUpstream, running_upstream
from tests.doors.gateway_site import (
    DOMAIN,
    LOCALHOST,
    GatewaySite,
    Talk,
    person_with,
    replaced,
    running_gateway,
    upstream,
    with_limits,
)
from tests.verbs.site import OPERATOR, House

from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.gateway.settings import Listener, TlsMode
from valetkey.service import accounts, app_passwords

IMAP, POP3, SMTP, SIEVE = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP, MailProtocol.SIEVE
Fakes = dict[MailProtocol, FakeUpstream]
ALICE = f"alice@{DOMAIN}"
BIG = 5_000_000
READ_ONLY = replaced([Permission.READ], IMAP, POP3)


async def logged_in(site: GatewaySite, secret: str, tls: TlsMode = TlsMode.IMPLICIT) -> Talk:
    talk = await site.connect(IMAP, tls)
    await talk.until("* OK")
    await talk.ask(f"a LOGIN {ALICE} {secret}", "a OK")
    return talk


async def test_an_address_of_ipv4_is_told_as_one_by_a_listener_of_both_kinds(tmp_path: Path):
    listener = Listener(IMAP, "", 0, TlsMode.NONE, plaintext_login=True)
    async with running_upstream(IMAP) as fake:
        upstreams = {IMAP: upstream(fake.port, forward_client=True)}
        house = House(tmp_path, policy=Policy(require_tls=False))
        async with running_gateway(tmp_path, upstreams, house=house, listeners=(listener,)) as site:
            person, secret = await person_with(site)
            await logged_in(site, secret, TlsMode.NONE)
            (session,) = await site.control.list(person.account.id)
    (said,) = [line for line in fake.before if line.startswith(b"ID ")]
    assert session.address == LOCALHOST
    assert b'"x-originating-ip" "127.0.0.1"' in said
    assert b'"x-connected-ip" "127.0.0.1"' in said


# Relaying


@pytest.mark.parametrize("scope", [None, READ_ONLY], ids=["raw", "parsed"])
async def test_much_is_relayed_to_a_slow_reader_without_being_held(site: GatewaySite, scope):
    _, secret = await person_with(site, scope)
    talk = await logged_in(site, secret)
    await talk.say("b UID FETCH 1:* (BODY.PEEK[])\r\n")
    head = await talk.line()
    assert head == f"* 1 FETCH (BODY[] {{{BIG}}}\r\n"
    await asyncio.sleep(0.1)
    body = await talk.reader.readexactly(BIG)
    assert body == b"x" * BIG
    assert await talk.line() == ")\r\n"
    assert (await talk.line()).startswith("b OK")


@pytest.mark.parametrize("scope", [None, replaced([Permission.READ, Permission.WRITE], IMAP)], ids=["raw", "parsed"])
async def test_a_large_message_is_appended(site: GatewaySite, fakes: Fakes, scope):
    _, secret = await person_with(site, scope)
    talk = await logged_in(site, secret)
    await talk.say(b"b APPEND INBOX {%d+}\r\n" % BIG + b"y" * BIG + b"\r\nc NOOP\r\n")
    await talk.until("b OK")
    await talk.until("c OK")
    assert fakes[IMAP].heard[-1] == b"c NOOP"


async def test_a_limited_session_is_told_what_it_can_use_and_changes_nothing(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site, READ_ONLY)
    talk = await site.connect(IMAP)
    await talk.until("* OK")
    announced = await talk.ask(f"a LOGIN {ALICE} {secret}", "a OK")
    assert "COMPRESS" not in announced
    assert "UIDPLUS" in announced
    await talk.ask("b SELECT INBOX", "b OK")
    await talk.ask("c STORE 1 +FLAGS (\\Deleted)", "c NO [NOPERM]")
    await talk.ask("d COMPRESS DEFLATE", "d BAD")
    await talk.ask("e XAPPLEPUSHSERVICE x y", "e BAD")
    await talk.ask("f IDLE", "+")
    await talk.until("* 2 EXISTS")
    await talk.ask("DONE", "f OK")
    assert [line.split(b" ", 1)[1] for line in fakes[IMAP].heard] == [b"EXAMINE INBOX", b"IDLE"]


async def test_mail_is_sent_and_the_client_cannot_speak_to_the_upstream_as_we_do(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    talk = await site.connect(SMTP)
    await talk.until("220")
    await talk.ask("EHLO scanner.example.org", "250-SIZE")
    await talk.ask("MAIL FROM:<x@example.org>", "530")
    await talk.ask("AUTH LOGIN", "334")
    await talk.ask("YWxpY2VAZXhhbXBsZS5vcmc=", "334")
    await talk.ask(base64.b64encode(secret.encode()).decode(), "235")
    for line in ("XCLIENT ADDR=1.2.3.4", "XFORWARD ADDR=1.2.3.4", "xclient\tNAME=x"):
        await talk.ask(line, "5")
    await talk.ask("MAIL FROM:<alice@example.org>", "250")
    await talk.ask("RCPT TO:<bob@example.org>", "250")
    await talk.ask("DATA", "354")
    await talk.say(b"Subject: hi\r\n\r\n..dot\r\n" + b"z" * 70 + b"\r\n.\r\n")
    await talk.until("250")
    await talk.ask("QUIT", "221")
    assert fakes[SMTP].heard[-1] == b"QUIT"
    assert b"..dot" in fakes[SMTP].heard
    assert not [line for line in fakes[SMTP].heard if b"XCLIENT" in line.upper()]


async def test_pop3_without_the_right_to_mark_retrieves_by_top(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site, READ_ONLY)
    talk = await site.connect(POP3)
    await talk.until("+OK")
    await talk.ask(f"USER {ALICE}", "+OK")
    await talk.ask(f"PASS {secret}", "+OK")
    await talk.ask("RETR 1", ".")
    await talk.ask("DELE 1", "-ERR")
    assert fakes[POP3].heard[-1] == b"TOP 1 2147483647"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"PROXY UNKNOWN\r\n", None),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", None),  # version 2, LOCAL
        (b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 993\r\n", b'"x-originating-ip" "203.0.113.7"'),
    ],
)
async def test_a_proxy_that_does_not_say_who_the_client_is_is_not_the_client(
    tmp_path: Path, header: bytes, said: bytes | None
):
    house = House(tmp_path, policy=Policy(require_tls=False))
    proxied = Listener(IMAP, LOCALHOST, 0, TlsMode.NONE, plaintext_login=True, proxy_peers=(ip_network("127.0.0.1"),))
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(
            tmp_path, {IMAP: upstream(fake.port, forward_client=True)}, house=house, listeners=(proxied,)
        ) as site,
    ):
        person, secret = await person_with(site)
        talk = await site.connect(IMAP, TlsMode.NONE)
        await talk.say(header)
        await talk.until("* OK")
        await talk.ask(f"a LOGIN {ALICE} {secret}", "a OK")
        (live,) = await site.control.list(person.account.id)
    (told,) = (line for line in fake.before if line.startswith(b"ID "))
    assert b"x-session-id" in told
    assert (said in told) if said else (b"x-originating" not in told)
    assert live.address == ("203.0.113.7" if said else "unknown")


@pytest.mark.parametrize("scope", [None, READ_ONLY], ids=["raw", "parsed"])
async def test_answers_still_come_to_a_client_that_has_said_all(tmp_path: Path, scope):
    house = House(tmp_path, policy=Policy(require_tls=False))
    plain = (Listener(IMAP, LOCALHOST, 0, TlsMode.NONE, plaintext_login=True),)
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(tmp_path, {IMAP: upstream(fake.port)}, house=house, listeners=plain) as site,
    ):
        _, secret = await person_with(site, scope)
        talk = await site.connect(IMAP, TlsMode.NONE)
        await talk.say(f"a LOGIN {ALICE} {secret}\r\nb SELECT INBOX\r\nc UID FETCH 1:* (BODY.PEEK[])\r\n")
        talk.writer.write_eof()
        heard = await talk.reader.read()
        while more := await talk.reader.read():
            heard += more
        assert heard.count(b"x" * BIG) == 1
        assert heard.endswith(b"c OK done\r\n")


async def test_an_upstream_that_closes_ends_the_session_with_what_it_said(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    talk = await logged_in(site, secret)
    await talk.ask("b LOGOUT", "b OK")
    assert await talk.is_closed()
    assert await site.control.list(None) == ()
    assert (await site.samples())["valetkey_connections"] == 0


async def test_a_client_that_vanishes_leaves_nothing_behind(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    talk = await logged_in(site, secret)
    talk.writer.transport.abort()
    fakes[IMAP].got.clear()
    async with asyncio.timeout(30):
        while await site.control.list(None):
            await asyncio.sleep(0.01)
    samples = await site.samples()
    assert (samples["valetkey_connections"], samples["valetkey_live_sessions"]) == (0, 0)


async def test_silent_and_stuck_sessions_end(tmp_path: Path):
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(tmp_path, {IMAP: upstream(fake.port)}, limits=with_limits(idle=0.4, send=0.2)) as site,
    ):
        _, secret = await person_with(site)
        idle, stuck = await logged_in(site, secret), await logged_in(site, secret)
        stuck.reader._transport.pause_reading()
        for _ in range(6):
            await stuck.say("b UID FETCH 1:* (BODY[])\r\n")
        assert await idle.is_closed()
        async with asyncio.timeout(30):
            while (await site.samples()).get("valetkey_sessions_closed_total imap stuck") != 1:
                await asyncio.sleep(0.02)
        assert (await site.samples())["valetkey_sessions_closed_total imap idle"] == 1


# Revoking


async def test_revoking_closes_the_sessions_of_that_app_password_alone(site: GatewaySite):
    person, secret = await person_with(site)
    other = (await site.house.issue(person, "Laptop")).secret.shown
    phone, laptop = await logged_in(site, secret), await logged_in(site, other)
    credential = min(await site.control.list(None), key=lambda each: each.opened_at).credential_id
    assert credential is not None
    revoked = await app_passwords.revoke(site.house.ports, site.house.acting(person.account), credential)
    assert revoked.closed.total == 1
    assert await phone.is_closed()
    await laptop.ask("b NOOP", "b OK")


async def test_a_change_that_nobody_told_of_is_found_within_a_second(site: GatewaySite):
    person, secret = await person_with(site)
    talk = await logged_in(site, secret)
    (live,) = await site.control.list(None)
    deaf = site.house.with_ports(live_sessions=_Nobody())
    await app_passwords.revoke(deaf, site.house.acting(person.account), live.credential_id or "")
    assert await talk.is_closed()


class _Nobody:
    """No worker can be asked."""

    async def apply_changes(self, account_id: str | None) -> int:
        return 0

    async def list(self, account_id: str | None):
        return ()

    async def close(self, session_id: str) -> bool:
        return False


async def test_disabling_narrowing_and_expiry_close_sessions_too(site: GatewaySite):
    house = site.house
    soon = house.clock.now().replace(year=2027)
    person, secret = await person_with(site, expires_at=soon)
    credential = (await app_passwords.of_account(house.ports, house.acting(person.account), person.account.id))[0].id

    talk = await logged_in(site, secret)
    await app_passwords.change(house.ports, house.acting(person.account), credential, scope=READ_ONLY)
    assert await talk.is_closed()

    talk = await logged_in(site, secret)
    await accounts.disable(house.ports, OPERATOR, person.account.id)
    assert await talk.is_closed()
    await accounts.enable(house.ports, OPERATOR, person.account.id)

    talk = await logged_in(site, secret)
    house.clock.time = soon
    assert await talk.is_closed()
    reasons = await site.samples()
    for reason in ("narrowed", "account-disabled", "expired"):
        assert reasons[f"valetkey_sessions_closed_total imap {reason}"] == 1


async def test_what_does_not_concern_a_session_leaves_it_open(site: GatewaySite):
    person, secret = await person_with(site)
    talk = await logged_in(site, secret)
    await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, f"a.l@{DOMAIN}")
    await site.house.person(f"bob@{DOMAIN}")
    assert await site.control.apply_changes(person.account.id) == 0
    await asyncio.sleep(0.3)
    await talk.ask("b NOOP", "b OK")


async def test_long_unused_is_no_reason_to_end_a_session_that_is_used(site: GatewaySite):
    person, secret = await person_with(site, idle_for=timedelta(days=10))
    talk = await logged_in(site, secret)
    site.house.clock.move(days=20)
    await accounts.add_alias(site.house.ports, OPERATOR, person.account.id, f"a.l@{DOMAIN}")
    assert await site.control.apply_changes(person.account.id) == 0
    await talk.ask("b NOOP", "b OK")


@pytest.mark.parametrize("is_followed", [True, False])
async def test_a_revocation_during_the_login_is_not_missed(site: GatewaySite, fakes: Fakes, *, is_followed: bool):
    person, secret = await person_with(site)
    (found,) = await app_passwords.of_account(site.house.ports, person.actor, person.account.id)
    fakes[IMAP].may_answer.clear()
    talk = await site.connect(IMAP)
    await talk.until("* OK")
    await talk.say(f"a LOGIN {ALICE} {secret}\r\n")
    await fakes[IMAP].asked.wait()
    revoked = await app_passwords.revoke(site.house.ports, person.actor, found.id)
    assert revoked.closed.total == 0, "the session is not registered yet"
    if is_followed:
        await asyncio.sleep(0.3)  # the worker has looked at the feed, before the session is registered
    fakes[IMAP].may_answer.set()
    answer = await talk.until("a ")
    assert answer.startswith("a NO [AUTHENTICATIONFAILED]")
    await talk.say("b LOGOUT\r\n")
    assert await talk.is_closed()
    assert await site.control.list(None) == ()


async def test_an_owner_closes_one_session(site: GatewaySite):
    _, secret = await person_with(site)
    talk, other = await logged_in(site, secret), await logged_in(site, secret)
    first = (await site.control.list(None))[0]
    assert await site.control.close(first.id)
    assert not await site.control.close(first.id)
    closed = await asyncio.wait(
        [asyncio.create_task(talk.is_closed()), asyncio.create_task(other.is_closed())],
        return_when=asyncio.FIRST_COMPLETED,
    )
    assert len(await site.control.list(None)) == 1
    for task in closed[1]:
        task.cancel()
    await asyncio.gather(*closed[1], return_exceptions=True)


# Limits before login


async def test_a_client_that_does_not_log_in_is_told_and_closed(tmp_path: Path):
    async with running_gateway(tmp_path, {}, limits=with_limits(login=0.3)) as site:
        talk = await site.connect(IMAP)
        await talk.until("* OK")
        await talk.until("* BYE Too slow")
        assert await talk.is_closed()


async def test_slow_writers_do_not_move_the_deadline(tmp_path: Path):
    async with running_gateway(tmp_path, {}, limits=with_limits(login=0.4)) as site:
        talk = await site.connect(SMTP)
        await talk.until("220")
        begun = asyncio.get_running_loop().time()

        async def trickle() -> None:
            for _ in range(1000):  # that is twenty seconds
                await talk.say("E")
                await asyncio.sleep(0.02)

        task = asyncio.create_task(trickle())
        await talk.until("421")
        assert asyncio.get_running_loop().time() - begun < 15
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_half_open_handshakes_end(tmp_path: Path):
    async with running_gateway(tmp_path, {}, limits=with_limits(handshake=0.2)) as site:
        reader, writer = await asyncio.open_connection(LOCALHOST, site.port(IMAP))
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        assert (await site.samples())["valetkey_handshake_failures_total"] == 1


async def test_one_network_cannot_wait_with_too_many(tmp_path: Path):
    async with running_gateway(tmp_path, {}, limits=with_limits(waiting_per_network=3)) as site:
        talks = [await site.connect(IMAP) for _ in range(3)]
        for talk in talks:
            await talk.until("* OK")
        reader, writer = await asyncio.open_connection(LOCALHOST, site.port(IMAP, TlsMode.STARTTLS))
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        await talks[0].ask("a LOGOUT", "a OK")
        assert await talks[0].is_closed()
        again = await site.connect(IMAP)
        await again.until("* OK")
        assert (await site.samples())["valetkey_turned_away_total"] == 1


async def test_one_account_does_not_take_every_connection(tmp_path: Path, fakes: Fakes):
    changes = {IMAP: upstream(fakes[IMAP].port)}
    async with running_gateway(tmp_path, changes, limits=with_limits(sessions_per_account=2)) as site:
        _, secret = await person_with(site)
        first, second = await logged_in(site, secret), await logged_in(site, secret)
        third = await site.connect(IMAP)
        await third.until("* OK")
        assert (await third.ask(f"a LOGIN {ALICE} {secret}", "a ")).startswith(
            "a NO [UNAVAILABLE] Too many connections"
        )
        await second.ask("b NOOP", "b OK")
        await first.ask("b LOGOUT", "b OK")
        assert await first.is_closed()
        await third.ask(f"b LOGIN {ALICE} {secret}", "b OK")
        assert len(fakes[IMAP].logins) == 3
        assert (await site.samples())["valetkey_logins_total imap too-many-sessions"] == 1


async def test_a_full_worker_lets_others_wait_at_the_door(tmp_path: Path):
    async with running_gateway(tmp_path, {}, limits=with_limits(connections=2)) as site:
        first, second = await site.connect(IMAP), await site.connect(IMAP)
        await first.until("* OK")
        await second.until("* OK")
        reader, writer = await asyncio.open_connection(LOCALHOST, site.port(IMAP, TlsMode.STARTTLS))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.2)
        await first.ask("a LOGOUT", "a OK")
        assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"* OK")
        writer.close()


async def test_a_refusal_waits_as_long_whatever_the_reason(tmp_path: Path):
    async with running_gateway(tmp_path, {}, limits=with_limits(failure_delay=0.3)) as site:
        await person_with(site)
        loop = asyncio.get_running_loop()
        for name in (ALICE, f"nobody@{DOMAIN}", "\u00e4"):
            talk = await site.connect(IMAP)
            await talk.until("* OK")
            begun = loop.time()
            await talk.ask(f'a LOGIN "{name}" wrong', "a NO [AUTHENTICATIONFAILED]")
            assert loop.time() - begun > 0.29


# The end


async def test_a_stopping_worker_says_goodbye_and_closes_everything(tmp_path: Path):
    async with running_upstream(IMAP) as fake, running_gateway(tmp_path, {IMAP: upstream(fake.port)}) as site:
        _, secret = await person_with(site)
        live = await logged_in(site, secret)
        waiting = {protocol: await site.connect(protocol) for protocol in MailProtocol}
        for protocol, talk in waiting.items():
            await talk.until({IMAP: "* OK", POP3: "+OK", SMTP: "220", SIEVE: "OK"}[protocol])
        site.stop.set()
        for protocol, talk in waiting.items():
            await talk.until({IMAP: "* BYE", POP3: "-ERR [SYS/TEMP]", SMTP: "421", SIEVE: "BYE"}[protocol])
            assert await talk.is_closed()
        assert await live.is_closed()
        assert not list((tmp_path / "run").glob("*.sock"))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOCALHOST, site.port(IMAP)), 1)
