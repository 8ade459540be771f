"""Whole logins in one piece of octets each, for tests that cut, change and repeat them; and rough ways to send them."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.doors import asking_by_http, asking_by_socket, ldap_client
from tests.doors.asking_as_client import plain
from tests.doors.asking_by_ldap import escaped
from tests.doors.every_door import Line
from tests.doors.ways_in import IMAP, PEER, POP3, SIEVE, SMTP, Asker, Login, octets_of

from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import DoorKind

if TYPE_CHECKING:
    from tests.doors.every_door import EveryDoor

_PATIENCE = 30.0
_PROXY = b"PROXY TCP4 198.51.100.7 192.0.2.1 50000 993\r\n"


@dataclass(frozen=True)
class Frame:
    """What somebody sends who logs in, without waiting for any answer in between."""

    name: str
    door: DoorKind | MailProtocol  # a protocol: the gateway's
    octets: Callable[[Login], bytes] = field(repr=False)
    pass_word: bytes = b""  # what stands in an answer that lets in; empty: no login is decided there

    def __str__(self) -> str:
        return self.name

    def passes(self, answer: bytes) -> bool:
        """Tell whether this answer lets somebody in."""
        return bool(self.pass_word) and self.pass_word in answer

    async def connect(self, site: "EveryDoor") -> Line:
        """Connect to the door, as somebody whom it listens to."""
        if isinstance(self.door, MailProtocol):
            return await site.connect_gateway(self.door, Asker.HOLDING)
        return await site.connect(self.door, Asker.HOLDING)


def _sasl(login: Login) -> bytes:
    facts = asking_by_socket.sasl_facts(login)
    return b"VERSION\t1\t0\nCPID\t4711\nAUTH\t1\tPLAIN\t%b\tresp=%b\n" % (facts, plain(login))


def _ldap(login: Login) -> bytes:
    name = f"uid={escaped(login.name)},service={login.protocol.value},rip={login.address},tls=TLS,{ldap_client.BASE}"
    server = ldap_client.bind(f"cn={PEER},{ldap_client.BASE}", login.peer_secret)
    person = ldap_client.bind(octets_of(name), octets_of(login.secret))
    return ldap_client.message(1, server) + ldap_client.message(2, person)


def _socketmap(login: Login) -> bytes:
    request = b"login " + octets_of(login.name)
    return b"%d:%b," % (len(request), request)


def _imap(login: Login) -> bytes:
    name, secret = octets_of(login.name), octets_of(login.secret)
    return _PROXY + b"a LOGIN {%d+}\r\n%b {%d+}\r\n%b\r\n" % (len(name), name, len(secret), secret)


def _auth(before: bytes) -> Callable[[Login], bytes]:
    return lambda login: _PROXY + before + b"AUTH PLAIN %b\r\n" % plain(login)


def _sieve(login: Login) -> bytes:
    return _PROXY + b'AUTHENTICATE "PLAIN" "%b"\r\n' % plain(login)


FRAMES = (
    Frame("Dovecot's Lua", DoorKind.HTTP, asking_by_http.lua_request, b'"result": "ok"'),
    Frame("oauth2", DoorKind.HTTP, asking_by_http.token_request, b'"active": "true"'),
    Frame("auth_policy", DoorKind.HTTP, asking_by_http.policy_request),
    Frame("nginx", DoorKind.HTTP, asking_by_http.nginx_request, b"auth-status: OK"),
    Frame("SASL", DoorKind.SASL, _sasl, b"\nOK\t1"),
    Frame("saslauthd", DoorKind.SASLAUTHD, asking_by_socket.saslauthd_request, b"\0\2OK"),
    Frame("authdaemon", DoorKind.AUTHDAEMON, asking_by_socket.authdaemon_request, b"ADDRESS="),
    Frame("policy service", DoorKind.POLICY, asking_by_socket.policy_request),
    Frame("socketmap", DoorKind.SOCKETMAP, _socketmap),
    Frame("LDAP", DoorKind.LDAP, _ldap, b"\x02\x01\x02\x61\x07\x0a\x01\x00"),
    Frame("gateway IMAP", IMAP, _imap, b"a OK "),
    Frame("gateway POP3", POP3, _auth(b""), b"+OK Logged in"),
    Frame("gateway SMTP", SMTP, _auth(b"EHLO client.example.org\r\n"), b"235 "),
    Frame("gateway ManageSieve", SIEVE, _sieve, b'OK "Logged in"'),
)


async def sent(site: "EveryDoor", frame: Frame, octets: bytes, *, pause: float = 0.0) -> bytes:
    """Send octets on a connection of their own, close our half, and give all that is answered.

    With a `pause` they are sent one by one, with so many seconds between.
    """
    line = await frame.connect(site)
    try:
        for at in range(len(octets)) if pause else ():
            await line.say(octets[at : at + 1])
            await asyncio.sleep(pause)
            if line.writer.transport.is_closing():
                break
        else:
            await line.say(b"" if pause else octets)
            with contextlib.suppress(OSError):
                line.writer.write_eof()
        async with asyncio.timeout(_PATIENCE):
            return await line.rest()
    finally:
        line.close()


def changed(octets: bytes, chance: Random) -> bytes:
    """Change a few octets of a frame: other ones, more, fewer, twice."""
    result = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(6):
            case 0:
                result[at : at + 1] = chance.randbytes(1)
            case 1:
                result[at:at] = chance.randbytes(chance.randint(1, 8))
            case 2:
                del result[at : at + chance.randint(1, 20)]
            case 3:
                result[at:at] = result[at : at + chance.randint(1, 40)]
            case 4:
                result[at : at + 1] = chance.choice((b"\0", b"\t", b"\r", b"\n", b"\xff", b"\x80", b"{", b"="))
            case _:
                return chance.randbytes(chance.randint(0, 300))
    return bytes(result)
