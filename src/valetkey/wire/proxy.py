"""The PROXY protocol, versions 1 and 2: whom a trusted balancer connects (haproxy's proxy-protocol.txt).

The header is read from listed peers only and is never guessed at: who accepts it decides that before the first byte.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from valetkey.wire.machine import PeerError

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_LIMIT = 107
_V2_HEAD = 16
# The longest address block is 216 octets; balancers add TLVs with names and certificates of a few hundred.
_V2_LIMIT = 4096

_V1 = re.compile(rb"PROXY (TCP4|TCP6) ([0-9a-fA-F:.]{2,39}) ([0-9a-fA-F:.]{2,39}) ([0-9]{1,5}) ([0-9]{1,5})\r\n")
_V1_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_PORT_LIMIT = 65535

# Of each address family: what it is called, how long its two addresses and ports are.
_FAMILIES = {0x10: ("!4s4sHH", 12), 0x20: ("!16s16sHH", 36)}
_UNIX_LENGTH = 216
_STREAM = 0x01
_LOCAL, _PROXY = 0x20, 0x21  # version 2 and its commands; of LOCAL the addresses are not to be used
_TLV_CRC32C = 0x03
_CRC32C_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Proxied:
    """A connection that the peer passes on for someone else. Addresses are in canonical text."""

    source: str
    source_port: int
    destination: str
    destination_port: int


@dataclass(frozen=True, slots=True)
class Local:
    """A connection of the peer's own, such as a health check; or one whose origin it says it does not know.

    Where `is_unknown` holds, the peer's address must not be taken for the client's.
    """

    is_unknown: bool = False


class ProxyHeader:
    """Reads one header that arrives in slices."""

    __slots__ = ("_data", "_done")

    def __init__(self) -> None:
        self._data = bytearray()
        self._done = False

    def receive(self, data: bytes | memoryview) -> Proxied | Local | None:
        """Take bytes that arrived; give the header once it is complete, None before.

        Raises:
            PeerError: This is no PROXY header, or it is malformed. The connection must be closed.
        """
        if self._done:
            raise RuntimeError("The header was read already")
        self._data += data
        start = bytes(self._data[: len(SIGNATURE)])
        if SIGNATURE.startswith(start):
            header = self._read_v2() if len(start) == len(SIGNATURE) else None
        elif b"PROXY ".startswith(start[:6]):
            header = self._read_v1()
        else:
            raise PeerError("The connection does not begin with a PROXY header")
        self._done = header is not None
        return header

    def take_rest(self) -> bytes:
        """Take what has arrived behind the header."""
        rest = bytes(self._data)
        self._data.clear()
        return rest

    def _read_v1(self) -> Proxied | Local | None:
        end = self._data.find(b"\n", 0, _V1_LIMIT)
        if end < 0:
            if len(self._data) >= _V1_LIMIT:
                raise PeerError("The PROXY line is too long")
            return None
        line = bytes(self._data[: end + 1])
        del self._data[: end + 1]
        if _V1_UNKNOWN.fullmatch(line):
            return Local(is_unknown=True)
        found = _V1.fullmatch(line)
        if found is None:
            raise _malformed()
        return _v1_proxied(found)

    def _read_v2(self) -> Proxied | Local | None:
        if len(self._data) < _V2_HEAD:
            return None
        command, family, length = struct.unpack_from("!BBH", self._data, len(SIGNATURE))
        if length > _V2_LIMIT:
            raise PeerError("The PROXY header is too long")
        if len(self._data) < _V2_HEAD + length:
            return None
        header = bytes(self._data[: _V2_HEAD + length])
        del self._data[: _V2_HEAD + length]
        return _v2_header(command, family, header)


def _v1_proxied(found: re.Match[bytes]) -> Proxied:
    parse = ipaddress.IPv4Address if found[1] == b"TCP4" else ipaddress.IPv6Address
    texts = [group.decode("ascii") for group in found.groups()[1:]]
    if any(len(port) > 1 and port.startswith("0") for port in texts[2:]):
        raise _malformed()
    ports = [int(port) for port in texts[2:]]
    if max(ports) > _PORT_LIMIT:
        raise _malformed()
    try:
        source, destination = (str(parse(text)) for text in texts[:2])
    except ValueError:
        raise _malformed() from None
    return Proxied(source, ports[0], destination, ports[1])


def _v2_header(command: int, family: int, header: bytes) -> Proxied | Local:
    if command not in (_LOCAL, _PROXY):
        raise PeerError("The PROXY header has an unknown version or command")
    block = header[_V2_HEAD:]
    if command == _LOCAL:
        return Local()
    if family not in (0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32):
        raise PeerError("The PROXY header has an unknown address family")
    known = _FAMILIES.get(family & 0xF0)
    length = known[1] if known else _UNIX_LENGTH if family else 0
    if len(block) < length:
        raise PeerError("The PROXY header's addresses are cut off")
    _check_tlvs(header, _V2_HEAD + length)
    if known is None or family & 0x0F != _STREAM:
        # A unix socket or datagrams: nothing that a network rule could be held against.
        return Local(is_unknown=True)
    source, destination, source_port, destination_port = struct.unpack_from(known[0], block)
    return Proxied(_address(source), source_port, _address(destination), destination_port)


def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def _check_tlvs(header: bytes, start: int) -> None:
    for kind, position, length in _tlvs(header, start):
        if kind != _TLV_CRC32C:
            continue
        if length != _CRC32C_LENGTH:
            raise _malformed()
        (stated,) = struct.unpack_from("!I", header, position)
        # The sum is taken with its own field set to zero (2.2.5).
        if crc32c(header[:position] + bytes(4) + header[position + 4 :]) != stated:
            raise PeerError("The PROXY header's checksum is wrong")


def _tlvs(header: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """Give kind, position of the value and its length of each TLV."""
    while position < len(header):
        if position + 3 > len(header):
            raise _malformed()
        kind, length = struct.unpack_from("!BH", header, position)
        position += 3
        if position + length > len(header):
            raise _malformed()
        yield kind, position, length
        position += length


def _malformed() -> PeerError:
    return PeerError("The PROXY header is malformed")


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C = _crc32c_table()


def crc32c(data: bytes) -> int:
    """Compute the CRC32c of RFC 3720 12.1 (reflected, polynomial 0x1EDC6F41)."""
    value = 0xFFFFFFFF
    for octet in data:
        value = (value >> 8) ^ _CRC32C[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
