import base64

import pytest

from valetkey.wire.machine import DeviceNamed, LoginAsked, Security, StartTlsAsked
from valetkey.wire.smtp_login import SmtpLogin

TLS = Security(tls=True, starttls=False)


def _events(*lines):
    machine = SmtpLogin(TLS)
    for line in lines:
        machine.receive(line + b"\r\n")
    events = []
    while (event := machine.next_event()) is not None:
        events.append(event)
    return events


@pytest.mark.parametrize("byte", range(1, 256))
def test_every_byte_survives(byte):
    secret = b"a" + bytes([byte]) + b"z"
    plain = base64.b64encode(b"\0alice\0" + secret)
    assert _events(b"EHLO x", b"AUTH PLAIN " + plain)[1] == LoginAsked("PLAIN", b"alice", secret)
    name, word = base64.b64encode(b"alice"), base64.b64encode(secret)
    assert _events(b"EHLO x", b"AUTH LOGIN " + name, word)[1] == LoginAsked("LOGIN", b"alice", secret)


def test_a_sasl_line_may_be_as_long_as_rfc_4954_says():
    plain = base64.b64encode(b"\0alice\0" + b"s" * 9000)
    assert len(plain) < 12288 - 20
    assert _events(b"EHLO x", b"AUTH PLAIN " + plain)[1].secret == b"s" * 9000
    assert _events(b"EHLO x", b"AUTH PLAIN", plain)[1].secret == b"s" * 9000


def test_the_device_is_named_once_cut_and_printable():
    events = _events(b"EHLO my\x1b[2J\xff phone", b"EHLO my\x1b[2J\xff phone", b"HELO " + b"x" * 1000)
    assert events == [DeviceNamed({"ehlo": "my?[2J? phone"}), DeviceNamed({"ehlo": "x" * 200})]


def test_the_device_is_named_again_inside_tls():
    machine = SmtpLogin(Security(tls=False, starttls=True))
    machine.receive(b"EHLO phone\r\n")
    assert machine.next_event() == DeviceNamed({"ehlo": "phone"})
    machine.receive(b"STARTTLS\r\n")
    assert isinstance(machine.next_event(), StartTlsAsked)
    machine.tls_started()
    machine.receive(b"EHLO phone\r\n")
    assert machine.next_event() == DeviceNamed({"ehlo": "phone"})


def test_what_ehlo_announces_is_the_callers():
    machine = SmtpLogin(TLS, hostname="mx", extensions=(b"SIZE 5",))
    machine.receive(b"EHLO x\r\n")
    machine.next_event()
    assert machine.take_output() == b"250-mx\r\n250-SIZE 5\r\n250 AUTH PLAIN LOGIN\r\n"
