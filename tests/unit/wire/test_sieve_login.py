import base64

import pytest

from valetkey.wire.machine import CloseAsked, LoginAsked, Security
from valetkey.wire.sieve_login import SieveLogin

TLS = Security(tls=True, starttls=False)


def _first(data):
    machine = SieveLogin(TLS)
    machine.receive(data)
    return machine.next_event()


@pytest.mark.parametrize("byte", range(1, 256))
def test_every_byte_survives(byte):
    secret = b"a" + bytes([byte]) + b"z"
    plain = base64.b64encode(b"\0alice\0" + secret)
    wanted = LoginAsked("PLAIN", b"alice", secret)
    assert _first(b'AUTHENTICATE "PLAIN" "' + plain + b'"\r\n') == wanted
    assert _first(b'AUTHENTICATE "PLAIN" {%d+}\r\n' % len(plain) + plain + b"\r\n") == wanted


def test_a_long_response_in_a_literal_and_in_quotes():
    plain = base64.b64encode(b"\0alice\0" + b"s" * 8000)
    assert _first(b'AUTHENTICATE "PLAIN" {%d+}\r\n' % len(plain) + plain + b"\r\n").secret == b"s" * 8000
    assert _first(b'AUTHENTICATE "PLAIN" "' + plain + b'"\r\n').secret == b"s" * 8000


def test_a_literal_of_four_gigabytes_holds_nothing():
    machine = SieveLogin(TLS)
    machine.receive(b'AUTHENTICATE "PLAIN" {4294967295+}\r\n' + b"x" * 1000)
    assert isinstance(machine.next_event(), CloseAsked)
    machine.receive(b"x" * 100000)
    assert not machine.has_pending


@pytest.mark.parametrize(
    "line", [b"AUTHENTICATE", b"AUTHENTICATE PLAIN", b'AUTHENTICATE "X"', b'AUTHENTICATE "PLAIN" "" ""', b"NOOP x"]
)
def test_malformed_commands_are_answered_no(line):
    machine = SieveLogin(TLS)
    machine.receive(line + b"\r\n")
    assert machine.next_event() is None
    assert machine.take_output().startswith(b"NO ")


def test_no_capabilities_after_the_login():
    """RFC 5804 2.1: they are sent again only where SASL brought a security layer."""
    machine = SieveLogin(TLS)
    machine.receive(b'AUTHENTICATE "PLAIN" "AGFsaWNlAHNlY3JldA=="\r\n')
    machine.next_event()
    machine.allow((b'"SIEVE" "x"',))
    assert machine.take_output() == b'OK "Logged in"\r\n'
