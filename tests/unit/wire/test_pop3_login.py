import base64

import pytest

from valetkey.wire.machine import LoginAsked, Security
from valetkey.wire.pop3_login import Pop3Login

TLS = Security(tls=True, starttls=False)


def _asked(*lines):
    machine = Pop3Login(TLS)
    events = []
    for line in lines:
        machine.receive(line + b"\r\n")
        while (event := machine.next_event()) is not None:
            events.append(event)
    return events


# CR, LF and NUL cannot stand in a line; they can be sent through AUTH.
@pytest.mark.parametrize("byte", [octet for octet in range(1, 256) if octet not in b"\r\n"])
def test_every_byte_survives_pass(byte):
    secret = b"a" + bytes([byte]) + b"z"
    assert _asked(b"USER alice", b"PASS " + secret) == [LoginAsked("USER", b"alice", secret)]


@pytest.mark.parametrize("byte", range(1, 256))
def test_every_byte_survives_auth(byte):
    secret = b"a" + bytes([byte]) + b"z"
    plain = base64.b64encode(b"\0alice\0" + secret)
    assert _asked(b"AUTH PLAIN " + plain) == [LoginAsked("PLAIN", b"alice", secret)]
    name, word = base64.b64encode(b"alice"), base64.b64encode(secret)
    assert _asked(b"AUTH LOGIN", name, word) == [LoginAsked("LOGIN", b"alice", secret)]


def test_names_may_hold_blanks_and_other_bytes():
    assert _asked(b"USER a b\xff", b"PASS x")[0].name == b"a b\xff"


def test_a_password_of_blanks_is_a_password():
    assert _asked(b"USER alice", b"PASS    ")[0].secret == b"   "


def test_the_initial_response_may_be_longer_than_the_client_may_send_it():
    plain = base64.b64encode(b"\0alice\0" + b"s" * 1000)
    assert _asked(b"AUTH PLAIN " + plain)[0].secret == b"s" * 1000


def test_capabilities_are_the_callers():
    machine = Pop3Login(TLS, capabilities=(b"TOP",))
    machine.receive(b"CAPA\r\n")
    machine.next_event()
    assert machine.take_output() == b"+OK\r\nTOP\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n"


def test_nothing_of_a_login_is_left_for_after_tls():
    machine = Pop3Login(Security(tls=False, starttls=True, plaintext_login=True))
    machine.receive(b"USER alice\r\nSTLS\r\n")
    machine.next_event()
    machine.tls_started()
    machine.take_output()
    machine.receive(b"PASS secret\r\n")
    assert machine.next_event() is None
    assert machine.take_output() == b"-ERR USER comes before PASS\r\n"
