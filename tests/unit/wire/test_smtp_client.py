import pytest

from valetkey.wire.machine import ClientFacts, Credentials, LoggedIn, LoginFailed
from valetkey.wire.smtp_client import SmtpClient

POSTFIX = b"250-smtp\r\n250 XCLIENT NAME ADDR PROTO HELO PORT LOGIN DESTADDR DESTPORT\r\n"


def _drive(machine, *answers):
    event = None
    for answer in (b"220 ready\r\n", *answers):
        machine.take_output()
        machine.receive(answer)
        event = machine.next_event() or event
    return event


@pytest.mark.parametrize("name", ["", "[UNAVAILABLE]", "[tempunavail]", "a\r\nb", "a\0b"])
def test_a_name_that_xclient_would_take_for_none_is_not_said(name):
    machine = SmtpClient(Credentials("alice", name, None), starttls=False)
    event = _drive(machine, POSTFIX)
    assert event == LoginFailed(temporary=True, text="The name does not fit into XCLIENT")
    assert b"XCLIENT" not in machine.take_output()


def test_ipv6_and_a_postfix_that_has_none():
    facts = ClientFacts("2001:db8::9", 50123, "2001:db8::1", 587, "x")
    machine = SmtpClient(Credentials("alice", "alice", None), starttls=False, facts=facts)
    _drive(machine, POSTFIX)
    start = b"XCLIENT ADDR=IPV6:2001:db8::9 PORT=50123 NAME=[UNAVAILABLE] PROTO=ESMTP DESTADDR=IPV6:2001:db8::1 "
    assert machine.take_output() == start + b"DESTPORT=587 LOGIN=alice\r\n"
    machine.receive(b"501 5.5.4 Bad ADDR syntax\r\n")
    assert machine.next_event() is None
    # Our own address would be trusted; "unknown" is not.
    assert machine.take_output().startswith(b"XCLIENT ADDR=[UNAVAILABLE] PORT=50123 ")
    machine.receive(b"220 ready\r\n")
    machine.next_event()
    machine.receive(b"250-smtp\r\n250 SIZE\r\n")
    assert machine.next_event() == LoggedIn((b"SIZE",))


@pytest.mark.parametrize(("code", "temporary"), [(535, False), (534, False), (530, True), (454, True), (500, True)])
def test_only_a_plain_no_is_final(code, temporary):
    machine = SmtpClient(Credentials("alice", "alice", "secret"), starttls=False)
    event = _drive(machine, b"250-x\r\n250 AUTH PLAIN\r\n", b"%d no\r\n" % code)
    assert event == LoginFailed(temporary=temporary, text=f"{code} no")


def test_a_long_secret_waits_for_the_challenge():
    machine = SmtpClient(Credentials("alice", "alice", "s" * 1000), starttls=False)
    _drive(machine, b"250-x\r\n250 AUTH PLAIN\r\n")
    assert machine.take_output() == b"AUTH PLAIN\r\n"
    machine.receive(b"334 \r\n")
    machine.next_event()
    assert len(machine.take_output()) > 1000
    machine.receive(b"235 ok\r\nbehind")
    assert machine.next_event() == LoggedIn((b"AUTH PLAIN",))
    assert machine.take_rest() == b"behind"


def test_no_mechanism_that_can_be_used():
    event = _drive(SmtpClient(Credentials("a", "gw", "s"), starttls=False), b"250-x\r\n250 AUTH LOGIN XOAUTH2\r\n")
    assert event == LoginFailed(temporary=True, text="The upstream offers no AUTH that we can use")


def test_an_unknown_client_is_called_so():
    machine = SmtpClient(Credentials("alice", "alice", None), starttls=False, facts=ClientFacts("", 0, "", 0, "x"))
    _drive(machine, POSTFIX)
    assert machine.take_output() == b"XCLIENT ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE] PROTO=ESMTP LOGIN=alice\r\n"


def test_without_credentials_it_only_looks():
    machine = SmtpClient(None, starttls=True, facts=None, hostname="gw")
    _drive(machine, b"250-x\r\n250-SIZE 5\r\n250 STARTTLS\r\n", b"220 begin\r\n")
    machine.tls_started()
    machine.next_event()
    assert machine.take_output() == b"EHLO gw\r\n"
    machine.receive(b"250-x\r\n250-SIZE 7\r\n250 XCLIENT LOGIN\r\n")
    assert machine.next_event() == LoggedIn((b"SIZE 7", b"XCLIENT LOGIN"))
    assert machine.take_output() == b"QUIT\r\n"
