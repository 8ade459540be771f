"""What the login machines of POP3, submission and ManageSieve do alike."""

import pytest

from valetkey.wire.dialogue import one_line, strip_line_end
from valetkey.wire.machine import CloseAsked, LoginAsked, LoginLimits, Refusal, RefusalKind, Security, StartTlsAsked
from valetkey.wire.pop3_login import Pop3Login
from valetkey.wire.sieve_login import SieveLogin
from valetkey.wire.smtp_login import SmtpLogin

TLS = Security(tls=True, starttls=False)
STARTTLS = Security(tls=False, starttls=True)
PLAIN = Security(tls=False, starttls=False, plaintext_login=True)
NO = Refusal(RefusalKind.WRONG, "No")

MACHINES = {
    "pop3": (Pop3Login, b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", b"STLS\r\n"),
    "smtp": (SmtpLogin, b"EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", b"STARTTLS\r\n"),
    "sieve": (SieveLogin, b'AUTHENTICATE "PLAIN" "AGFsaWNlAHNlY3JldA=="\r\n', b"STARTTLS\r\n"),
}


@pytest.fixture(params=MACHINES)
def protocol(request):
    return MACHINES[request.param]


def _until(machine, kind):
    while (event := machine.next_event()) is not None:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}: {machine.take_output()!r}")


def test_nothing_runs_ahead_of_the_verdict(protocol):
    make, login, _ = protocol
    machine = make(TLS)
    machine.receive(login + login + b"QUIT\r\nLOGOUT\r\n")
    _until(machine, LoginAsked)
    machine.take_output()
    assert machine.next_event() is None
    assert machine.take_output() == b""
    assert machine.has_pending
    machine.refuse(NO)
    assert b"No" in machine.take_output()
    _until(machine, LoginAsked)


def test_after_the_login_the_rest_is_the_upstreams(protocol):
    make, login, _ = protocol
    machine = make(TLS)
    machine.receive(login + b"NOOP\r\nQUI")
    _until(machine, LoginAsked)
    machine.allow((b"IGNORED",))
    machine.receive(b"T\r\n")
    assert machine.next_event() is None
    assert machine.take_rest() == b"NOOP\r\nQUIT\r\n"
    assert not machine.has_pending


def test_bytes_behind_starttls_are_pending_and_end_the_connection(protocol):
    make, login, starttls = protocol
    machine = make(STARTTLS)
    machine.receive(starttls + login)
    _until(machine, StartTlsAsked)
    assert machine.has_pending
    machine.take_output()
    machine.tls_started()
    assert isinstance(machine.next_event(), CloseAsked)
    assert machine.next_event() is None
    assert machine.take_output() == b""


def test_login_is_announced_where_it_is_possible_only(protocol):
    make, _, starttls = protocol
    ask = {Pop3Login: b"CAPA\r\n", SmtpLogin: b"EHLO x\r\n", SieveLogin: b"CAPABILITY\r\n"}[make]

    def announced(security):
        machine = make(security)
        machine.receive(ask)
        while machine.next_event() is not None:
            pass
        return machine.take_output()

    tls_word = starttls.strip()
    assert b"PLAIN" in announced(TLS)
    assert tls_word not in announced(TLS)
    assert b"PLAIN" not in announced(STARTTLS)
    assert tls_word in announced(STARTTLS)
    assert b"PLAIN" in announced(PLAIN)
    assert b"PLAIN" not in announced(Security(tls=False, starttls=False))


def test_without_tls_no_login_is_asked_for(protocol):
    make, login, _ = protocol
    machine = make(STARTTLS)
    machine.receive(login)
    while (event := machine.next_event()) is not None:
        assert not isinstance(event, LoginAsked)
    assert b"TLS" in machine.take_output()


def test_a_client_that_sends_without_waiting_is_bounded(protocol):
    make, login, _ = protocol
    machine = make(TLS)
    machine.receive(login)
    _until(machine, LoginAsked)
    for _ in range(100):
        machine.receive(b"x" * 8192)
    assert isinstance(machine.next_event(), CloseAsked)
    assert len(machine.take_rest()) == 0


def test_the_machine_answers_only_what_it_asked(protocol):
    make, _, _ = protocol
    machine = make(TLS)
    for answer in (lambda: machine.refuse(NO), lambda: machine.allow(()), machine.tls_started):
        with pytest.raises(RuntimeError):
            answer()


def test_limits_are_the_operators(protocol):
    make, login, _ = protocol
    machine = make(TLS, limits=LoginLimits(refusals=1, bad_commands=1))
    machine.receive(login)
    _until(machine, LoginAsked)
    machine.refuse(NO)
    assert isinstance(machine.next_event(), CloseAsked)
    machine = make(TLS, limits=LoginLimits(bad_commands=1))
    machine.receive(b"BOGUS\r\n")
    assert isinstance(machine.next_event(), CloseAsked)


def test_text_for_the_person_cannot_hold_a_line_end(protocol):
    make, login, _ = protocol
    machine = make(TLS)
    machine.greet()
    machine.receive(login)
    _until(machine, LoginAsked)
    machine.take_output()
    machine.refuse(Refusal(RefusalKind.WRONG, "No\r\n* injected\0\x1b"))
    output = machine.take_output()
    assert output.count(b"\r\n") == 1
    assert b"\0" not in output
    assert b"\x1b" not in output


def test_what_the_client_sent_is_not_said_again(protocol):
    make, _, _ = protocol
    machine = make(TLS)
    for word in (b"UNHEARDOF", b"AUTH UNHEARDOF", b'AUTHENTICATE "UNHEARDOF"', b"USER", b"VRFY UNHEARDOF"):
        machine.receive(word + b"\r\n")
    while machine.next_event() is not None:
        pass
    assert b"UNHEARDOF" not in machine.take_output()


def test_memoryviews_are_taken_too(protocol):
    make, login, _ = protocol
    machine = make(TLS)
    machine.receive(memoryview(login))
    assert _until(machine, LoginAsked).secret == b"secret"


def test_one_line():
    assert one_line("a\r\nb\0c\x7fü") == "a??b?c??"
    assert len(one_line("x" * 1000)) == 200


@pytest.mark.parametrize(
    ("raw", "line"),
    [(b"a b\r\n", b"a b"), (b"\r\n", b""), (b"a\n", None), (b"a\rb\r\n", None), (b"a\r\r\n", None), (b"a\0\r\n", None)],
)
def test_strip_line_end(raw, line):
    assert strip_line_end(raw) == line
