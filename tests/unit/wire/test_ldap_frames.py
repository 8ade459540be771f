import pytest
from tests.doors.ldap_client import bind, message, tlv

from valetkey.wire.ldap_frames import MOST_DEPTH, MOST_ELEMENTS, MOST_MESSAGE, LdapFrames
from valetkey.wire.machine import PeerError

A_BIND = message(1, bind("cn=mx1", "secret"))


def frames(octets: bytes) -> LdapFrames:
    found = LdapFrames()
    found.receive(octets)
    return found


def test_messages_are_cut_however_they_arrive():
    stream = A_BIND * 3
    for size in (1, 2, 3, 7, 50, len(stream)):
        machine, found = LdapFrames(), []
        for at in range(0, len(stream), size):
            machine.receive(stream[at : at + size])
            while (frame := machine.next_message()) is not None:
                found.append(frame)
        assert [(each.number, each.operation, each.octets) for each in found] == [(1, 0x60, A_BIND)] * 3
        assert not machine.has_pending


def test_a_beginning_is_pending():
    for end in range(1, len(A_BIND)):
        machine = frames(A_BIND[:end])
        assert machine.next_message() is None
        assert machine.has_pending


@pytest.mark.parametrize("length", [b"\x81\x0c", b"\x82\0\x0c", b"\x83\0\0\x0c", b"\x84\0\0\0\x0c"])
def test_a_length_may_be_written_longer_than_it_needs(length):
    body = tlv(0x02, b"\x01") + bind("", "")
    assert len(body) == 0x0C
    frame = frames(b"\x30" + length + body).next_message()
    assert frame is not None
    assert frame.operation == 0x60


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",  # a TLS handshake
        b"\x31\x0c",
        b"\x30\x80",  # indefinite
        b"\x30\x85\0\0\0\0\x0c",
        b"\x30\xff",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x83" + (MOST_MESSAGE + 1).to_bytes(3),
    ],
)
def test_what_is_no_message_or_too_long_is_known_at_its_head(octets):
    with pytest.raises(PeerError):
        frames(octets).next_message()


def nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = tlv(0xA0, inner)
    return message(1, inner)


def test_nesting_is_bounded():
    assert frames(nested(MOST_DEPTH - 1)).next_message() is not None
    for depth in (MOST_DEPTH, 1_000, 12_000):
        with pytest.raises(PeerError, match="deep"):
            frames(nested(depth)).next_message()


def test_the_number_of_elements_is_bounded():
    with pytest.raises(PeerError, match="elements"):
        frames(message(1, tlv(0x63, tlv(0x04, "") * MOST_ELEMENTS))).next_message()


@pytest.mark.parametrize(
    "operation",
    [
        b"\x60\x05\x04\x10ab",  # longer than what is around it
        b"\x60\x01\x04",
        b"\x60\x80\x04\0\0\0",
        b"\x60\x02\x04\x80",
        tlv(0x60, tlv(0x24, tlv(0x04, "in pieces"))),
        tlv(0x60, b"\0\0"),
        b"\x7f\x81\x01\0",  # a tag of more than one octet
        b"",
    ],
)
def test_what_stands_in_a_message_is_well_formed(operation):
    with pytest.raises(PeerError):
        frames(message(1, operation)).next_message()


@pytest.mark.parametrize("number", [b"", b"\0", b"\xff", b"\x80\0\0\0", b"\0\xff\xff\xff\xff"])
def test_a_message_has_a_number_above_zero(number):
    with pytest.raises(PeerError):
        frames(tlv(0x30, tlv(0x02, number), tlv(0x42))).next_message()
    with pytest.raises(PeerError):
        frames(tlv(0x30, tlv(0x04, b"\1"), tlv(0x42))).next_message()
    with pytest.raises(PeerError):
        frames(tlv(0x30)).next_message()
