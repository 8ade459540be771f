import pytest

from valetkey.wire.machine import Credentials, LoggedIn, LoginFailed
from valetkey.wire.pop3_client import Pop3Client


def _drive(machine, *answers):
    event = None
    for answer in answers:
        machine.receive(answer)
        event = machine.next_event() or event
    return event


CAPA = b"+OK\r\nSASL PLAIN\r\n.\r\n"


@pytest.mark.parametrize(
    ("answer", "temporary"),
    [
        (b"-ERR [AUTH] no", False),
        (b"-ERR no", False),
        (b"-ERR [sys/temp] later", True),
        (b"-ERR [IN-USE] locked", True),
        (b"-ERR [LOGIN-DELAY] slower", True),
        (b"+ more?", True),
    ],
)
def test_which_refusals_are_final(answer, temporary):
    machine = Pop3Client(Credentials("alice", "alice", "secret"), starttls=False)
    event = _drive(machine, b"+OK\r\n", CAPA, answer + b"\r\n")
    assert event == LoginFailed(temporary=temporary, text=answer.decode())


@pytest.mark.parametrize("secret", ["a\r\nDELE 1", "a\nb", "a\0b"])
def test_a_secret_cannot_become_a_command(secret):
    machine = Pop3Client(Credentials("alice", "alice", secret), starttls=False)
    event = _drive(machine, b"+OK\r\n", b"-ERR\r\n")
    assert isinstance(event, LoginFailed)
    assert b"DELE" not in machine.take_output()
    assert "DELE" not in event.text


def test_what_follows_the_login_is_kept():
    machine = Pop3Client(Credentials("alice", "alice", "secret"), starttls=False)
    assert _drive(machine, b"+OK\r\n", CAPA, b"+OK\r\n", b"+OK\r\nTOP\r\n.\r\n+OK 0 0\r\n") == LoggedIn((b"TOP",))
    assert machine.take_rest() == b"+OK 0 0\r\n"


def test_too_many_capabilities():
    machine = Pop3Client(Credentials("alice", "alice", "secret"), starttls=False)
    event = _drive(machine, b"+OK\r\n", b"+OK\r\n" + b"X\r\n" * 200)
    assert event == LoginFailed(temporary=True, text="The upstream announces too much")


def test_without_credentials_it_only_looks():
    machine = Pop3Client(None, starttls=False)
    machine.receive(b"+OK [XCLIENT] ready\r\n")
    assert machine.next_event() is None
    assert machine.take_output() == b"CAPA\r\n"
    machine.receive(b"+OK\r\nTOP\r\nSASL PLAIN\r\n.\r\n")
    assert machine.next_event() == LoggedIn((b"TOP", b"SASL PLAIN"))
    assert machine.take_output() == b"QUIT\r\n"
