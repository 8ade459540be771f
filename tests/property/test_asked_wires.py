"""What mail servers ask by, under whatever a peer or a client of its may send."""

import base64
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire.bearer import BEARER_MECHANISMS, BearerServer
from valetkey.wire.dovecot_auth import AuthServer
from valetkey.wire.machine import LoginAsked, PeerError
from valetkey.wire.policy import PolicyServer
from valetkey.wire.sasl import MECHANISMS, SaslError
from valetkey.wire.socketmap import SocketmapServer

AUTH_WORDS = [
    *(b"VERSION\t1\t0", b"VERSION\t2", b"CPID\t1", b"AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFsaWNlAHNlY3JldA=="),
    *(
        b"AUTH\t2\tLOGIN",
        b"CONT\t2\tYWxpY2U=",
        b"CONT\t2\tc2VjcmV0",
        b"CANCEL\t2",
        b"AUTH\t3\tXOAUTH2\tresp=",
        b"CONT\t3\t",
    ),
    *(
        b"AUTH\t4\tXOAUTH2\tresp=dXNlcj1hbGljZQFhdXRoPUJlYXJlciB0b2tlbgEB",
        b"AUTH\t",
        b"\t",
        b"\1",
        b"\r",
        b"\0",
        b"\xff",
    ),
]
POLICY_WORDS = [
    b"request=smtpd_access_policy",
    b"request=x",
    b"a=b",
    b"a",
    b"=",
    b"sender=",
    b"recipient_count=2",
    b"\xff=\xff",
]
MAP_WORDS = [b"7:login a,", b"0:,", b"3:a b", b":", b"7:", b"login a", b",", b"99999999", b"1:x,", b"\xff"]


def streams(words, end=b"\n"):
    pieces = st.one_of(
        st.sampled_from(words).map(lambda word: word + end), st.sampled_from([*words, end]), st.binary(max_size=20)
    )
    return st.lists(pieces, max_size=25).map(b"".join)


def cut(data: bytes, cuts: list[int]):
    places = sorted({0, len(data), *(each % (len(data) + 1) for each in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def played(machine, pieces: list[bytes], next_event, answer=lambda _: None) -> tuple[list[object], bool]:
    """Feed a machine; give its events and whether the peer was found to break the protocol."""
    events = []
    try:
        for piece in pieces:
            machine.receive(piece)
            while (event := next_event()) is not None:
                events.append(event)
                answer(event)
    except PeerError as error:
        assert str(error).isascii()  # noqa: PT017  our own words
        return events, True
    return events, False


def auth(pieces: list[bytes]):
    machine = AuthServer()

    def answer(event):
        if event.number % 2:
            machine.allow(event.number, event.login.name.decode("latin-1"))
        else:
            machine.refuse(event.number, event.login.name.decode("latin-1"), "No\tway\n")

    found = played(machine, pieces, machine.next_event, answer)
    return found, machine.take_output()


CUTS = st.lists(st.integers(0, 1000), max_size=10)


@given(streams(AUTH_WORDS), CUTS)
def test_auth_takes_anything_and_the_same_in_any_pieces(data, cuts):
    whole = auth([b"VERSION\t1\t0\n" + data])
    assert auth([b"VERSION\t1\t0\n", *cut(data, cuts)]) == whole
    for line in whole[1].split(b"\n")[:-1]:
        assert line.split(b"\t")[0] in {b"OK", b"FAIL", b"CONT"}
        assert line.split(b"\t")[1].isdigit()
        assert b"\r" not in line and len(line.split(b"\t")) <= 16


@given(st.binary(max_size=200), st.sampled_from([*MECHANISMS, *BEARER_MECHANISMS]), st.booleans())
def test_no_response_of_a_client_disturbs_another_login(response, mechanism, encoded):
    """Whatever a client can get into its own line, and that is all but a line's end."""
    said = base64.b64encode(response) if encoded else response.replace(b"\n", b"")
    machine = AuthServer()
    good = base64.b64encode(b"\0bob\0secret")
    machine.receive(b"VERSION\t1\t0\nAUTH\t1\t%s\tservice=smtp\tresp=%s\n" % (mechanism.encode(), said))
    machine.receive(b"CONT\t1\t%s\nAUTH\t2\tPLAIN\tservice=smtp\tresp=%s\n" % (said, good))
    events = []
    while (event := machine.next_event()) is not None:
        events.append(event)
    assert events[-1].number == 2
    assert (events[-1].login.name, events[-1].login.secret) == (b"bob", b"secret")
    assert {event.number for event in events} <= {1, 2}


@given(st.binary(max_size=200), st.sampled_from(BEARER_MECHANISMS))
def test_a_bearer_message_is_a_login_or_an_error(response, mechanism):
    try:
        asked = BearerServer(mechanism).step(response)
    except SaslError:
        return
    assert isinstance(asked, LoginAsked)
    assert asked.name and asked.secret and not {0, 10, 13} & set(asked.name)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\1"), min_size=1, max_size=40),
    st.from_regex(r"[A-Za-z0-9._~+/=-]{1,60}", fullmatch=True),
)
def test_what_clients_write_is_read(name, token):
    escaped = name.replace("=", "=3D").replace(",", "=2C")
    for mechanism, message in (
        ("OAUTHBEARER", f"n,a={escaped},\1host=mail.example.org\1port=587\1auth=Bearer {token}\1\1"),
        ("XOAUTH2", f"user={name}\1auth=Bearer {token}\1\1"),
    ):
        assert BearerServer(mechanism).step(message.encode()) == LoginAsked(mechanism, name.encode(), token.encode())


@given(streams(POLICY_WORDS), CUTS)
def test_policy_takes_anything_and_the_same_in_any_pieces(data, cuts):
    one, other = PolicyServer(), PolicyServer()
    assert played(one, [data], one.next_request) == played(other, cut(data, cuts), other.next_request)


@given(streams(MAP_WORDS, b","), CUTS)
def test_socketmap_takes_anything_and_the_same_in_any_pieces(data, cuts):
    one, other = SocketmapServer(), SocketmapServer()
    assert played(one, [data], one.next_request) == played(other, cut(data, cuts), other.next_request)
