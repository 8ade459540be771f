"""The server's side of saslauthd's protocol."""

import pytest

from valetkey.wire.machine import PeerError
from valetkey.wire.saslauthd import MOST_OCTETS, SaslauthdAsked, SaslauthdServer, saslauthd_reply


def counted(*strings: bytes) -> bytes:
    return b"".join(len(each).to_bytes(2) + each for each in strings)


def read(octets: bytes) -> SaslauthdAsked | None:
    server = SaslauthdServer()
    server.receive(octets)
    return server.next_request()


def test_a_question_is_read_and_its_name_put_together_again():
    asked = read(counted(b"alice", b"secret", b"imap", b"example.org"))
    assert asked == SaslauthdAsked(b"alice", b"secret", b"imap", b"example.org")
    assert asked.login == b"alice@example.org"


def test_a_name_without_a_realm_stays_as_it_is():
    asked = read(counted(b"alice@example.org", b"secret", b"imap", b""))
    assert asked is not None
    assert asked.login == b"alice@example.org"


def test_a_question_may_come_octet_by_octet():
    octets = counted(b"alice", b"a\0b\xff", b"smtp", b"")
    server = SaslauthdServer()
    for number in range(len(octets) - 1):
        server.receive(octets[number : number + 1])
        assert server.next_request() is None
    server.receive(octets[-1:])
    assert server.next_request() == SaslauthdAsked(b"alice", b"a\0b\xff", b"smtp", b"")


def test_empty_strings_are_strings():
    assert read(counted(b"", b"", b"", b"")) == SaslauthdAsked(b"", b"", b"", b"")


@pytest.mark.parametrize("place", range(4))
def test_the_longest_strings_are_read_and_longer_ones_refused_at_their_count(place: int):
    longest = [b"x" * most for most in MOST_OCTETS]
    assert read(counted(*longest)) == SaslauthdAsked(*longest)
    counts = [most.to_bytes(2) + b"x" * most for most in MOST_OCTETS[:place]]
    with pytest.raises(PeerError, match="too long"):
        read(b"".join(counts) + (MOST_OCTETS[place] + 1).to_bytes(2))


def test_what_follows_a_question_is_not_read():
    assert read(counted(b"a", b"b", b"c", b"d") + b"\xff" * 99) == SaslauthdAsked(b"a", b"b", b"c", b"d")


def test_no_password_is_shown():
    assert "secret" not in repr(read(counted(b"alice", b"secret", b"imap", b"")))


@pytest.mark.parametrize(
    ("is_right", "text", "reply"),
    [
        (True, "", b"\0\2OK"),
        (False, "", b"\0\2NO"),
        (False, "It has expired", b"\0\x11NO It has expired"),
        (False, "é", b"\0\5NO \xc3\xa9"),
    ],
)
def test_answers_are_counted(is_right: bool, text: str, reply: bytes):
    assert saslauthd_reply(is_right=is_right, text=text) == reply


def test_an_answer_is_cut_to_what_libsasl_reads():
    assert len(saslauthd_reply(is_right=False, text="x" * 5000)) == 1002
