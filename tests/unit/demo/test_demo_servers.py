"""The demo's two small servers over one Maildir, spoken to by Python's own clients."""

import asyncio
import poplib
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from valetkey.demo.conversation import listen
from valetkey.demo.maildir import deliver, make_maildir, messages
from valetkey.demo.pop3 import Pop3
from valetkey.demo.sink import NOTICES_FROM, Sink

PEOPLE = {"alice@example.test": "upstream-a", "bob@example.test": "upstream-b"}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    for name in PEOPLE:
        make_maildir(tmp_path / name)
    return tmp_path


@pytest.fixture
async def smtp_port(mail: Path) -> AsyncIterator[int]:
    server = await listen(lambda r, w: Sink(r, w, PEOPLE, mail), 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def pop3_port(mail: Path) -> AsyncIterator[int]:
    server = await listen(lambda r, w: Pop3(r, w, PEOPLE, mail), 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def inbox(mail: Path, name: str) -> list[bytes]:
    return [path.read_bytes() for _, path in messages(mail / name)]


async def test_what_is_sent_arrives(mail: Path, smtp_port: int) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", smtp_port) as client:
            client.login("alice@example.test", "upstream-a", initial_response_ok=True)
            client.sendmail("alice@example.test", ["Bob@example.test"], b"Subject: dots\r\n\r\n.one\r\n..two\r\n")

    await asyncio.to_thread(send)
    (message,) = inbox(mail, "bob@example.test")
    assert message.startswith(b"Return-Path: <alice@example.test>\r\nReceived: ")
    assert message.endswith(b"Subject: dots\r\n\r\n.one\r\n..two\r\n")
    assert inbox(mail, "alice@example.test") == []


async def test_strangers_neither_send_nor_receive(mail: Path, smtp_port: int) -> None:
    def refused() -> None:
        with smtplib.SMTP("127.0.0.1", smtp_port) as client:
            client.ehlo()
            assert client.mail("alice@example.test")[0] == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("alice@example.test", "upstream-b")
            client.login("alice@example.test", "upstream-a")
            assert client.docmd("DATA")[0] == 503
            assert client.rcpt("bob@example.test")[0] == 503
            assert client.mail("alice@example.test")[0] == 250
            assert client.rcpt("carol@example.test")[0] == 550
            assert client.rcpt("../../etc/passwd")[0] == 550
            assert client.docmd("VRFY", "bob")[0] == 502

    await asyncio.to_thread(refused)
    assert inbox(mail, "bob@example.test") == []


async def test_notices_come_without_a_login_and_those_to_elsewhere_stay_here(mail: Path, smtp_port: int) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", smtp_port) as client:
            for to in ("bob@example.test", "somebody@elsewhere.example"):
                client.sendmail(NOTICES_FROM, [to], f"Subject: to {to}\r\n\r\nA notice\r\n")

    await asyncio.to_thread(send)
    assert b"Subject: to bob@example.test" in inbox(mail, "bob@example.test")[0]
    assert b"Subject: to somebody@elsewhere.example" in inbox(mail, "alice@example.test")[0]


async def test_a_message_that_breaks_off_is_not_delivered(mail: Path, smtp_port: int) -> None:
    def break_off() -> None:
        client = smtplib.SMTP("127.0.0.1", smtp_port)
        client.login("alice@example.test", "upstream-a")
        client.mail("alice@example.test")
        client.rcpt("bob@example.test")
        client.docmd("DATA")
        client.send(b"Subject: half\r\n\r\nhalf a mess")
        client.close()

    await asyncio.to_thread(break_off)
    await asyncio.sleep(0.05)
    assert inbox(mail, "bob@example.test") == []


async def test_pop3_lists_reads_and_deletes(mail: Path, pop3_port: int) -> None:
    for number in (1, 2):
        text = f"Subject: {number}\r\n\r\n.dot\r\nline {number}\r\nlast\r\n"
        deliver(mail / "alice@example.test", text.encode(), flags="S" if number == 1 else None)

    def read() -> None:
        client = poplib.POP3("127.0.0.1", pop3_port)
        client.user("alice@example.test")
        client.pass_("upstream-a")
        assert client.stat()[0] == 2
        assert [len(line.split()) for line in client.uidl()[1]] == [2, 2]
        assert client.retr(1)[1] == [b"Subject: 1", b"", b".dot", b"line 1", b"last"]
        assert client.top(2, 1)[1] == [b"Subject: 2", b"", b".dot"]
        client.dele(1)
        with pytest.raises(poplib.error_proto):
            client.retr(1)
        client.rset()
        client.dele(2)
        client.quit()

    await asyncio.to_thread(read)
    (left,) = inbox(mail, "alice@example.test")
    assert left.startswith(b"Subject: 1")


async def test_pop3_lets_nobody_in_without_the_password(pop3_port: int) -> None:
    def refused() -> None:
        client = poplib.POP3("127.0.0.1", pop3_port)
        with pytest.raises(poplib.error_proto):
            client.stat()
        client.user("alice@example.test")
        with pytest.raises(poplib.error_proto, match="AUTH"):
            client.pass_("upstream-b")
        with pytest.raises(poplib.error_proto):
            client.retr(1)
        client.quit()

    await asyncio.to_thread(refused)
