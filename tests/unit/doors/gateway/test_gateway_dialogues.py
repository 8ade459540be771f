"""Each protocol's dialogue through the listening door."""

import base64

import pytest
from structlog.testing import capture_logs
from tests.doors.fake_upstreams import FakeUpstream
from tests.doors.gateway_site import GatewaySite, Talk, person_with, replaced

from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.gateway.settings import TlsMode

IMAP, POP3, SMTP, SIEVE = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP, MailProtocol.SIEVE
Fakes = dict[MailProtocol, FakeUpstream]
ALICE = "alice@example.org"

STARTS_TLS = {IMAP: "a STARTTLS", POP3: "STLS", SMTP: "STARTTLS", SIEVE: "STARTTLS"}
AGREES = {IMAP: "a OK", POP3: "+OK", SMTP: "220", SIEVE: "OK"}
GREETS = {IMAP: "* OK", POP3: "+OK", SMTP: "220", SIEVE: "OK"}


def plain(secret: str, name: str = ALICE) -> str:
    return base64.b64encode(f"\0{name}\0{secret}".encode()).decode()


LOGIN = {
    IMAP: lambda secret: f"b AUTHENTICATE PLAIN {plain(secret)}",
    POP3: lambda secret: f"AUTH PLAIN {plain(secret)}",
    SMTP: lambda secret: f"AUTH PLAIN {plain(secret)}",
    SIEVE: lambda secret: f'AUTHENTICATE "PLAIN" "{plain(secret)}"',
}
PASSES = {IMAP: "b OK", POP3: "+OK", SMTP: "235", SIEVE: "OK"}
WRONG = {IMAP: "b NO [AUTHENTICATIONFAILED]", POP3: "-ERR [AUTH]", SMTP: "535 5.7.8", SIEVE: "NO"}
EXPIRED = WRONG | {IMAP: "b NO [EXPIRED]"}
FORBIDDEN = WRONG | {IMAP: "b NO [NOPERM]"}
LATER = {IMAP: "b NO [UNAVAILABLE]", POP3: "-ERR [SYS/TEMP]", SMTP: "454 4.7.0", SIEVE: "NO (TRYLATER)"}
ASKS = {IMAP: "c NOOP", POP3: "STAT", SMTP: "NOOP", SIEVE: "LISTSCRIPTS"}
ANSWERS = {IMAP: "c OK", POP3: "+OK", SMTP: "250", SIEVE: '"main" ACTIVE'}


async def greeted(site: GatewaySite, protocol: MailProtocol, tls: TlsMode = TlsMode.IMPLICIT) -> Talk:
    talk = await site.connect(protocol, tls)
    await talk.until(GREETS[protocol])
    if tls is TlsMode.STARTTLS:
        if protocol is SMTP:
            await talk.ask("EHLO client.example.org", "250 ")
        await talk.ask(STARTS_TLS[protocol], AGREES[protocol])
        await talk.start_tls(site.authority.client_context())
        if protocol is SIEVE:
            await talk.until("OK")
    if protocol is SMTP:
        await talk.ask("EHLO client.example.org", "250 ")
    return talk


@pytest.mark.parametrize("protocol", MailProtocol)
@pytest.mark.parametrize("tls", [TlsMode.IMPLICIT, TlsMode.STARTTLS])
async def test_a_login_passes_and_the_session_reaches_the_upstream(
    site: GatewaySite, fakes: Fakes, protocol: MailProtocol, tls: TlsMode
):
    _, secret = await person_with(site)
    talk = await greeted(site, protocol, tls)
    await talk.ask(LOGIN[protocol](secret), PASSES[protocol])
    await talk.ask(ASKS[protocol], ANSWERS[protocol])
    assert fakes[protocol].logins == [ALICE]
    (live,) = await site.control.list(None)
    assert (live.protocol, live.address, live.worker) == (protocol, "127.0.0.1", site.name)
    assert (await site.samples())[f"valetkey_logins_total {protocol.value} allowed"] == 1


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_a_wrong_secret_is_refused_in_the_protocols_words_and_the_connection_stays(
    site: GatewaySite, fakes: Fakes, protocol: MailProtocol
):
    _, secret = await person_with(site)
    talk = await greeted(site, protocol)
    wrong = await talk.ask(LOGIN[protocol]("vkey-abcd-efgh-ijkl-mnop-qrst-uvwx"), WRONG[protocol])
    assert "app password" in wrong
    assert "https://pw.example.org" in wrong
    await talk.ask(LOGIN[protocol](secret), PASSES[protocol])
    assert fakes[protocol].logins == [ALICE]


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_an_expired_app_password_is_told_so_once_proven(site: GatewaySite, protocol: MailProtocol):
    clock = site.house.clock
    _, secret = await person_with(site, expires_at=clock.now().replace(year=2027))
    clock.time = clock.now().replace(year=2028)
    talk = await greeted(site, protocol)
    assert "expired" in await talk.ask(LOGIN[protocol](secret), EXPIRED[protocol])


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_a_protocol_that_is_off_is_told_so_once_proven(site: GatewaySite, protocol: MailProtocol):
    other = SMTP if protocol is not SMTP else IMAP
    _, secret = await person_with(site, replaced([*Permission], other))
    talk = await greeted(site, protocol)
    assert "may not be used for" in await talk.ask(LOGIN[protocol](secret), FORBIDDEN[protocol])


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_a_refused_gateway_is_no_wrong_password(site: GatewaySite, fakes: Fakes, protocol: MailProtocol):
    _, secret = await person_with(site)
    fakes[protocol].refuses = True
    talk = await greeted(site, protocol)
    await talk.ask(LOGIN[protocol](secret), LATER[protocol])
    assert (await site.samples())[f"valetkey_upstream_failures_total {protocol.value}"] == 1
    assert await site.control.list(None) == ()
    fakes[protocol].refuses = False
    await talk.ask(LOGIN[protocol](secret), PASSES[protocol])


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_a_broken_store_is_no_wrong_password(site: GatewaySite, protocol: MailProtocol):
    _, secret = await person_with(site)
    site.house.store.close()
    talk = await greeted(site, protocol)
    with capture_logs() as logged:
        await talk.ask(LOGIN[protocol](secret), LATER[protocol])
    told = [entry for entry in logged if entry["event"] == "login_undecided"]
    assert [(entry["log_level"], entry["why"]) for entry in told] == [("error", "The database is closed.")]


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_octets_behind_starttls_end_the_connection(site: GatewaySite, protocol: MailProtocol):
    talk = await site.connect(protocol, TlsMode.STARTTLS)
    await talk.until(GREETS[protocol])
    if protocol is SMTP:
        await talk.ask("EHLO client.example.org", "250 ")
    await talk.say(STARTS_TLS[protocol] + "\r\n" + ASKS[protocol] + "\r\n")
    heard = await talk.reader.read()
    assert heard == b"", "no answer, not even to STARTTLS"
    reason = f"valetkey_closed_before_login_total {protocol.value} octets behind STARTTLS"
    assert (await site.samples())[reason] == 1


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_octets_in_the_clear_after_starttls_are_not_read_as_commands(
    site: GatewaySite, fakes: Fakes, protocol: MailProtocol
):
    _, secret = await person_with(site)
    talk = await site.connect(protocol, TlsMode.STARTTLS)
    await talk.until(GREETS[protocol])
    if protocol is SMTP:
        await talk.ask("EHLO client.example.org", "250 ")
    await talk.ask(STARTS_TLS[protocol], AGREES[protocol])
    await talk.say(LOGIN[protocol](secret) + "\r\n")
    assert await talk.is_closed()
    assert fakes[protocol].logins == []


