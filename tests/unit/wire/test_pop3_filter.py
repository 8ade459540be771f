import pytest

from valetkey.wire.pop3_filter import Pop3Filter, Pop3Refusal, limited_pop3_capabilities


def _filter():
    return Pop3Filter(lambda command: Pop3Refusal("No") if command.name == "DELE" else command, (b"TOP",))


@pytest.mark.parametrize("size", [1, 3, 4, 5, 1000])
def test_a_refusal_is_not_put_into_a_message(size):
    session = _filter()
    session.from_client(b"RETR 1\r\nDELE 1\r\n")
    answer = b"+OK\r\nSubject: x\r\n\r\n..\r\n.x\r\n\n.\n\r\n.\r\n"
    heard = b""
    for start in range(0, len(answer), size):
        session.from_server(answer[start : start + size])
        heard += session.take_to_client()
        assert heard in answer + b"-ERR No\r\n"
    assert heard == answer + b"-ERR No\r\n"


def test_a_negative_answer_has_no_body():
    session = _filter()
    session.from_client(b"RETR 9\r\nDELE 1\r\nSTAT\r\n")
    session.from_server(b"-ERR no such message\r\n+OK 1 2\r\n")
    assert session.take_to_client() == b"-ERR no such message\r\n-ERR No\r\n+OK 1 2\r\n"


def test_capabilities_in_their_turn():
    session = _filter()
    session.from_client(b"STAT\r\nCAPA\r\n")
    assert session.take_to_client() == b""
    session.from_server(b"+OK 0 0\r\n")
    assert session.take_to_client() == b"+OK 0 0\r\n+OK\r\nTOP\r\n.\r\n"


def test_only_known_capabilities_are_kept():
    assert limited_pop3_capabilities((b"TOP", b"utf8 USER", b"EXPIRE 60", b"X-UNKNOWN", b"", b"pipelining")) == (
        b"TOP",
        b"EXPIRE 60",
        b"pipelining",
    )


def test_pipelining_is_bounded():
    session = _filter()
    session.from_client(b"NOOP\r\n" * 1500)
    assert session.take_to_server() == b"NOOP\r\n" * 1000
    session.from_server(b"+OK\r\n" * 600)
    assert session.take_to_server() == b"NOOP\r\n" * 500
    for _ in range(60):
        session.from_client(b"NOOP\r\n" * 1000)
    assert session.close_reason == "too many commands were sent ahead of their answers"


def test_too_many_bad_commands_end_the_session():
    session = _filter()
    session.from_client(b"BOGUS\r\n" * 30)
    assert session.close_reason == "too many bad commands"
    assert session.take_to_client().count(b"-ERR") == 25


def test_a_long_line_ends_the_session():
    session = _filter()
    session.from_client(b"RETR " + b"1" * 600)
    assert session.close_reason == "a command was too long"


@pytest.mark.parametrize("answer", [b"* OK\r\n", b"OK\r\n", b"x" * 9000])
def test_an_upstream_that_speaks_something_else(answer):
    session = _filter()
    session.from_client(b"STAT\r\n")
    session.from_server(answer)
    assert session.close_reason is not None


def test_after_quit_nothing_is_read():
    session = _filter()
    session.from_client(b"QUIT\r\nSTAT\r\n")
    session.from_client(b"STAT\r\n")
    assert session.take_to_server() == b"QUIT\r\n"


def test_goodbye_is_not_put_into_a_message():
    session = _filter()
    session.from_client(b"RETR 1\r\n")
    session.from_server(b"+OK\r\nhalf")
    session.take_to_client()
    session.goodbye("Until then")
    assert (session.take_to_client(), session.close_reason) == (b"", "we end it")
    session = _filter()
    session.goodbye("Until then")
    assert session.take_to_client() == b"-ERR Until then\r\n"
