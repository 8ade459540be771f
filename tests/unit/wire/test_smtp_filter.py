import pytest

from valetkey.wire.smtp_command import SmtpCommand
from valetkey.wire.smtp_filter import SmtpFilter, limited_smtp_extensions

END = b"\r\n.\r\n"
SMUGGLED = b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nsmuggled\r\n.\r\n"
# Every ending other than CR LF . CR LF that some server has taken for the end of data.
VARIANTS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n\0.\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\r\n",
]


def _in_message(rule=lambda command: command):
    session = SmtpFilter(rule, (b"PIPELINING",), hostname="mx.example.test")
    for command in (b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n"):
        session.from_client(command)
        session.from_server(b"250 Ok\r\n")
    session.from_client(b"DATA\r\n")
    session.from_server(b"354 Go on\r\n")
    session.take_to_client()
    session.take_to_server()
    return session


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_no_other_ending_ends_a_message_or_reaches_the_upstream(variant, size):
    session = _in_message()
    data = b"Subject: x\r\n\r\ntext" + variant + SMUGGLED
    sent = b""
    for start in range(0, len(data), size):
        session.from_client(data[start : start + size])
        sent += session.take_to_server()
    assert variant not in sent
    assert b"smuggled" not in sent
    assert b"MAIL" not in sent
    assert END not in sent
    assert session.take_to_client().startswith(b"550 5.6.11 ")
    assert session.close_reason == "a message held a bare CR or LF"


def test_a_bare_line_feed_is_answered_at_what_the_client_takes_for_the_end():
    session = _in_message()
    session.from_client(b"Subject: x\n\ntext\n")
    assert session.take_to_server() == b""
    assert session.take_to_client() == b""
    assert session.close_reason is None
    session.from_client(b".\n")
    assert session.take_to_client().startswith(b"550 5.6.11 ")
    assert session.close_reason is not None


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 64, 100000])
def test_a_message_goes_through_as_it_is(size):
    message = b"Subject: x\r\n\r\n" + b"..line of text\r\n" * 100 + b"\0\xff\r\n.\r\n"
    session = _in_message()
    sent = b""
    for start in range(0, len(message), size):
        session.from_client(memoryview(message)[start : start + size])
        sent += session.take_to_server()
    assert sent == message
    session.from_server(b"250 2.0.0 Queued\r\n")
    assert session.take_to_client() == b"250 2.0.0 Queued\r\n"
    session.from_client(b"NOOP\r\n")
    assert session.take_to_server() == b"NOOP\r\n"


def test_an_empty_message():
    session = _in_message()
    session.from_client(b".\r\nQUIT\r\n")
    assert session.take_to_server() == b".\r\n"
    session.from_server(b"250 Ok\r\n")
    assert session.take_to_server() == b"QUIT\r\n"


def test_a_message_is_not_kept():
    session = _in_message()
    slice_of_message = b"x" * 76 + b"\r\n"
    for _ in range(1000):
        session.from_client(slice_of_message)
        assert session.take_to_server() == slice_of_message
    assert len(session._client) == 0


def test_the_upstream_may_give_up_while_a_message_comes():
    session = _in_message()
    session.from_client(b"text\r\n")
    session.from_server(b"421 4.3.2 Shutting down\r\n")
    assert session.take_to_client() == b"421 4.3.2 Shutting down\r\n"
    assert session.close_reason is not None
    session.from_client(b".\r\n")
    assert session.take_to_server() == b"text\r\n"


def test_pipelining_is_bounded():
    session = SmtpFilter(lambda command: command, ())
    session.from_client(b"NOOP\r\n" * 100)
    assert session.take_to_server() == b"NOOP\r\n" * 100
    session.from_client(b"NOOP\r\n" * 2000)
    assert session.take_to_server() == b"NOOP\r\n" * 900
    session.from_server(b"250 Ok\r\n" * 10)
    assert session.take_to_server() == b"NOOP\r\n" * 10
    for _ in range(60):
        session.from_client(b"NOOP\r\n" * 1000)
    assert session.close_reason == "too much was sent ahead of an answer"


def test_a_long_command_ends_the_session():
    session = SmtpFilter(lambda command: command, ())
    session.from_client(b"MAIL FROM:<" + b"a" * 5000)
    assert session.close_reason == "a command was too long"
    assert session.take_to_server() == b""


@pytest.mark.parametrize("command", [b"MAIL FROM:<a@b.example>\r\n", b"NOOP\r\n", b"EHLO x\r\n"])
def test_the_upstream_cannot_begin_a_message_that_was_not_asked_for(command):
    session = SmtpFilter(lambda each: each, ())
    session.from_client(command)
    session.from_server(b"354 Go on\r\n")
    assert session.close_reason == "the upstream asked for what was not sent"
    session.from_client(b"XCLIENT LOGIN=bob\r\n")
    assert b"XCLIENT" not in session.take_to_server()


def test_the_rule_may_rewrite():
    session = SmtpFilter(
        lambda command: SmtpCommand("MAIL", b"scanner@example.test") if command.name == "MAIL" else command, ()
    )
    session.from_client(b"MAIL FROM:<root@printer.example> SIZE=5\r\n")
    assert session.take_to_server() == b"MAIL FROM:<scanner@example.test>\r\n"


def test_after_quit_nothing_is_read():
    session = SmtpFilter(lambda command: command, ())
    session.from_client(b"QUIT\r\nMAIL FROM:<a@b.example>\r\n")
    session.from_client(b"NOOP\r\n")
    assert session.take_to_server() == b"QUIT\r\n"


def test_extensions_that_the_filter_does_not_follow_are_not_announced():
    upstream = (b"SIZE 100", b"chunking", b"BINARYMIME", b"XCLIENT ADDR", b"8bitmime", b"ETRN", b"BURL imap", b"")
    assert limited_smtp_extensions(upstream) == (b"SIZE 100", b"8bitmime")


def test_after_goodbye_nothing_of_a_message_passes():
    session = _in_message()
    session.goodbye("Until then")
    assert session.take_to_client() == b"421 4.7.0 mx.example.test Until then\r\n"
    session.from_client(b"text" + END)
    assert (session.take_to_server(), session.close_reason) == (b"", "we end it")
