"""An LDAP client for tests, its octets by hand from RFC 4511; it can be told to do wrong."""

import asyncio
from dataclasses import dataclass, field

from tests.doors.gateway_site import Talk

BASE = "dc=example"
SUCCESS, PROTOCOL_ERROR, NO_SASL, CRITICAL, BAD_NAME = 0, 2, 7, 12, 34
WRONG, NOT_ALLOWED, UNAVAILABLE, UNWILLING = 49, 50, 52, 53
BIND, SEARCH, EXTENDED = 0x60, 0x63, 0x77
ENTRY, DONE, DISCONNECTED = 0x64, 0x65, 0x78


def tlv(tag: int, *contents: bytes | str) -> bytes:
    """Write an element."""
    content = b"".join(each.encode() if isinstance(each, str) else each for each in contents)
    size = len(content)
    length = (
        bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2) if size < 0x10000 else b"\x84" + size.to_bytes(4)
    )
    return bytes([tag]) + length + content


def message(number: int, operation: bytes, *more: bytes) -> bytes:
    return tlv(0x30, tlv(0x02, number.to_bytes(4)), operation, *more)


def control(critical: bool) -> bytes:
    """Write the controls of a message: one that nobody knows."""
    return tlv(0xA0, tlv(0x30, tlv(0x04, "1.2.3.4"), *([tlv(0x01, b"\xff")] if critical else [])))


def bind(name: str | bytes, password: str | bytes, version: int = 3) -> bytes:
    return tlv(BIND, tlv(0x02, bytes([version])), tlv(0x04, name), tlv(0x80, password))


def equal(attribute: str, value: str | bytes) -> bytes:
    return tlv(0xA3, tlv(0x04, attribute), tlv(0x04, value))


def present(attribute: str) -> bytes:
    return tlv(0x87, attribute)


def every(*filters: bytes) -> bytes:
    return tlv(0xA0, *filters)


def either(*filters: bytes) -> bytes:
    return tlv(0xA1, *filters)


def none_of(wanted: bytes) -> bytes:
    return tlv(0xA2, wanted)


def begins(attribute: str, value: str) -> bytes:
    return tlv(0xA4, tlv(0x04, attribute), tlv(0x30, tlv(0x80, value)))


def login(name: str | bytes, service: str = "imap", **facts: str) -> bytes:
    """Write the filter that describes a login."""
    more = [equal(key, value) for key, value in facts.items()]
    return every(equal("uid", name), equal("service", service), *more)


def search(wanted: bytes, *attributes: str, base: str = BASE, scope: int = 2, types_only: bool = False) -> bytes:
    numbers = (tlv(0x0A, bytes([scope])), tlv(0x0A, b"\0"), tlv(0x02, b"\0"), tlv(0x02, b"\0"))
    wishes = tlv(0x30, *(tlv(0x04, each) for each in attributes))
    return tlv(SEARCH, tlv(0x04, base), *numbers, tlv(0x01, b"\xff" if types_only else b"\0"), wanted, wishes)


def extended(operation: str) -> bytes:
    return tlv(EXTENDED, tlv(0x80, operation))


@dataclass(frozen=True)
class Reply:
    """One message of a server."""

    number: int
    operation: int
    parts: list[tuple[int, bytes]] = field(repr=False)

    @property
    def code(self) -> int:
        return int.from_bytes(self.parts[0][1])

    @property
    def text(self) -> str:
        return self.parts[2][1].decode()

    @property
    def name(self) -> str:
        """The name of an entry."""
        return self.parts[0][1].decode()

    @property
    def attributes(self) -> dict[str, list[bytes]]:
        """The attributes of an entry."""
        found = {}
        for _, attribute in elements(self.parts[1][1]):
            (_, kind), (_, values) = elements(attribute)
            found[kind.decode()] = [value for _, value in elements(values)]
        return found


def elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Take apart what stands in an element."""
    found, at = [], 0
    while at < len(octets):
        tag, size, at = octets[at], octets[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(octets[at : at + count]), at + count
        found.append((tag, octets[at : at + size]))
        at += size
    return found


def reply_of(octets: bytes) -> Reply:
    ((_, body),) = elements(octets)
    (_, number), (operation, content) = elements(body)
    return Reply(int.from_bytes(number), operation, elements(content))


class Client:
    """A connection to a door for LDAP."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.number = 0

    async def send(self, operation: bytes, *more: bytes) -> int:
        self.number += 1
        await self.talk.say(message(self.number, operation, *more))
        return self.number

    async def reply(self) -> Reply:
        async with asyncio.timeout(30):
            head = await self.talk.reader.readexactly(2)
        if head[1] & 0x80:
            head += await self.talk.reader.readexactly(head[1] & 0x7F)
        size = int.from_bytes(head[2:]) if len(head) > 2 else head[1]
        return reply_of(head + await self.talk.reader.readexactly(size))

    async def ask(self, operation: bytes, *more: bytes) -> Reply:
        """Send a request and give its one reply."""
        number = await self.send(operation, *more)
        reply = await self.reply()
        assert reply.number == number
        return reply

    async def bind(self, name: str | bytes, password: str | bytes) -> int:
        return (await self.ask(bind(name, password))).code

    async def find(self, wanted: bytes, *attributes: str, **how: object) -> tuple[list[Reply], Reply]:
        """Search; gives the entries, and the end."""
        await self.send(search(wanted, *attributes, **how))  # type: ignore[arg-type]
        entries = []
        while (reply := await self.reply()).operation == ENTRY:
            entries.append(reply)
        return entries, reply

    async def name_for(self, wanted: bytes) -> str:
        """Search, and give the name of the one entry."""
        (entry,), done = await self.find(wanted)
        assert done.code == SUCCESS
        return entry.name
