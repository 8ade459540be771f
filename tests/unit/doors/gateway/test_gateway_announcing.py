"""What listeners announce before the login follows what the mail servers behind them have said."""

import asyncio
import base64
from collections import Counter
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import running_upstream
from tests.doors.gateway_site import GatewaySite, person_with, running_gateway, upstream

from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway import learning
from valetkey.doors.gateway.announcing import Announcements, smtp_size
from valetkey.doors.gateway.settings import Upstream
from valetkey.doors.gateway.upstream import UpstreamFailed
from valetkey.wire.pop3_login import CAPABILITIES
from valetkey.wire.sieve_client import announced_values
from valetkey.wire.sieve_login import SIEVE_EXTENSIONS

SMTP, POP3, SIEVE, IMAP = MailProtocol.SMTP, MailProtocol.POP3, MailProtocol.SIEVE, MailProtocol.IMAP
ONE, OTHER = upstream(1), upstream(2)
POSTFIX = (b"PIPELINING", b"SIZE 10240000", b"ETRN", b"ENHANCEDSTATUSCODES", b"8BITMIME", b"DSN", b"SMTPUTF8")


@pytest.fixture
def two() -> Announcements:
    return Announcements(dict.fromkeys(MailProtocol, (ONE, OTHER)), 50_000_000)


def test_before_anything_was_heard_the_usual_is_announced(two: Announcements):
    for announcements in (two, Announcements({}, 50_000_000)):
        now = announcements.now
        assert now.smtp == (b"PIPELINING", b"SIZE 50000000", b"8BITMIME", b"ENHANCEDSTATUSCODES")
        assert (now.pop3, now.sieve, now.sieve_more) == (CAPABILITIES, SIEVE_EXTENSIONS, ())


def test_what_only_one_of_two_can_do_is_not_announced(two: Announcements):
    two.learn(SMTP, ONE, POSTFIX)
    assert two.now.smtp == (b"PIPELINING", b"SIZE 10240000", b"8BITMIME", b"ENHANCEDSTATUSCODES")
    two.learn(SMTP, OTHER, (b"size 20000000", b"dsn", b"smtputf8", b"AUTH PLAIN", b"CHUNKING"))
    assert two.now.smtp == (b"SIZE 10240000", b"SMTPUTF8", b"DSN")
    two.learn(SMTP, OTHER, (b"DSN",))
    assert two.now.smtp == (b"DSN",), "who knows no SIZE would refuse the parameter"


def test_the_last_word_of_an_upstream_counts(two: Announcements):
    for said in (POSTFIX, (b"SIZE 3000",), (b"SIZE 7000",)):
        two.learn(SMTP, ONE, said)
        two.learn(SMTP, OTHER, said)
    assert two.now.smtp == (b"SIZE 7000",)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (b"SIZE 5", 5),
        (b"size 5", 5),
        (b"SIZE", None),
        (b"SIZE 0", None),
        (b"SIZE x", None),
        (b"SIZE " + b"9" * 21, None),
    ],
)
def test_sizes(said: bytes, size: int | None, two: Announcements):
    assert smtp_size((b"DSN", said)) == size
    two.learn(SMTP, ONE, (said,))
    two.learn(SMTP, OTHER, (said,))
    assert two.now.smtp == (b"SIZE %d" % (size or 50_000_000),)


