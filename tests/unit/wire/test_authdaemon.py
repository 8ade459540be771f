"""The server's side of the protocol of Courier's authdaemond."""

import pytest

from valetkey.wire.authdaemon import (
    MOST_LINE,
    MOST_NAME,
    MOST_PASSWORD,
    AuthdaemonServer,
    LoginAsked,
    Mailbox,
    OtherAsked,
    mailbox_reply,
)
from valetkey.wire.machine import PeerError

# As courier-imapd 1.1 has sent it.
RECORDED = b"TCPREMOTEIP=::ffff:127.0.0.1\nAUTH 36\nimap\nlogin\nalice@example.test\nwrong\n"


def read(octets: bytes) -> LoginAsked | OtherAsked | None:
    server = AuthdaemonServer()
    server.receive(octets)
    return server.next_request()


def login(*lines: bytes) -> bytes:
    body = b"\n".join(lines)
    return b"AUTH %d\n%s" % (len(body), body)


def test_a_login_is_read_as_courier_sends_it():
    assert read(RECORDED) == LoginAsked(b"imap", b"login", b"alice@example.test", b"wrong", b"::ffff:127.0.0.1")


def test_a_login_may_come_octet_by_octet():
    server = AuthdaemonServer()
    for number in range(len(RECORDED) - 1):
        server.receive(RECORDED[number : number + 1])
        assert server.next_request() is None
    server.receive(RECORDED[-1:])
    assert server.next_request() is not None


def test_an_older_courier_tells_no_address_and_no_last_line_end():
    asked = read(login(b"pop3", b"login", b"alice", b"pass word"))
    assert asked == LoginAsked(b"pop3", b"login", b"alice", b"pass word")


def test_a_password_may_be_empty_or_of_any_octets():
    assert read(login(b"imap", b"login", b"a", b"", b"")) == LoginAsked(b"imap", b"login", b"a", b"")
    assert read(login(b"imap", b"login", b"a", b"\0\xff\r")) == LoginAsked(b"imap", b"login", b"a", b"\0\xff\r")


def test_a_mechanism_without_a_password_is_only_named():
    asked = read(login(b"imap", b"cram-md5", b"challenge", b"response"))
    assert asked == LoginAsked(b"imap", b"cram-md5")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"PRE . imap alice@example.org\n", "PRE"),
        (b"TCPREMOTEIP=::1\nPRE . login alice\n", "PRE"),
        (b"PASSWD imap\talice\told\tnew\n", "PASSWD"),
        (b"ENUMERATE\n", "ENUMERATE"),
    ],
)
def test_other_requests_are_told_apart(line: bytes, word: str):
    assert read(line) == OtherAsked(word)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\n", "no request"),
        (b"auth 3\n", "no request"),
        (b"TCPREMOTEIP=a\nTCPREMOTEIP=b\n", "no request"),
        (b"AUTH\n", "no length"),
        (b"AUTH -1\n", "no length"),
        (b"AUTH 1_0\n", "no length"),
        (b"AUTH \xd9\xa1\n", "no length"),
        (b"AUTH 9999999\n", "no length"),
        (b"AUTH 2049\n", "too long"),
        (b"AUTH 0\n", "no mechanism"),
        (b"AUTH 4\nimap", "no mechanism"),
        (login(b"imap", b"login", b"alice"), "a name and a password"),
        (login(b"imap", b"login", b"alice", b"one", b"two"), "a name and a password"),
        (login(b"imap", b"login", b"a" * (MOST_NAME + 1), b"x"), "too long"),
        (login(b"imap", b"login", b"a", b"x" * (MOST_PASSWORD + 1)), "too long"),
        (b"PRE . imap " + b"a" * MOST_LINE, "too long"),
        (b"TCPREMOTEIP=" + b"a" * MOST_LINE, "too long"),
    ],
)
def test_what_is_no_request_is_refused(octets: bytes, why: str):
    with pytest.raises(PeerError, match=why):
        read(octets)


def test_no_password_is_shown():
    assert "wrong" not in repr(read(RECORDED))


def test_a_mailbox_is_told_in_lines():
    reply = mailbox_reply(Mailbox("alice@example.org", 5000, 5001, "/var/mail/alice"))
    lines = [
        "UID=5000",
        "GID=5001",
        "HOME=/var/mail/alice",
        "MAILDIR=/var/mail/alice",
        "ADDRESS=alice@example.org",
        ".",
    ]
    assert reply.decode().splitlines() == lines


@pytest.mark.parametrize("folder", ["", "/var/mail/a\nUID=0", "/var/mail/a\0", "/var/mail/\x1b"])
def test_no_value_becomes_another_line(folder: str):
    with pytest.raises(ValueError, match="one line"):
        mailbox_reply(Mailbox("alice@example.org", 5000, 5000, folder))
