"""A RADIUS client for tests, by hand from RFC 2865 and RFC 3579; it can be told to do wrong."""

import asyncio
import hashlib
import hmac
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, ACCOUNTING_REQUEST, STATUS_SERVER = 1, 2, 3, 4, 12
USER_NAME, USER_PASSWORD, CHAP_PASSWORD, REPLY_MESSAGE, CLASS = 1, 2, 3, 18, 25
CALLING_STATION, NAS_IDENTIFIER, PROXY_STATE, EAP_MESSAGE, PROOF = 31, 32, 33, 79, 80
HEADER = 20


def attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value) + 2]) + value


def hidden(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """Hide a password (RFC 2865 5.2)."""
    padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
    last, result = authenticator, b""
    for start in range(0, len(padded), 16):
        mask = hashlib.md5(secret + last).digest()
        last = bytes(a ^ b for a, b in zip(padded[start : start + 16], mask, strict=True))
        result += last
    return result


def signed(packet: bytes, secret: bytes, authenticator: bytes | None = None) -> bytes:
    """Put the proof into a packet whose Message-Authenticator is sixteen zeros; of a reply with its request's authenticator."""
    at = proof_at(packet)
    vector = packet[4:HEADER] if authenticator is None else authenticator
    digest = hmac.digest(secret, packet[:4] + vector + packet[HEADER:], "md5")
    return packet[:at] + digest + packet[at + 16 :]


def proof_at(packet: bytes) -> int:
    at = HEADER
    while at < len(packet):
        if packet[at] == PROOF:
            return at + 2
        at += packet[at + 1]
    raise AssertionError("it has no Message-Authenticator")


def packet_of(code: int, identifier: int, authenticator: bytes, attributes: bytes) -> bytes:
    return struct.pack("!BBH16s", code, identifier, HEADER + len(attributes), authenticator) + attributes


@dataclass(frozen=True)
class Ask:
    """One request; an attribute that is None is left out."""

    name: bytes | None = b"alice@example.org"
    password: bytes | None = b""
    secret: bytes = b"secret of the peer"
    service: bytes | None = b"imap"
    client: bytes | None = b"198.51.100.7"
    more: bytes = b""
    is_signed: bool = True
    code: int = ACCESS_REQUEST
    identifier: int = field(default_factory=lambda: secrets.randbelow(256))
    authenticator: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def but(self, **changes: object) -> "Ask":
        """Give another request, with another authenticator."""
        fresh = {"authenticator": secrets.token_bytes(16), "identifier": secrets.randbelow(256)}
        return replace(self, **(fresh | changes))  # type: ignore[arg-type]

    @property
    def octets(self) -> bytes:
        attributes = attribute(PROOF, bytes(16)) if self.is_signed else b""
        if self.name is not None:
            attributes += attribute(USER_NAME, self.name)
        if self.password is not None:
            attributes += attribute(USER_PASSWORD, hidden(self.password, self.secret, self.authenticator))
        if self.service is not None:
            attributes += attribute(NAS_IDENTIFIER, self.service)
        if self.client is not None:
            attributes += attribute(CALLING_STATION, self.client)
        packet = packet_of(self.code, self.identifier, self.authenticator, attributes + self.more)
        return signed(packet, self.secret) if self.is_signed else packet


@dataclass(frozen=True)
class Reply:
    """A reply whose proofs were checked."""

    code: int
    attributes: tuple[tuple[int, bytes], ...]

    def values(self, kind: int) -> list[bytes]:
        return [value for found, value in self.attributes if found == kind]


def checked(octets: bytes, ask: Ask) -> Reply:
    """Read a reply as a careful client does: both proofs, and the Message-Authenticator first (RFC 3579, CVE-2024-3596)."""
    code, identifier, length, authenticator = struct.unpack("!BBH16s", octets[:HEADER])
    assert length == len(octets) <= 4096
    assert identifier == ask.identifier
    expected = hashlib.md5(octets[:4] + ask.authenticator + octets[HEADER:] + ask.secret).digest()
    assert authenticator == expected, "another Response Authenticator"
    assert octets[HEADER] == PROOF, "the Message-Authenticator is not first"
    at = proof_at(octets)
    blank = octets[:at] + bytes(16) + octets[at + 16 :]
    assert signed(blank, ask.secret, ask.authenticator)[at : at + 16] == octets[at : at + 16], "another proof"
    found, at = [], HEADER
    while at < length:
        found.append((octets[at], octets[at + 2 : at + octets[at + 1]]))
        at += octets[at + 1]
    return Reply(code, tuple(found))


class Client(asyncio.DatagramProtocol):
    """A socket of UDP that keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport
        self.gone = asyncio.Event()

    def connection_lost(self, _: Exception | None) -> None:
        self.gone.set()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.arrived.put_nowait(data)

    def send(self, octets: bytes) -> None:
        self.transport.sendto(octets)

    async def ask(self, ask: Ask, *, within: float = 30.0) -> Reply:
        """Send a request and give its reply."""
        self.send(ask.octets)
        return await self.reply(ask, within=within)

    async def reply(self, ask: Ask, *, within: float = 30.0) -> Reply:
        async with asyncio.timeout(within):
            return checked(await self.arrived.get(), ask)

    async def hears_nothing_of(self, *datagrams: bytes, then: Ask) -> Reply:
        """Send datagrams that get no reply, and then a request; its reply has to be the first that arrives."""
        for octets in datagrams:
            self.send(octets)
        return await self.ask(then)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """Open a client towards a port of localhost."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", port))
    client.transport = transport
    try:
        yield client
    finally:
        client.transport.close()
        await client.gone.wait()
