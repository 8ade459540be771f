"""wire/imap_login.py: what the transcripts do not show."""

import base64

import pytest

from valetkey.wire.imap_login import ImapLogin
from valetkey.wire.machine import (
    CloseAsked,
    DeviceNamed,
    LoginAsked,
    LoginLimits,
    Refusal,
    RefusalKind,
    Security,
)

EVERY_BYTE = bytes(range(1, 256))


def machine(**changes) -> ImapLogin:
    return ImapLogin(Security(tls=True, starttls=False), **changes)


def events(login: ImapLogin, data: bytes) -> list[object]:
    login.receive(data)
    found = []
    while (event := login.next_event()) is not None:
        found.append(event)
    return found


def test_every_byte_survives_a_literal():
    (asked,) = events(machine(), b"a LOGIN {255+}\r\n%s {255+}\r\n%s\r\n" % (EVERY_BYTE, EVERY_BYTE))
    assert (asked.name, asked.secret) == (EVERY_BYTE, EVERY_BYTE)


def test_every_byte_but_line_ends_survives_quotes():
    value = EVERY_BYTE.replace(b"\r", b"").replace(b"\n", b"")
    text = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    (asked,) = events(machine(), b'a LOGIN "%s" "%s"\r\n' % (text, text))
    assert (asked.name, asked.secret) == (value, value)


def test_every_byte_survives_plain():
    message = base64.b64encode(b"\0alice\0" + EVERY_BYTE)
    (asked,) = events(machine(), b"a AUTHENTICATE PLAIN " + message + b"\r\n")
    assert (asked.name, asked.secret) == (b"alice", EVERY_BYTE)


def test_the_identity_to_act_for_is_told():
    message = base64.b64encode(b"bob\0alice\0x")
    (asked,) = events(machine(), b"a AUTHENTICATE PLAIN " + message + b"\r\n")
    assert asked.authorization_id == b"bob"


def test_a_secret_is_in_no_repr():
    (asked,) = events(machine(), b"a LOGIN alice hunter2\r\n")
    assert "hunter2" not in repr(asked)


@pytest.mark.parametrize(
    "line",
    [
        b"a LOGIN alice\r\n",
        b"a LOGIN\r\n",
        b"a LOGIN alice b c\r\n",
        b"a LOGIN (alice) b\r\n",
        b"a LOGIN alice {3+}\r\nx\0y\r\n",
        b"a LOGIN alice x\0y\r\n",
        b"a LOGIN alice x\ry\r\n",
        b"a LOGIN alice x\n",
        b'a LOGIN alice "x\r\n',
        b"a LOGIN alice {1+}\r\nxy\r\n",
        b"a LOGIN alice ~{1+}\r\nx\r\n",
        b"a AUTHENTICATE\r\n",
        b"a AUTHENTICATE PLAIN x y\r\n",
        b'a AUTHENTICATE "PLAIN"\r\n',
        b"a AUTHENTICATE PLAIN =\r\n",
        b"a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA\r\n",
        b"a ID ((x))\r\n",
        b'a ID ("x")\r\n',
        b"a ID (%s)\r\n" % (b'"x" "y" ' * 31),
        b"a CAPABILITY x\r\n",
        b"a STARTTLS\r\n",
        b"a\r\n",
        b"a AUTHENTICATE PLAIN {3+}\r\nabc\r\n",
    ],
)
def test_what_is_malformed_is_bad_and_nothing_else(line):
    login = machine()
    assert events(login, line) == []
    output = login.take_output()
    assert output.startswith(b"a BAD ")
    assert output.count(b"\r\n") == 1


def test_an_empty_password_is_asked_like_any_other():
    assert isinstance(events(machine(), b'a LOGIN alice ""\r\n')[0], LoginAsked)


def test_nothing_of_the_clients_comes_back_but_the_tag():
    login = machine()
    events(login, b"tag1 EVIL <evil>\r\n<evil> x\r\n(evil)\r\n")
    assert b"evil" not in login.take_output().lower().replace(b"<evil> bad", b"")


def test_a_device_tells_little_and_printable():
    text = b'a ID ("name" "%s" "os" "a\xc3\xa4\x01b" "x-originating-ip" "1.2.3.4" "VERSION" {1+}\r\n1 "vendor" NIL)\r\n'
    (named,) = events(machine(), text % (b"x" * 500))
    assert named == DeviceNamed({"name": "x" * 128, "os": "aä?b", "version": "1"})


def test_a_device_that_says_nothing_is_no_event():
    login = machine()
    assert events(login, b"a ID NIL\r\n") == []
    assert login.take_output() == b"* ID NIL\r\na OK Done\r\n"


def test_a_line_without_end_closes():
    login = machine()
    (closed,) = events(login, b"a" * 13000)
    assert isinstance(closed, CloseAsked)
    assert login.take_output().startswith(b"* BYE ")
    assert events(login, b"a NOOP\r\n") == []
    assert not login.has_pending


def test_an_initial_response_may_be_as_long_as_sasl_allows():
    message = base64.b64encode(b"\0alice\0" + b"x" * 9000)
    (asked,) = events(machine(), b"a AUTHENTICATE PLAIN " + message + b"\r\n")
    assert len(asked.secret) == 9000


def test_literals_together_are_bounded():
    login = machine(limits=LoginLimits(total=9000))
    literal = b" {4096+}\r\n" + b"x" * 4096
    found = events(login, b"a LOGIN" + literal * 4)
    assert not any(isinstance(event, LoginAsked) for event in found)
    assert b"BAD" in login.take_output()


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.0\r\n", b"CONNECT a:1 HTTP/1.1\r\n"])
def test_http_is_not_answered(first):
    login = machine()
    (closed,) = events(login, first + b"a LOGIN x y\r\n")
    assert isinstance(closed, CloseAsked)
    assert login.take_output() == b""


def test_capabilities_are_announced_clean():
    login = machine()
    events(login, b"a LOGIN x y\r\n")
    login.allow((b"IMAP4rev1", b"BAD\r\nX", b""))
    assert login.take_output() == b"a OK [CAPABILITY IMAP4rev1] Logged in\r\n"


def test_no_capabilities_need_be_announced():
    login = machine()
    events(login, b"a LOGIN x y\r\n")
    login.allow(())
    assert login.take_output() == b"a OK Logged in\r\n"


def test_the_text_of_a_refusal_is_one_line():
    login = machine()
    events(login, b"a LOGIN x y\r\n")
    login.refuse(Refusal(RefusalKind.WRONG, "no\r\nb OK ä"))
    assert login.take_output() == b"a NO [AUTHENTICATIONFAILED] no??b OK ?\r\n"


def test_too_much_ahead_of_a_verdict_closes():
    login = machine()
    assert isinstance(events(login, b"a LOGIN x y\r\n")[0], LoginAsked)
    found = [event for _ in range(20) for event in events(login, b"x" * 8192)]
    assert isinstance(found[0], CloseAsked)
