"""wire/imap_client.py: what the transcripts do not show."""

import pytest

from valetkey.wire.imap_client import ImapClient
from valetkey.wire.machine import ClientFacts, Credentials, LoggedIn, LoginFailed, StartTlsAsked

GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n"


def client(user="alice", name="alice", secret: str | None = "pw", *, starttls=False, facts=None) -> ImapClient:
    return ImapClient(Credentials(user, name, secret), starttls=starttls, facts=facts)


def say(machine: ImapClient, data: bytes) -> object | None:
    machine.receive(data)
    return machine.next_event()


@pytest.mark.parametrize(
    "greeting",
    [
        b"* BYE busy\r\n",
        b"* PREAUTH hello\r\n",
        b"* NO what\r\n",
        b"+OK pop3\r\n",
        b"220 smtp\r\n",
        b"\r\n",
        b"x" * 9000,
        b"* OK [CAPABILITY] x\r\nV1 OK\r\n",
    ],
)
def test_a_greeting_that_is_none_fails_for_now(greeting):
    failed = say(client(), greeting)
    assert isinstance(failed, LoginFailed)
    assert failed.temporary


@pytest.mark.parametrize(
    ("answer", "temporary"),
    [
        (b"V1 NO no", False),
        (b"V1 NO [AUTHENTICATIONFAILED] no", False),
        (b"V1 NO [AUTHORIZATIONFAILED] no", False),
        (b"V1 NO [UNAVAILABLE] later", True),
        (b"V1 no [inuse] later", True),
        (b"V1 NO [SERVERBUG] oops", True),
        (b"V1 BAD what", True),
        (b"V1", True),
        (b"* BYE gone", True),
        (b"garbage", True),
        (b"+ more?", True),
        (b"* X {9999}", True),
    ],
)
def test_a_refusal_says_whether_it_is_for_now(answer, temporary):
    machine = client()
    say(machine, GREETING)
    failed = say(machine, answer + b"\r\n")
    assert isinstance(failed, LoginFailed)
    assert failed.temporary is temporary
    assert machine.next_event() is None


def test_the_secret_is_sent_only_to_who_can_take_it():
    machine = client(name="master")
    failed = say(machine, b"* OK [CAPABILITY IMAP4rev1] hi\r\n")
    assert isinstance(failed, LoginFailed)
    assert machine.take_output() == b""


def test_login_disabled_is_heeded():
    machine = client()
    assert isinstance(say(machine, b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n"), LoginFailed)
    assert machine.take_output() == b""


def test_starttls_must_be_offered():
    machine = client(starttls=True)
    assert isinstance(say(machine, GREETING), LoginFailed)
    assert machine.take_output() == b""


def test_what_comes_with_the_answer_to_starttls_is_seen():
    machine = client(starttls=True)
    say(machine, b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n")
    assert isinstance(say(machine, b"V1 OK go\r\n* CAPABILITY EVIL\r\n"), StartTlsAsked)
    assert machine.has_pending
    assert machine.next_event() is None
    machine.tls_started()
    assert isinstance(machine.next_event(), LoginFailed)
    assert b"AUTHENTICATE" not in machine.take_output()


def test_login_by_literals_needs_no_asking_where_the_upstream_says_so():
    machine = client(secret='p"\\w')
    say(machine, b"* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n")
    assert machine.take_output() == b'V1 LOGIN {5+}\r\nalice {4+}\r\np"\\w\r\n'


@pytest.mark.parametrize("greeting", [GREETING, b"* OK [CAPABILITY IMAP4rev1] hi\r\n"])
def test_a_secret_with_nul_is_never_sent(greeting):
    machine = client(secret="p\0w")
    assert isinstance(say(machine, greeting), LoginFailed)
    assert machine.take_output() == b""


def test_no_secret_no_login():
    assert isinstance(say(client(secret=None), GREETING), LoginFailed)


def test_facts_that_cannot_be_quoted_are_left_out():
    facts = ClientFacts("192.0.2.1", 1, "192.0.2.2", 2, 'a"b', {"app": "ä", "x\r\n": "y"})
    machine = client(facts=facts)
    say(machine, b"* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN] hi\r\n")
    sent = machine.take_output()
    assert b'"x-session-id" "a\\"b"' in sent
    assert b"forward" not in sent
    assert sent.count(b"\r\n") == 1


def test_facts_are_told_only_to_who_takes_them():
    machine = client(facts=ClientFacts("192.0.2.1", 1, "192.0.2.2", 2, "s"))
    say(machine, GREETING)
    assert machine.take_output().startswith(b"V1 AUTHENTICATE")


def test_capabilities_said_untagged_at_login_count():
    machine = client()
    say(machine, GREETING)
    event = say(machine, b"* CAPABILITY IMAP4rev1 IDLE\r\nV1 OK hi\r\n* 1 EXISTS\r\n")
    assert event == LoggedIn((b"IMAP4rev1", b"IDLE"))
    assert machine.take_rest() == b"* 1 EXISTS\r\n"


def test_an_upstream_that_never_ends_is_left():
    machine = client()
    say(machine, GREETING)
    failed = None
    for _ in range(100):
        failed = failed or say(machine, b"* OK x\r\n" * 1000)
    assert isinstance(failed, LoginFailed)
