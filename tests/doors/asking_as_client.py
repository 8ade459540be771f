"""The gateway's ways in: clients log in by each command and mechanism, behind a load balancer that says where they are."""

import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.doors.ways_in import EVERYTHING, IMAP, POP3, SIEVE, SMTP, Asker, Login, Way, holding, octets_of

from valetkey.core.scope import MailProtocol

if TYPE_CHECKING:
    from tests.doors.every_door import EveryDoor, Line

_READY = {IMAP: "* OK", POP3: "+OK", SMTP: "220", SIEVE: "OK"}
_ENDS = {IMAP: ("a ",), POP3: ("+OK", "-ERR"), SMTP: ("2", "4", "5"), SIEVE: ("OK", "NO", "BYE")}
_GOES_ON = {IMAP: "+", POP3: "+ ", SMTP: "334", SIEVE: '"'}
_Words = Callable[["Line", Login], Awaitable[None]]


def b64(octets: bytes) -> bytes:
    """Write as base64."""
    return base64.b64encode(octets)


def plain(login: Login) -> bytes:
    """Give the message of PLAIN (RFC 4616)."""
    return b64(octets_of(f"\0{login.name}\0{login.secret}"))


async def greeted(site: "EveryDoor", login: Login) -> "Line":
    """Connect as a load balancer does, and hear the greeting."""
    line = await site.connect_gateway(login.protocol, Asker.HOLDING if login.tls else Asker.BARE)
    source = f"TCP4 {login.address} 192.0.2.1 50000 993" if login.address else "UNKNOWN"
    await line.say(f"PROXY {source}\r\n".encode())
    await line.until(_READY[login.protocol])
    if login.protocol is SMTP:
        await line.say(b"EHLO client.example.org\r\n")
        await line.until("250 ")
    return line


def _way(protocol: MailProtocol, mechanism: str, words: _Words) -> Way:
    async def ask(site: "EveryDoor", asker: Asker, login: Login) -> str:
        line = await greeted(site, login)
        try:
            await words(line, login)
            return await line.until(*_ENDS[protocol])
        finally:
            line.close()

    holds = holding(*EVERYTHING)
    return Way(
        f"gateway {protocol.value}",
        mechanism,
        "gateway",
        (protocol,),
        ask,
        holds=holds,
        holds_itself=True,
        is_for_listed=False,
    )


async def _imap_login(line: "Line", login: Login) -> None:
    name, secret = octets_of(login.name), octets_of(login.secret)
    await line.say(b"a LOGIN {%d+}\r\n%b {%d+}\r\n%b\r\n" % (len(name), name, len(secret), secret))


async def _imap_plain(line: "Line", login: Login) -> None:
    await line.say(b"a AUTHENTICATE PLAIN %b\r\n" % plain(login))


async def _auth_plain(line: "Line", login: Login) -> None:
    await line.say(b"AUTH PLAIN %b\r\n" % plain(login))


async def _pass(line: "Line", login: Login) -> None:
    await line.say(b"USER %b\r\n" % octets_of(login.name))
    await line.until("+OK", "-ERR")
    await line.say(b"PASS %b\r\n" % octets_of(login.secret))


async def _sieve_plain(line: "Line", login: Login) -> None:
    message = plain(login)
    await line.say(b'AUTHENTICATE "PLAIN" {%d+}\r\n%b\r\n' % (len(message), message))


def _login_by(command: bytes, protocol: MailProtocol) -> _Words:
    async def words(line: "Line", login: Login) -> None:
        await line.say(command + b"\r\n")
        for said in (login.name, login.secret):
            await line.until(_GOES_ON[protocol])
            encoded = b64(octets_of(said))
            await line.say((b'"%b"\r\n' if protocol is SIEVE else b"%b\r\n") % encoded)

    return words


WAYS = (
    _way(IMAP, "LOGIN", _imap_login),
    _way(IMAP, "AUTHENTICATE PLAIN", _imap_plain),
    _way(IMAP, "AUTHENTICATE LOGIN", _login_by(b"a AUTHENTICATE LOGIN", IMAP)),
    _way(POP3, "USER", _pass),
    _way(POP3, "AUTH PLAIN", _auth_plain),
    _way(POP3, "AUTH LOGIN", _login_by(b"AUTH LOGIN", POP3)),
    _way(SMTP, "AUTH PLAIN", _auth_plain),
    _way(SMTP, "AUTH LOGIN", _login_by(b"AUTH LOGIN", SMTP)),
    _way(SIEVE, "PLAIN", _sieve_plain),
    _way(SIEVE, "LOGIN", _login_by(b'AUTHENTICATE "LOGIN"', SIEVE)),
)
