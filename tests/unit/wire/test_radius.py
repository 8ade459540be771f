"""RADIUS packets: what is read, what is not, what proves them, and what replies look like."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doors.radius_client import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCOUNTING_REQUEST,
    CALLING_STATION,
    CHAP_PASSWORD,
    CLASS,
    EAP_MESSAGE,
    NAS_IDENTIFIER,
    PROOF,
    PROXY_STATE,
    REPLY_MESSAGE,
    STATUS_SERVER,
    USER_NAME,
    USER_PASSWORD,
    Ask,
    attribute,
    checked,
    packet_of,
    signed,
)

from valetkey.wire.machine import PeerError
from valetkey.wire.radius import MAX_DATAGRAM, read_request

SECRET = b"secret of the peer"
ASK = Ask(password=b"otter lamp")


def test_a_request_is_read():
    request = read_request(ASK.octets)
    assert (request.name, request.service, request.client) == (b"alice@example.org", b"imap", b"198.51.100.7")
    assert request.is_pap
    assert request.is_signed
    assert not request.is_status
    assert request.is_proven_by(SECRET)
    assert not request.is_proven_by(b"another")
    assert request.password(SECRET) == b"otter lamp"


def test_the_example_of_the_rfc():
    """RFC 2865 7.1."""
    octets = bytes.fromhex(
        "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a80110050600000003"
    )
    request = read_request(octets)
    assert request.name == b"nemo"
    assert request.password(b"xyzzy5461") == b"arctangent"
    assert request.is_proven_by(b"xyzzy5461")
    assert not request.is_proven_by(b"xyzzy5462")


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 127, 128])
def test_passwords_of_every_length(length: int):
    assert read_request(ASK.but(password=b"x" * length).octets).password(SECRET) == b"x" * length


@given(st.binary(max_size=128).filter(lambda octets: not octets.endswith(b"\0")))
def test_passwords_of_every_octet(password: bytes):
    assert read_request(ASK.but(password=password).octets).password(SECRET) == password


def test_nothing_secret_is_printed():
    assert "otter" not in repr(read_request(ASK.octets))


def test_octets_behind_the_packet_are_padding():
    assert read_request(ASK.octets + b"padding").is_proven_by(SECRET)


@pytest.mark.parametrize("number", range(len(ASK.octets)))
def test_a_request_that_was_cut_or_changed_is_not_proven(number: int):
    octets = ASK.octets
    assert not proven(octets[:number])
    for change in (1, 0x80, 0xFF):
        changed = bytearray(octets)
        changed[number] ^= change
        assert not proven(bytes(changed))


def proven(octets: bytes) -> bool:
    try:
        request = read_request(octets)
    except PeerError:
        return False
    return request.is_signed and request.is_proven_by(SECRET)


@given(
    st.binary(max_size=200)
    | st.builds(lambda head, rest: head + rest, st.just(ASK.octets[:20]), st.binary(max_size=200))
)
def test_no_octets_do_anything_but_be_refused_or_read(octets: bytes):
    try:
        request = read_request(octets)
    except PeerError:
        return
    assert not (request.is_signed and request.is_proven_by(SECRET))
    request.password(SECRET)
    assert len(request.reject(SECRET, "x" * 1000)) <= MAX_DATAGRAM


attributes = st.lists(
    st.builds(attribute, st.sampled_from([1, 2, 3, 24, 26, 31, 32, 33, 79, 80, 200]), st.binary(max_size=60)),
    max_size=70,
).map(b"".join)


@given(attributes)
def test_every_well_formed_packet_that_is_read_can_be_answered(more: bytes):
    ask = ASK.but(name=None, password=None, service=None, client=None, more=more)
    try:
        request = read_request(ask.octets)
    except PeerError:
        return
    if request.is_proven_by(SECRET):
        reply = checked(request.reject(SECRET, "no"), ask)
        states = [value for kind, value in _taken(more) if kind == PROXY_STATE]
        assert reply.values(PROXY_STATE) == states


def _taken(octets: bytes) -> list[tuple[int, bytes]]:
    found = []
    while octets:
        found.append((octets[0], octets[2 : octets[1]]))
        octets = octets[octets[1] :]
    return found


@pytest.mark.parametrize("code", [0, 2, 3, ACCOUNTING_REQUEST, 5, 11, 13, 40, 43, 255])
def test_other_codes_are_no_requests_of_ours(code: int):
    with pytest.raises(PeerError):
        read_request(ASK.but(code=code).octets)


@pytest.mark.parametrize("more", [
    attribute(USER_NAME, b"bob"), attribute(USER_PASSWORD, b"x" * 16), attribute(PROOF, bytes(16)),
    attribute(CALLING_STATION, b"10.0.0.1"), attribute(NAS_IDENTIFIER, b"pop3"),
    attribute(CHAP_PASSWORD, b"x" * 17) * 2,
    attribute(PROXY_STATE, b"x") * 65, attribute(PROXY_STATE, b"x" * 250) * 9,
    b"\x01", b"\x01\x00", b"\x01\x01", b"\x01\x03",
])  # fmt: skip
def test_what_may_not_be_in_a_request(more: bytes):
    with pytest.raises(PeerError):
        read_request(ASK.but(more=more).octets)


@pytest.mark.parametrize("length", [1, 15, 17, 144])
def test_a_password_has_a_length_that_it_can_have(length: int):
    with pytest.raises(PeerError):
        read_request(ASK.but(password=None, more=attribute(USER_PASSWORD, b"x" * length)).octets)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_proof_has_sixteen_octets(length: int):
    with pytest.raises(PeerError):
        read_request(ASK.but(is_signed=False, more=attribute(PROOF, bytes(length))).octets)


def test_a_datagram_that_is_too_long():
    filling = attribute(24, b"x" * 253) * 16
    with pytest.raises(PeerError):
        read_request(ASK.but(more=filling).octets)


def test_what_is_not_pap():
    assert not read_request(ASK.but(password=None).octets).is_pap
    assert not read_request(ASK.but(more=attribute(CHAP_PASSWORD, b"x" * 17)).octets).is_pap
    assert not read_request(ASK.but(more=attribute(EAP_MESSAGE, b"x")).octets).is_pap


def test_without_a_proof_a_password_that_can_be_read_shows_the_secret():
    ask = ASK.but(is_signed=False)
    assert read_request(ask.octets).is_proven_by(SECRET)
    assert not read_request(ask.octets).is_proven_by(b"another")
    assert read_request(ASK.but(is_signed=False, password="Mädchen".encode()).octets).is_proven_by(SECRET)
    assert not read_request(ASK.but(is_signed=False, password=b"a\x01b").octets).is_proven_by(SECRET)
    assert not read_request(ASK.but(is_signed=False, password=b"a\xffb").octets).is_proven_by(SECRET)


def test_without_a_proof_nothing_that_a_forger_needs():
    """CVE-2024-3596: the collision is put into Proxy-State, which the reply repeats."""
    assert not read_request(ASK.but(is_signed=False, more=attribute(PROXY_STATE, b"x")).octets).is_proven_by(SECRET)
    assert not read_request(ASK.but(is_signed=False, password=None).octets).is_proven_by(SECRET)
    assert not read_request(ASK.but(is_signed=False, code=STATUS_SERVER).octets).is_proven_by(SECRET)


def test_replies_are_proven_and_say_what_they_should():
    more = attribute(PROXY_STATE, b"first") + attribute(PROXY_STATE, b"") + attribute(PROXY_STATE, b"last")
    ask = ASK.but(more=more)
    request = read_request(ask.octets)
    accept = checked(request.accept(SECRET, "ap_1"), ask)
    assert accept.code == ACCESS_ACCEPT
    assert accept.values(CLASS) == [b"ap_1"]
    assert accept.values(PROXY_STATE) == [b"first", b"", b"last"]
    reject = checked(request.reject(SECRET, "ä" * 200), ask)
    assert reject.code == ACCESS_REJECT
    assert reject.values(REPLY_MESSAGE) == ["ä".encode() * 126]
    assert checked(request.reject(SECRET), ask).values(REPLY_MESSAGE) == []


def test_a_header_that_lies():
    octets = ASK.octets
    for length in (0, 19, len(octets) - 1, len(octets) + 1, 0xFFFF):
        lying = octets[:2] + struct.pack("!H", length) + octets[4:]
        assert not proven(lying)


def test_a_proof_over_another_packet():
    ask = ASK.but()
    stolen = read_request(signed(packet_of(1, ask.identifier, ask.authenticator, attribute(PROOF, bytes(16))), SECRET))
    assert stolen.is_proven_by(SECRET)
    assert not stolen.is_pap
