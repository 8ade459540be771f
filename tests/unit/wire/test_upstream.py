"""What the client machines of POP3, submission and ManageSieve do alike."""

import base64

import pytest

from valetkey.wire.machine import ClientFacts, Credentials, LoginFailed, StartTlsAsked
from valetkey.wire.pop3_client import Pop3Client
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.smtp_client import SmtpClient
from valetkey.wire.upstream import UpstreamError, forward_field, xclient_arguments

CREDENTIALS = Credentials("alice", "gateway", "upstream-secret")
FACTS = ClientFacts("203.0.113.9", 50123, "198.51.100.2", 995, "gw-abc", {"app_id": "a7"})
# The protocol's machine, and what an upstream says up to STARTTLS and its consent.
MACHINES = {
    "pop3": (Pop3Client, [b"+OK ready\r\n", b"+OK Begin TLS\r\n"]),
    "smtp": (SmtpClient, [b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 Begin TLS\r\n"]),
    "sieve": (SieveClient, [b'"STARTTLS"\r\nOK\r\n', b"OK\r\n"]),
}


@pytest.fixture(params=MACHINES)
def protocol(request):
    return MACHINES[request.param]


def _events(machine, answers):
    events = []
    for answer in answers:
        machine.receive(answer)
        while (event := machine.next_event()) is not None:
            events.append(event)
    return events


def test_no_secret_is_said_before_tls(protocol):
    make, answers = protocol
    machine = make(CREDENTIALS, starttls=True, facts=FACTS)
    assert _events(machine, answers) == [StartTlsAsked()]
    said = machine.take_output()
    assert b"AUTH" not in said.upper()
    assert b"XCLIENT" not in said


def test_what_comes_with_the_consent_to_tls_ends_the_login(protocol):
    make, answers = protocol
    machine = make(CREDENTIALS, starttls=True, facts=None)
    injected = answers[-1] + b"250-x\r\n250 AUTH PLAIN\r\n+OK\r\nOK\r\n"
    assert _events(machine, [*answers[:-1], injected]) == [StartTlsAsked()]
    assert machine.has_pending
    machine.take_output()
    machine.tls_started()
    assert machine.next_event() == LoginFailed(
        temporary=True, text="The upstream sent bytes between STARTTLS and the handshake"
    )
    assert machine.take_output() == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46\r\n",
        b"x" * 10000,
        b"BYE\r\n",
        b"-ERR busy\r\n",
        b"554 no\r\n",
    ],
)
def test_an_upstream_that_is_not_what_it_should_be_is_a_temporary_failure(protocol, answer):
    make, _ = protocol
    machine = make(CREDENTIALS, starttls=False, facts=None)
    (event,) = _events(machine, [answer])
    assert isinstance(event, LoginFailed)
    assert event.temporary
    assert event.text.isascii()
    assert event.text.isprintable()
    assert machine.next_event() is None


def test_an_upstream_that_talks_without_end_is_bounded(protocol):
    make, _ = protocol
    for line in (b'"A" "B"\r\n', b"220-x\r\n", b"+OK\r\n"):
        machine = make(CREDENTIALS, starttls=False, facts=None)
        events = _events(machine, [line] * 40000)
        assert [type(event) for event in events] == [LoginFailed]


def test_credentials_do_not_show_their_secret(protocol):
    make, _ = protocol
    machine = make(CREDENTIALS, starttls=False, facts=None)
    assert "upstream-secret" not in repr(CREDENTIALS)
    assert "upstream-secret" not in repr(machine)


def test_facts_that_would_end_an_argument_are_not_said():
    with pytest.raises(UpstreamError):
        xclient_arguments(ClientFacts("203.0.113.9", 1, "", 0, "a\r\nAUTH PLAIN x"))
    with pytest.raises(UpstreamError):
        xclient_arguments(ClientFacts("203.0.113.9 LOGIN=bob", 1, "", 0, "x"))
    assert xclient_arguments(ClientFacts("2001:db8::1", 1, "", 0, "")) == b"ADDR=2001:db8::1 PORT=1 TTL=3"
    assert xclient_arguments(ClientFacts("192.0.2.7", 0, "", 0, "")) == b"ADDR=192.0.2.7 TTL=3"


def test_forwarded_facts_cannot_make_a_field_of_their_own():
    facts = ClientFacts("", 0, "", 0, "", {"app_id": "a\tuser=bob\n\x01"})
    assert base64.b64decode(forward_field(facts)) == b"app_id=a\x01tuser=bob\x01n\x011"
