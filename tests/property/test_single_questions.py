"""saslauthd's and authdaemond's protocols, under whatever a peer may send."""

from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire.authdaemon import MOST_LINE, MOST_LOGIN, AuthdaemonServer, LoginAsked, OtherAsked
from valetkey.wire.machine import PeerError
from valetkey.wire.saslauthd import MOST_OCTETS, SaslauthdAsked, SaslauthdServer, saslauthd_reply

STRINGS = st.tuples(*(st.binary(max_size=most) for most in MOST_OCTETS))
WORDS = [
    *(b"AUTH 36\n", b"AUTH ", b"9", b"2048\n", b"imap\nlogin\n", b"imap", b"login", b"\n", b"alice\n", b"secret\n"),
    *(b"TCPREMOTEIP=", b"::1\n", b"PRE . imap alice\n", b"ENUMERATE\n", b"PASSWD ", b"\0", b"\xff", b" ", b"a" * 3000),
]
LINES = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=9)), max_size=20).map(b"".join)
VALUES = st.binary(max_size=300).filter(lambda value: b"\n" not in value)


def outcome(server: SaslauthdServer | AuthdaemonServer, pieces: list[bytes]) -> object:
    """Give what a machine makes of pieces: the first question, a refusal of the peer, or nothing yet."""
    try:
        for piece in pieces:
            server.receive(piece)
            if (asked := server.next_request()) is not None:
                return asked
    except PeerError as error:
        return str(error)
    return None


def cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)] or [b""]


@given(STRINGS, st.integers(1, 700))
def test_whatever_was_counted_is_read(strings, size):
    octets = b"".join(len(each).to_bytes(2) + each for each in strings)
    assert outcome(SaslauthdServer(), cut(octets, size)) == SaslauthdAsked(*strings)


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_saslauthd_makes_the_same_of_octets_however_they_arrive(octets, size):
    whole = outcome(SaslauthdServer(), [octets])
    assert isinstance(whole, SaslauthdAsked | str | None)
    assert outcome(SaslauthdServer(), cut(octets, size)) == whole


@given(st.booleans(), st.text(max_size=2000))
def test_an_answer_is_as_long_as_it_says(is_right, text):
    reply = saslauthd_reply(is_right=is_right, text=text)
    assert int.from_bytes(reply[:2]) == len(reply) - 2
    assert reply[2:4] == (b"OK" if is_right else b"NO")


@given(VALUES, VALUES, st.sampled_from([b"", b"::1", b"198.51.100.7"]), st.integers(1, 700))
def test_every_login_of_courier_is_read(name, password, client, size):
    body = b"\n".join((b"imap", b"login", name, password, b""))
    octets = (b"TCPREMOTEIP=" + client + b"\n" if client else b"") + b"AUTH %d\n%s" % (len(body), body)
    assert outcome(AuthdaemonServer(), cut(octets, size)) == LoginAsked(b"imap", b"login", name, password, client)


@given(st.one_of(st.binary(max_size=5000), LINES), st.integers(1, 700))
def test_authdaemond_makes_the_same_of_octets_however_they_arrive(octets, size):
    whole = outcome(AuthdaemonServer(), [octets])
    assert isinstance(whole, LoginAsked | OtherAsked | str | None)
    assert outcome(AuthdaemonServer(), cut(octets, size)) == whole


@given(LINES)
def test_courier_never_makes_us_hold_more_than_a_request(octets):
    """Whoever is not understood after the longest request there is was refused."""
    if outcome(AuthdaemonServer(), [octets]) is None:
        assert len(octets) < 2 * MOST_LINE + MOST_LOGIN
