import struct

import pytest
from tests.doors.proxy_headers import version_1, version_2

from valetkey.wire.machine import PeerError
from valetkey.wire.proxy import SIGNATURE, Local, Proxied, ProxyHeader, crc32c

FOUR = Proxied("203.0.113.9", 50123, "198.51.100.2", 993)
SIX = Proxied("2001:db8::9", 50123, "2001:db8::1", 993)
V2_BLOCK = bytes([203, 0, 113, 9, 198, 51, 100, 2]) + struct.pack("!HH", 50123, 993)


def _v2(command=0x21, family=0x11, block=V2_BLOCK, length=None):
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


def _tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def _with_checksum(block, *, correct=True):
    zeroed = _v2(block=block + _tlv(3, bytes(4)))
    value = crc32c(zeroed) ^ (0 if correct else 1)
    return _v2(block=block + _tlv(3, struct.pack("!I", value)))


@pytest.mark.parametrize("header", [FOUR, SIX])
@pytest.mark.parametrize("encode", [version_1, version_2])
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_header_in_pieces_and_what_follows_it(header, encode, piece):
    data = encode(header) + b"* what follows"
    reader = ProxyHeader()
    found, at = None, 0
    while found is None:
        found = reader.receive(data[at : at + piece])
        at += piece
    assert found == header
    assert reader.take_rest() + data[at:] == b"* what follows"


def test_v1_spelled_out():
    assert ProxyHeader().receive(b"PROXY TCP4 203.0.113.9 198.51.100.2 50123 993\r\n") == FOUR
    assert version_1(FOUR) == b"PROXY TCP4 203.0.113.9 198.51.100.2 50123 993\r\n"
    longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"
    assert ProxyHeader().receive(longest) == Local(is_unknown=True)
    assert ProxyHeader().receive(b"PROXY UNKNOWN\r\n") == Local(is_unknown=True)


def test_v2_spelled_out():
    assert ProxyHeader().receive(_v2()) == FOUR
    assert version_2(FOUR) == _v2()


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 203.0.113.9 198.51.100.2 50123 993\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.2 50123 993 \r\n",
        b"PROXY  TCP4 203.0.113.9 198.51.100.2 50123 993\r\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.2 50123\r\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.2 65536 993\r\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.2 050 993\r\n",
        b"PROXY TCP4 203.0.113.256 198.51.100.2 1 993\r\n",
        b"PROXY TCP4 203.0.113.09 198.51.100.2 1 993\r\n",
        b"PROXY TCP4 2001:db8::9 2001:db8::1 1 993\r\n",
        b"PROXY TCP6 203.0.113.9 198.51.100.2 1 993\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::1 1 993\r\n",
        b"PROXY UDP4 203.0.113.9 198.51.100.2 1 993\r\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.2 -1 993\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY " + b"x" * 120,
        b"a LOGIN alice secret\r\n",
        b"\r\n\r\n\0\r\nQUIX\n",
        b"\0",
    ],
)
def test_what_is_no_header_is_refused(line):
    with pytest.raises(PeerError) as caught:
        ProxyHeader().receive(line)
    assert "203.0" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        _v2(command=0x11),
        _v2(command=0x22),
        _v2(command=0x2F),
        _v2(family=0x41),
        _v2(family=0x13),
        _v2(family=0x01),
        _v2(block=V2_BLOCK[:-1]),
        _v2(family=0x21),
        _v2(family=0x31),
        _v2(length=4097, block=b""),
        _v2(block=V2_BLOCK + b"\x01"),
        _v2(block=V2_BLOCK + b"\x01\x00\x05abcd"),
        _v2(block=V2_BLOCK + _tlv(3, b"123")),
        _with_checksum(V2_BLOCK, correct=False),
    ],
)
def test_malformed_v2_is_refused(header):
    with pytest.raises(PeerError):
        ProxyHeader().receive(header)


def test_tlvs_are_passed_over_and_the_checksum_is_checked():
    block = V2_BLOCK + _tlv(0x01, b"h2") + _tlv(0x02, b"mail.example.test") + _tlv(0x20, bytes(300))
    assert ProxyHeader().receive(_v2(block=block)) == FOUR
    assert ProxyHeader().receive(_with_checksum(block)) == FOUR


def test_a_health_check_is_local_and_its_addresses_are_not_used():
    assert ProxyHeader().receive(_v2(command=0x20)) == Local()
    assert ProxyHeader().receive(_v2(command=0x20, family=0, block=b"")) == Local()
    assert ProxyHeader().receive(version_2(Local())) == Local()


@pytest.mark.parametrize(("family", "block"), [(0x00, b""), (0x12, V2_BLOCK), (0x31, bytes(216))])
def test_no_address_to_hold_a_rule_against(family, block):
    assert ProxyHeader().receive(_v2(family=family, block=block)) == Local(is_unknown=True)


def test_an_incomplete_header_waits():
    data = version_2(SIX)
    for end in range(len(data)):
        assert ProxyHeader().receive(data[:end]) is None
    assert ProxyHeader().receive(b"PROXY TCP4 203") is None
    assert ProxyHeader().receive(b"") is None


def test_only_one_header_is_read():
    reader = ProxyHeader()
    reader.receive(version_1(FOUR))
    with pytest.raises(RuntimeError):
        reader.receive(version_1(SIX))


def test_crc32c_of_rfc_3720():
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283
