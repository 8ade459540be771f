"""A parsed session that we end hears a last word; nothing is said in the middle of something else."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import FakeUpstream, running_upstream
from tests.doors.gateway_site import GatewaySite, Talk, person_with, replaced, running_gateway, upstream, with_limits
from tests.verbs.site import OPERATOR

from valetkey.core.scope import MailProtocol, Permission
from valetkey.doors.gateway.goodbyes import goodbye_for
from valetkey.service import accounts

IMAP, POP3, SMTP, SIEVE = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP, MailProtocol.SIEVE
LIMITED = replaced([Permission.READ, Permission.SEND, Permission.FILTERS])
Fakes = dict[MailProtocol, FakeUpstream]


async def logged_in(site: GatewaySite, protocol: MailProtocol, secret: str) -> Talk:
    talk = await site.connect(protocol)
    plain = base64.b64encode(f"\0alice@example.org\0{secret}".encode()).decode()
    match protocol:
        case MailProtocol.IMAP:
            await talk.until("* OK")
            await talk.ask(f"a LOGIN alice@example.org {secret}", "a OK")
        case MailProtocol.POP3:
            await talk.until("+OK")
            await talk.ask(f"AUTH PLAIN {plain}", "+OK")
        case MailProtocol.SMTP:
            await talk.until("220")
            await talk.ask("EHLO x", "250 ")
            await talk.ask(f"AUTH PLAIN {plain}", "235")
        case MailProtocol.SIEVE:
            await talk.until("OK")
            await talk.ask(f'AUTHENTICATE "PLAIN" "{plain}"', "OK")
    return talk


async def rest(talk: Talk) -> str:
    return (await asyncio.wait_for(talk.reader.read(), 5)).decode()


WORDS: list[tuple[MailProtocol, Callable[[str], str]]] = [
    (IMAP, lambda text: f"* BYE {text}\r\n"),
    (POP3, lambda text: f"-ERR {text}\r\n"),
    (SMTP, lambda text: f"421 4.7.0 mail.example.org {text}\r\n"),
    (SIEVE, lambda text: f'BYE "{text}"\r\n'),
]


@pytest.mark.parametrize(("protocol", "said"), WORDS)
async def test_whoever_is_closed_is_told_why(site: GatewaySite, protocol: MailProtocol, said: Callable[[str], str]):
    person, secret = await person_with(site, LIMITED)
    talk = await logged_in(site, protocol, secret)
    (live,) = await site.control.list(person.account.id)
    assert await site.control.close(live.id) is True
    assert await rest(talk) == said(goodbye_for("closed by its owner"))
    assert await site.control.list(person.account.id) == ()


@pytest.mark.parametrize(("protocol", "said"), WORDS)
async def test_the_last_word_of_a_server_that_goes_down(
    tmp_path: Path, protocol: MailProtocol, said: Callable[[str], str]
):
    async with (
        running_upstream(protocol) as fake,
        running_gateway(tmp_path, {protocol: upstream(fake.port)}) as site,
    ):
        _, secret = await person_with(site, LIMITED)
        talk = await logged_in(site, protocol, secret)
        site.stop.set()
        assert await rest(talk) == said(goodbye_for("shutdown"))


async def test_a_silent_session_and_a_disabled_account(tmp_path: Path):
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(tmp_path, {IMAP: upstream(fake.port)}, limits=with_limits(idle=0.3)) as site,
    ):
        person, secret = await person_with(site, LIMITED)
        talk = await logged_in(site, IMAP, secret)
        assert await rest(talk) == f"* BYE {goodbye_for('idle')}\r\n"
        talk = await logged_in(site, IMAP, secret)
        await accounts.disable(site.house.ports, OPERATOR, person.account.id)
        assert await rest(talk) == f"* BYE {goodbye_for('account-disabled')}\r\n"


async def test_nothing_is_said_inside_a_message(site: GatewaySite, fakes: Fakes):
    person, secret = await person_with(site, LIMITED)
    talk = await logged_in(site, IMAP, secret)
    fakes[IMAP].writers[-1].write(b"* 1 FETCH (BODY[] {1000}\r\nhalf of it")
    await talk.until("* 1 FETCH")
    (live,) = await site.control.list(person.account.id)
    assert await site.control.close(live.id) is True
    assert await rest(talk) == "half of it"


async def test_a_raw_session_is_just_closed(site: GatewaySite):
    person, secret = await person_with(site)
    talk = await logged_in(site, IMAP, secret)
    (live,) = await site.control.list(person.account.id)
    assert await site.control.close(live.id) is True
    assert await rest(talk) == ""


def test_words_fit_every_protocol():
    for reason in ("revoked", "expired", "narrowed", "idle", "shutdown", "network", "no such reason"):
        text = goodbye_for(reason)
        assert text.isascii() and text.isprintable() and '"' not in text and len(text) < 100