@pytest.mark.parametrize("protocol", MailProtocol)
async def test_http_on_a_mail_port_is_hung_up_on(site: GatewaySite, protocol: MailProtocol):
    for tls in (TlsMode.IMPLICIT, TlsMode.STARTTLS):
        talk = await site.connect(protocol, tls)
        await talk.until(GREETS[protocol])
        await talk.say("GET / HTTP/1.1\r\nHost: mail.example.org\r\n\r\n")
        assert await talk.reader.read() == b""


async def test_what_is_pipelined_behind_the_login_reaches_the_upstream_in_order(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    talk = await greeted(site, IMAP)
    await talk.say(f"a LOGIN {ALICE} {secret}\r\nb NOOP\r\nc LOGOUT\r\n")
    for start in ("a OK [CAPABILITY", "b OK", "* BYE", "c OK"):
        await talk.until(start)
    assert fakes[IMAP].heard == [b"b NOOP", b"c LOGOUT"]
    assert await talk.is_closed()


async def test_what_is_pipelined_behind_a_refused_login_is_heard_after_the_refusal(site: GatewaySite, fakes: Fakes):
    await person_with(site)
    talk = await greeted(site, IMAP)
    await talk.say(f"a LOGIN {ALICE} wrong\r\nb NOOP\r\n")
    assert (await talk.line()).startswith("a NO [AUTHENTICATIONFAILED]")
    assert (await talk.line()).startswith("b OK")
    assert fakes[IMAP].heard == []


async def test_a_sasl_login_for_somebody_else_is_refused(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    message = base64.b64encode(f"bob@example.org\0{ALICE}\0{secret}".encode()).decode()
    talk = await greeted(site, IMAP)
    await talk.ask(f"a AUTHENTICATE PLAIN {message}", "a NO [AUTHENTICATIONFAILED]")
    assert fakes[IMAP].logins == []


async def test_every_octet_of_a_password_is_carried_and_none_breaks_the_login(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    talk = await greeted(site, IMAP)
    for octets in (bytes(range(1, 128)), bytes(range(128, 256)), b"x" * 3000):
        message = base64.b64encode(b"\0" + ALICE.encode() + b"\0" + octets).decode()
        await talk.ask(f"a AUTHENTICATE PLAIN {message}", "a NO [AUTHENTICATIONFAILED]")
    await talk.ask(LOGIN[IMAP](secret), PASSES[IMAP])


async def test_a_literal_of_four_gigabytes_costs_nothing(site: GatewaySite):
    talk = await greeted(site, IMAP)
    await talk.ask("a LOGIN {4294967295}", "a BAD")
    await talk.ask("a LOGIN {4294967295+}", "* BYE")
    assert await talk.is_closed()


async def test_no_upstream_for_the_domain_is_an_alarm_and_not_the_persons_fault(site: GatewaySite):
    person = await site.house.person("dora@elsewhere.example")
    secret = (await site.house.issue(person)).secret.shown
    talk = await greeted(site, IMAP)
    await talk.ask(f"a LOGIN dora@elsewhere.example {secret}", "a NO [UNAVAILABLE]")
    assert (await site.samples())["valetkey_upstream_failures_total imap"] == 1


async def test_a_dead_upstream_is_told_as_later(site: GatewaySite, fakes: Fakes):
    _, secret = await person_with(site)
    fakes[IMAP].before_login = lambda: [each.transport.abort() for each in fakes[IMAP].writers]
    talk = await greeted(site, IMAP)
    await talk.ask(LOGIN[IMAP](secret), LATER[IMAP])
    await talk.ask("c NOOP", "c OK")
