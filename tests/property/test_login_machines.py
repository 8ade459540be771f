"""POP3, submission and ManageSieve up to the login, under whatever a peer may send."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.doors.proxy_headers import version_1, version_2

from valetkey.wire.machine import (
    ClientFacts,
    CloseAsked,
    Credentials,
    LoggedIn,
    LoginAsked,
    LoginFailed,
    PeerError,
    Refusal,
    RefusalKind,
    Security,
    StartTlsAsked,
)
from valetkey.wire.pop3_client import Pop3Client
from valetkey.wire.pop3_login import Pop3Login
from valetkey.wire.proxy import Local, Proxied, ProxyHeader
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.sieve_login import SieveLogin
from valetkey.wire.smtp_client import SmtpClient
from valetkey.wire.smtp_login import SmtpLogin

WORDS = [
    *(b"USER alice", b"PASS secret", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH PLAIN AGFsaWNlAHNlY3JldA==", b"CAPA"),
    *(b"STLS", b"STARTTLS", b"QUIT", b"EHLO x", b"HELO x", b"MAIL FROM:<a@b.example>", b"RSET", b"NOOP", b"LOGOUT"),
    *(b"CAPABILITY", b'AUTHENTICATE "PLAIN"', b'AUTHENTICATE "LOGIN" "YWxpY2U="', b'"c2VjcmV0"', b'"*"', b"{8+}"),
    *(b"AGFsaWNlAHNlY3JldA==", b"YWxpY2U=", b"c2VjcmV0", b"*", b"=", b"", b"GET / HTTP/1.1", b'NOOP "x"', b"NOOP {3+}"),
    *(b"\r", b"\n", b"\0", b"\xff", b'"', b"BDAT 5", b"{99999999999+}", b" " * 300, b"a" * 9000),
]
SERVER_WORDS = [
    *(b"+OK [XCLIENT] ready", b"+OK", b"-ERR", b"-ERR [SYS/TEMP] x", b"+ ", b".", b"SASL PLAIN", b"220 x", b"250-x"),
    *(b"250 AUTH PLAIN LOGIN", b"250-XCLIENT ADDR PORT LOGIN", b"250 STARTTLS", b"235 ok", b"334 ", b"535 no", b"454"),
    *(b"501 x", b'"SASL" "PLAIN"', b'"STARTTLS"', b'"XCLIENT"', b'OK "x"', b"OK", b'NO "x"', b"BYE", b"OK {3}", b"abc"),
    *(b"", b"\r", b"\n", b"\0", b"\xff", b"250-", b"250", b"{99999}", b"x" * 9000),
]
LOGINS = st.sampled_from([Pop3Login, SmtpLogin, SieveLogin])
SECURITIES = st.sampled_from(
    [
        Security(tls=True, starttls=False),
        Security(tls=False, starttls=True),
        Security(tls=False, starttls=True, plaintext_login=True),
    ]
)
CREDENTIALS = st.sampled_from([Credentials("alice", "alice", "s3"), Credentials("alice", "gw", "s3")])
FACTS = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 993, "gw-abc", {"app_id": "a7"})


def _streams(words):
    pieces = st.one_of(
        st.sampled_from(words).map(lambda word: word + b"\r\n"), st.sampled_from(words), st.binary(max_size=20)
    )
    return st.lists(pieces, max_size=25).map(b"".join)


def _cut(data, cuts):
    positions = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(positions)] or [b""]


def _run_login(machine, pieces):
    """Feed the pieces; every login is refused, every STARTTLS granted. Give events and all output."""
    seen, output = [], b""
    machine.greet()
    for piece in pieces:
        machine.receive(piece)
        while (event := machine.next_event()) is not None:
            seen.append(event)
            output += machine.take_output()
            if isinstance(event, LoginAsked):
                machine.refuse(Refusal(RefusalKind.WRONG, "No"))
            elif isinstance(event, StartTlsAsked):
                return seen, output
        output += machine.take_output()
    return seen, output


CUTS = st.lists(st.integers(min_value=0, max_value=100_000), max_size=12)


@settings(max_examples=300)
@given(LOGINS, SECURITIES, _streams(WORDS), CUTS)
@example(
    SmtpLogin, Security(tls=True, starttls=False), b"EHLO x\r\nAUTH LOGIN\r\nYQ==\r\nYQ==\r\nQUIT\r\n", [15, 20, 30]
)
def test_the_same_events_however_the_bytes_are_cut(make, security, data, cuts):
    whole = _run_login(make(security), [data])
    assert _run_login(make(security), _cut(data, cuts)) == whole
    if 0 < len(data) < 300:
        assert _run_login(make(security), [data[i : i + 1] for i in range(len(data))]) == whole


@settings(max_examples=300)
@given(LOGINS, SECURITIES, _streams(WORDS))
def test_whatever_is_sent_the_answers_are_lines_and_nothing_follows_the_end(make, security, data):
    seen, output = _run_login(make(security), [data])
    assert output.endswith(b"\r\n")
    assert output.replace(b"\r\n", b"").isascii()
    assert b"\n" not in output.replace(b"\r\n", b"")
    closing = [index for index, event in enumerate(seen) if isinstance(event, CloseAsked)]
    assert closing in ([], [len(seen) - 1])
    if not security.tls and not security.plaintext_login:
        assert not any(isinstance(event, LoginAsked) for event in seen)


@settings(max_examples=300)
@given(st.sampled_from([Pop3Client, SmtpClient, SieveClient]), CREDENTIALS, st.booleans(), _streams(SERVER_WORDS), CUTS)
def test_whatever_an_upstream_sends_the_login_ends_once(make, credentials, starttls, data, cuts):
    def run(pieces):
        machine = make(credentials, starttls=starttls, facts=FACTS)
        seen, output = [], b""
        for piece in pieces:
            machine.receive(piece)
            while (event := machine.next_event()) is not None:
                seen.append(event)
                if isinstance(event, StartTlsAsked):
                    return seen, output + machine.take_output()
            output += machine.take_output()
        return seen, output

    seen, output = run([data])
    assert run(_cut(data, cuts)) == (seen, output)
    assert sum(isinstance(event, LoggedIn | LoginFailed) for event in seen) <= 1
    if starttls:
        assert b"AUTH" not in output
        assert b"XCLIENT" not in output


ADDRESSES = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
)
PORTS = st.integers(min_value=0, max_value=65535)


@given(ADDRESSES, PORTS, PORTS, st.sampled_from([version_1, version_2]), st.binary(max_size=30))
def test_every_proxy_header_is_read_as_it_was_written(addresses, source_port, destination_port, encode, rest):
    header = Proxied(str(addresses[0]), source_port, str(addresses[1]), destination_port)
    reader = ProxyHeader()
    assert reader.receive(encode(header) + rest) == header
    assert reader.take_rest() == rest


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=60).map(lambda data: b"PROXY TCP4 " + data),
        st.binary(max_size=60).map(lambda data: b"\r\n\r\n\0\r\nQUIT\n" + data),
        st.binary(max_size=60).map(lambda data: b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20" + data),
    ),
    CUTS,
)
def test_no_bytes_make_the_proxy_reader_raise_anything_else(data, cuts):
    def read(pieces):
        reader = ProxyHeader()
        try:
            for piece in pieces:
                if (found := reader.receive(piece)) is not None:
                    return found
        except PeerError:
            return "refused"
        return None

    found = read([data])
    assert found is None or found == "refused" or isinstance(found, Proxied | Local)
    assert read(_cut(data, cuts)) == found
