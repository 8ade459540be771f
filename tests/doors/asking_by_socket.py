"""The ways in over sockets of one protocol each: SASL, saslauthd, authdaemon, RADIUS, and Postfix's policy service."""

import asyncio
from typing import TYPE_CHECKING, Any

from tests.doors.asking_as_client import b64, plain
from tests.doors.radius_client import (
    ACCESS_ACCEPT,
    CHAP_PASSWORD,
    CLASS,
    REPLY_MESSAGE,
    Ask,
    attribute,
    checked,
    connected,
)
from tests.doors.ways_in import ALL_PROTOCOLS, IMAP, SMTP, Asker, Login, Shown, Way, octets_of

from valetkey.core.limits import Held
from valetkey.core.tagged_name import tagged
from valetkey.doors.asked.settings import DoorKind

if TYPE_CHECKING:
    from tests.doors.every_door import EveryDoor, Line

_HELLO = b"VERSION\t1\t0\nCPID\t4711\n"
_PATIENCE = 30.0
_SETTLED = frozenset({"unanswered", "turned-away", "unproven", "misunderstood", "too-many"})


async def asked_once(site: "EveryDoor", kind: DoorKind, asker: Asker, octets: bytes) -> bytes:
    """Send octets on a connection of their own and give all that is answered."""
    line = await site.connect(kind, asker)
    try:
        await line.say(octets)
        return await line.rest()
    finally:
        line.close()


# Dovecot's auth-client protocol


def sasl_facts(login: Login) -> bytes:
    """Write what Postfix says of a login beside the client's response."""
    place = f"\trip={login.address}" if login.address else ""
    return f"service={login.protocol.value}{place}{chr(9) + 'secured' if login.tls else ''}".encode()


async def introduced(site: "EveryDoor", asker: Asker) -> "Line":
    """Connect, hear the handshake and say who we are."""
    line = await site.connect(DoorKind.SASL, asker)
    await line.until("DONE")
    await line.say(_HELLO)
    return line


async def _answer(line: "Line") -> str:
    return await line.until("OK", "FAIL")


def _sasl(mechanism: str, steps: Any) -> Any:
    async def ask(site: "EveryDoor", asker: Asker, login: Login) -> str:
        line = await introduced(site, asker)
        try:
            first, *others = steps(login)
            start = b"AUTH\t1\t%b\t%b" % (mechanism.encode(), sasl_facts(login))
            await line.say(start + (b"" if first is None else b"\tresp=" + first) + b"\n")
            for response in others:
                said = await line.until("CONT", "OK", "FAIL")
                if not said.startswith("CONT"):
                    return said
                await line.say(b"CONT\t1\t%b\n" % response)
            return await _answer(line)
        finally:
            line.close()

    return ask


def _bearer(login: Login) -> list[bytes]:
    return [b64(octets_of(f"user={login.name}\1auth=Bearer {_token(login)}\1\1")), b""]


def _oauthbearer(login: Login) -> list[bytes]:
    return [b64(octets_of(f"n,a={login.name},\1auth=Bearer {_token(login)}\1\1")), b64(b"\1")]


def _token(login: Login) -> str:
    return login.secret.replace(" ", "-")  # a token has no blanks


def _login(login: Login) -> list[bytes | None]:
    return [None, b64(octets_of(login.name)), b64(octets_of(login.secret))]


# saslauthd and authdaemon


def saslauthd_request(login: Login) -> bytes:
    """Write a question of libsasl's."""
    return counted(login.name, login.secret, login.protocol.value, "")


def counted(*strings: str | bytes) -> bytes:
    """Write strings with their lengths before them."""
    octets = [octets_of(each) if isinstance(each, str) else each for each in strings]
    return b"".join(len(each).to_bytes(2) + each for each in octets)


async def _saslauthd(site: "EveryDoor", asker: Asker, login: Login) -> str:
    reply = await asked_once(site, DoorKind.SASLAUTHD, asker, saslauthd_request(login))
    assert len(reply) in {0, int.from_bytes(reply[:2]) + 2}
    return reply[2:].decode()


def authdaemon_request(login: Login, mechanism: str = "login") -> bytes:
    """Write a request of Courier's."""
    body = octets_of("\n".join((login.protocol.value, mechanism, login.name, login.secret, "")))
    place = f"TCPREMOTEIP=::ffff:{login.address}\n" if login.address else ""
    return place.encode() + b"AUTH %d\n%b" % (len(body), body)


def _authdaemon(mechanism: str) -> Any:
    async def ask(site: "EveryDoor", asker: Asker, login: Login) -> str:
        request = authdaemon_request(login, mechanism)
        if mechanism == "PRE":
            request = octets_of(f"PRE . {login.protocol.value} {login.name}\n")
        return " ".join((await asked_once(site, DoorKind.AUTHDAEMON, asker, request)).decode().splitlines())

    return ask