def test_pop3_without_top_or_pipelining(two: Announcements):
    two.learn(POP3, ONE, (b"UIDL", b"SASL PLAIN", b"EXPIRE 60"))
    assert two.now.pop3 == (b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE")


def test_sieve_extensions_notifications_and_redirects(two: Announcements):
    two.learn(
        SIEVE, ONE, (b'"IMPLEMENTATION" "x"', b'"SIEVE" "fileinto vnd.x date"', b'"NOTIFY" "mailto xmpp"', b'"SASL" ""')
    )
    two.learn(SIEVE, OTHER, (b'"sieve" "date envelope fileinto"', b'"Notify" "mailto"', b'"MAXREDIRECTS" "5"'))
    assert two.now.sieve == b"fileinto date"
    assert two.now.sieve_more == ((b"NOTIFY", b"mailto"),)
    two.learn(SIEVE, ONE, (b'"MAXREDIRECTS" "12"',))
    assert (two.now.sieve, two.now.sieve_more) == (b"", ((b"MAXREDIRECTS", b"5"),))


def test_nobody_else_is_learned_from(two: Announcements):
    before = two.now
    two.learn(SMTP, upstream(3), POSTFIX)
    two.learn(IMAP, ONE, (b"IDLE",))
    assert two.now is before


def test_values_of_announced_capabilities():
    lines = (b'"Sieve" "a \\"b"', b'"STARTTLS"', b"junk", b'"X" {3}\r\na\r\n', b'"X', b"", b'"Y" {99}')
    assert announced_values(lines) == {b"SIEVE": b'a "b', b"STARTTLS": b"", b"X": b"a\r\n"}


def plain(secret: str) -> str:
    return base64.b64encode(f"\0alice@example.org\0{secret}".encode()).decode()


async def announced(site: GatewaySite) -> tuple[list[str], list[str], list[str]]:
    smtp, pop3, sieve = await site.connect(SMTP), await site.connect(POP3), await site.connect(SIEVE)
    await smtp.until("220")
    await pop3.until("+OK")
    await smtp.say("EHLO client.example.org\r\n")
    await pop3.ask("CAPA", "+OK")
    return await lines(smtp, "250 "), await lines(pop3, "."), await lines(sieve, "OK")


async def lines(talk, end: str) -> list[str]:
    found = []
    while not (line := await talk.line()).startswith(end):
        found.append(line.removesuffix("\r\n"))
    return found


async def test_clients_are_told_what_the_upstreams_said_at_the_last_login(tmp_path: Path):
    async with (
        running_upstream(SMTP) as smtp,
        running_upstream(POP3) as pop3,
        running_upstream(SIEVE) as sieve,
        running_gateway(
            tmp_path, {SMTP: upstream(smtp.port), POP3: upstream(pop3.port), SIEVE: upstream(sieve.port)}
        ) as site,
    ):
        _, secret = await person_with(site)
        for protocol in (SMTP, POP3, SIEVE):
            await logged_in(site, protocol, secret)
        told_smtp, told_pop3, told_sieve = await announced(site)
    assert told_smtp[1:] == ["250-PIPELINING", "250-SIZE 1000000", "250-8BITMIME"]
    assert told_pop3 == ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "USER", "SASL PLAIN LOGIN"]
    assert '"SIEVE" "fileinto"' in told_sieve


async def logged_in(site: GatewaySite, protocol: MailProtocol, secret: str) -> None:
    talk = await site.connect(protocol)
    if protocol is POP3:
        await talk.until("+OK")
        await talk.ask("USER alice@example.org", "+OK")
        await talk.ask(f"PASS {secret}", "+OK")
    elif protocol is SMTP:
        await talk.until("220")
        await talk.ask("EHLO x", "250 ")
        await talk.ask("AUTH PLAIN " + plain(secret), "235")
    else:
        await talk.until("OK")
        await talk.ask(f'AUTHENTICATE "PLAIN" "{plain(secret)}"', "OK")


async def test_a_mail_server_that_is_down_hinders_no_start(tmp_path: Path):
    async with running_upstream(SMTP) as gone:
        pass
    async with running_gateway(tmp_path, {SMTP: upstream(gone.port)}) as site:
        told, _, _ = await announced(site)
    assert told[1:] == ["250-PIPELINING", "250-SIZE 104857600", "250-8BITMIME", "250-ENHANCEDSTATUSCODES"]


class Waking:
    """Upstreams of which one wakes up at the third look, and the other never does."""

    def __init__(self) -> None:
        self.by_protocol = {MailProtocol.POP3: (ONE, OTHER)}
        self.looks: Counter[Upstream] = Counter()

    async def look(self, upstream: Upstream, protocol: MailProtocol) -> tuple[bytes, ...]:
        self.looks[upstream] += 1
        if upstream is OTHER or self.looks[upstream] < 3:
            raise UpstreamFailed("cannot connect: ECONNREFUSED")
        return (b"UIDL",)


async def test_an_upstream_that_is_down_is_looked_at_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(learning, "_LONGEST_PAUSE", 0.01)
    upstreams = Waking()
    looking = asyncio.create_task(learning.look_at_upstreams(upstreams, Announcements(upstreams.by_protocol, 1)))
    async with asyncio.timeout(30):
        while upstreams.looks[OTHER] < 6:
            await asyncio.sleep(0.01)
    assert upstreams.looks[ONE] == 3  # it has answered, and is left in peace
    assert not looking.done()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
