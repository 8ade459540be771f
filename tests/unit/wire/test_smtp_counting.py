"""A message that somebody counts: asked before it begins, given back when the upstream does not take it."""

import pytest

from valetkey.wire.smtp_command import SmtpRefusal
from valetkey.wire.smtp_filter import SmtpFilter


class Counting:
    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    def asked(self, recipients: int) -> None:
        self.heard.append(("asked", recipients))

    def not_taken(self, recipients: int) -> None:
        self.heard.append(("not taken", recipients))


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def session(counting: Counting) -> SmtpFilter:
    return SmtpFilter(lambda command: command, (b"PIPELINING",), hostname="mx.example.test", counting=counting)


ENVELOPE = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\n"


def test_a_message_is_asked_about_when_its_recipients_are_answered(session: SmtpFilter, counting: Counting):
    session.from_client(ENVELOPE + b"DATA\r\n")
    assert session.take_to_server() == ENVELOPE
    session.from_server(b"250 Ok\r\n250 Ok\r\n")
    assert counting.heard == []
    session.from_server(b"550 no such user\r\n")
    assert counting.heard == [("asked", 1)]
    assert session.take_to_server() == b""
    assert session.waits_for_server
    session.begin(None)
    assert session.take_to_server() == b"DATA\r\n"
    session.from_server(b"354 Go on\r\n")
    session.from_client(b"text\r\n.\r\n")
    session.from_server(b"250 Queued\r\n")
    assert counting.heard == [("asked", 1)]
    # The next one begins anew.
    session.from_client(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nDATA\r\n")
    session.from_server(b"250 Ok\r\n250 Ok\r\n250 Ok\r\n")
    assert counting.heard == [("asked", 1), ("asked", 2)]


def test_a_message_that_is_refused_never_begins(session: SmtpFilter, counting: Counting):
    session.from_client(ENVELOPE + b"DATA\r\nRSET\r\n")
    session.from_server(b"250 Ok\r\n250 Ok\r\n250 Ok\r\n")
    session.take_to_server()
    session.take_to_client()
    session.begin(SmtpRefusal(550, "5.7.1", "Enough for today"))
    assert session.take_to_client() == b"550 5.7.1 Enough for today\r\n"
    # What was pipelined behind it is read as commands, as after any refused DATA.
    assert session.take_to_server() == b"RSET\r\n"
    assert counting.heard == [("asked", 2)]


@pytest.mark.parametrize(
    "replies", [(b"451 not now\r\n",), (b"354 Go on\r\n", b"552 too much\r\n"), (b"354 Go on\r\n", b"451 later\r\n")]
)
def test_what_the_upstream_does_not_take_is_given_back(
    session: SmtpFilter, counting: Counting, replies: tuple[bytes, ...]
):
    session.from_client(ENVELOPE + b"DATA\r\n")
    session.from_server(b"250 Ok\r\n250 Ok\r\n250 Ok\r\n")
    session.begin(None)
    for reply in replies:
        session.from_server(reply)
        session.from_client(b"text\r\n.\r\n" if reply.startswith(b"354") else b"")
    assert counting.heard == [("asked", 2), ("not taken", 2)]


@pytest.mark.parametrize("refused", [b"MAIL FROM:<a@b.example>", b"RSET"])
def test_what_the_upstream_refuses_makes_it_forget_no_recipient(
    session: SmtpFilter, counting: Counting, refused: bytes
):
    session.from_client(ENVELOPE + refused + b"\r\nDATA\r\n")
    session.from_server(b"250 Ok\r\n250 Ok\r\n250 Ok\r\n503 nested MAIL command\r\n")
    assert counting.heard == [("asked", 2)]


def test_without_recipients_the_upstream_itself_answers(session: SmtpFilter, counting: Counting):
    session.from_client(b"DATA\r\n")
    assert session.take_to_server() == b"DATA\r\n"
    session.from_server(b"503 need MAIL\r\n")
    assert session.take_to_client() == b"503 need MAIL\r\n"
    assert counting.heard == []


def test_an_answer_that_comes_too_late_does_nothing(session: SmtpFilter, counting: Counting):
    session.from_client(ENVELOPE + b"DATA\r\n")
    session.from_server(b"250 Ok\r\n250 Ok\r\n250 Ok\r\n")
    session.take_to_server()
    session.from_server(b"421 going down\r\n")
    session.begin(None)
    assert session.take_to_server() == b""
    assert session.close_reason