# RADIUS


def radius_ask(login: Login) -> Ask:
    """Give a request as FreeRADIUS makes it of a PAM login."""
    return Ask(
        name=octets_of(login.name),
        password=octets_of(login.secret),
        secret=login.peer_secret.encode(),
        service=login.protocol.value.encode(),
        client=login.address.encode() or None,
    )


async def _heard(site: "EveryDoor", asker: Asker, ask: Ask) -> str:
    """Give the reply in words; "silence" once the door has settled to send none."""
    before = _silences(site)
    async with connected(site.port(DoorKind.RADIUS, asker)) as client:
        client.send(ask.octets)
        async with asyncio.timeout(_PATIENCE):
            while client.arrived.empty() and _silences(site) == before:
                await asyncio.sleep(0.001)
        for _ in range(3):
            await asyncio.sleep(0)  # a reply behind the silence would be seen
        if client.arrived.empty():
            return "silence"
        reply = checked(client.arrived.get_nowait(), ask)
    word = "accept" if reply.code == ACCESS_ACCEPT else "reject"
    class_ = [f"class={value.decode()}" for value in reply.values(CLASS)]
    return " ".join([word, *class_, *(f"message={value.decode()}" for value in reply.values(REPLY_MESSAGE))])


def _silences(site: "EveryDoor") -> float:
    return site.requests("radius", *_SETTLED)


async def _pap(site: "EveryDoor", asker: Asker, login: Login) -> str:
    return await _heard(site, asker, radius_ask(login))


async def _chap(site: "EveryDoor", asker: Asker, login: Login) -> str:
    ask = radius_ask(login).but(password=None, more=attribute(CHAP_PASSWORD, bytes(17)))
    return await _heard(site, asker, ask)


# Postfix's policy service


def policy_request(login: Login, state: str = "RCPT") -> bytes:
    """Write a request about a message of who logged in with an app password."""
    facts = {
        "request": "smtpd_access_policy",
        "protocol_state": state,
        "client_address": login.address or "unknown",
        "sender": login.name,
        "recipient": "bob@example.net",
        "recipient_count": "0",
        "instance": "3c26.6b000890.bcb3b.0",
        "sasl_method": "PLAIN",
        "sasl_username": tagged(login.name, login.app_password),
        "encryption_protocol": "TLSv1.3" if login.tls else "",
    }
    return octets_of("".join(f"{key}={value}\n" for key, value in facts.items())) + b"\n"


async def _policy(site: "EveryDoor", asker: Asker, login: Login) -> str:
    line = await site.connect(DoorKind.POLICY, asker)
    try:
        await line.say(policy_request(login))
        return await line.until("action=")
    finally:
        line.close()


_SENDING = {SMTP: frozenset({Held.SENDING, Held.RECIPIENTS})}
_AT_ITS_PLACE: Any = {"is_for_listed": False, "tells_tls": False}

WAYS = (
    Way("sasl", "PLAIN", "sasl", ALL_PROTOCOLS, _sasl("PLAIN", lambda login: [plain(login)]), holds=_SENDING),
    Way("sasl", "PLAIN asked for", "sasl", (SMTP,), _sasl("PLAIN", lambda login: [None, plain(login)]), holds=_SENDING),
    Way("sasl", "LOGIN", "sasl", ALL_PROTOCOLS, _sasl("LOGIN", _login), holds=_SENDING),
    Way("sasl", "XOAUTH2", "sasl", (SMTP,), _sasl("XOAUTH2", _bearer), opens=False),
    Way("sasl", "OAUTHBEARER", "sasl", (IMAP,), _sasl("OAUTHBEARER", _oauthbearer), opens=False),
    Way("saslauthd", "password", "saslauthd", ALL_PROTOCOLS, _saslauthd, tells_address=False, keeps_name=True, **_AT_ITS_PLACE),
    Way("authdaemon", "login", "authdaemon", ALL_PROTOCOLS, _authdaemon("login"), **_AT_ITS_PLACE),
    Way("authdaemon", "cram-md5", "authdaemon", (IMAP,), _authdaemon("cram-md5"), opens=False, **_AT_ITS_PLACE),
    Way("authdaemon", "PRE", "authdaemon", (IMAP,), _authdaemon("PRE"), opens=False, **_AT_ITS_PLACE),
    Way(
        "radius", "PAP", "radius", ALL_PROTOCOLS, _pap,
        tells_tls=False, keeps_name=True, has_peer_secret=True,
    ),
    Way("radius", "CHAP", "radius", (IMAP,), _chap, opens=False, has_peer_secret=True),
    Way("policy", "RCPT", "policy", (SMTP,), _policy, shown=Shown.PROVEN, holds=_SENDING, holds_itself=True, is_in_use=True),
)  # fmt: skip
