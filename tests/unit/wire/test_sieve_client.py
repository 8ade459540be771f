import pytest

from valetkey.wire.machine import Credentials, LoggedIn, LoginFailed
from valetkey.wire.sieve_client import SieveClient


def _drive(machine, *answers):
    event = None
    for answer in answers:
        machine.receive(answer)
        event = machine.next_event() or event
    return event


HELLO = b'"SASL" "LOGIN PLAIN"\r\nOK\r\n'


@pytest.mark.parametrize(
    ("answer", "temporary"),
    [(b'NO "no"', False), (b"NO", False), (b'NO (TRYLATER) "later"', True), (b'BYE "gone"', True)],
)
def test_which_refusals_are_final(answer, temporary):
    event = _drive(SieveClient(Credentials("a", "a", "s"), starttls=False), HELLO, answer + b"\r\n")
    assert isinstance(event, LoginFailed)
    assert event.temporary == temporary


def test_a_long_secret_goes_as_a_literal():
    machine = SieveClient(Credentials("a", "a", "s" * 2000), starttls=False)
    _drive(machine, HELLO)
    assert machine.take_output().startswith(b'AUTHENTICATE "PLAIN" {2672+}\r\n')


def test_what_follows_the_login_is_kept():
    machine = SieveClient(Credentials("a", "a", "s"), starttls=False)
    assert _drive(machine, HELLO, b"OK\r\nbehind") == LoggedIn((b'"SASL" "LOGIN PLAIN"',))
    assert machine.take_rest() == b"behind"


@pytest.mark.parametrize("answer", [b"{99999999}\r\n", b'""\r\n' * 200, b'MAYBE "x"\r\n', b"OK\n"])
def test_an_upstream_that_speaks_something_else(answer):
    event = _drive(SieveClient(Credentials("a", "a", "s"), starttls=False), answer)
    assert isinstance(event, LoginFailed)
    assert event.temporary


def test_without_credentials_it_only_looks():
    machine = SieveClient(None, starttls=False)
    machine.receive(b'"SIEVE" "fileinto"\r\n"XCLIENT" "ADDR"\r\nOK\r\n')
    assert machine.next_event() == LoggedIn((b'"SIEVE" "fileinto"', b'"XCLIENT" "ADDR"'))
    assert machine.take_output() == b"LOGOUT\r\n"
