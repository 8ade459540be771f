import pytest

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError
from valetkey.wire.sieve_syntax import SieveSyntaxError, quoted_text, read_tokens, write_tokens


def _read(data, *, from_client=True, line_limit=1000, literal_limit=1000):
    buffer = Buffer()
    buffer.append(data)
    reading = read_tokens(buffer, line_limit=line_limit, literal_limit=literal_limit, from_client=from_client)
    try:
        next(reading)
    except StopIteration as done:
        return done.value
    return None


@pytest.mark.parametrize(
    ("data", "tokens"),
    [
        (b"\r\n", []),
        (b"LOGOUT\r\n", ["LOGOUT"]),
        (b'HAVESPACE "a b" 10\r\n', ["HAVESPACE", b"a b", "10"]),
        (b'NOOP "\\"\\\\"\r\n', ["NOOP", b'"\\']),
        (b'NOOP ""\r\n', ["NOOP", b""]),
        (b"NOOP {0+}\r\n\r\n", ["NOOP", b""]),
        (b'PUTSCRIPT {3+}\r\na\r\n "x"\r\n', ["PUTSCRIPT", b"a\r\n", b"x"]),
        (b"X {1+}\r\na {1+}\r\nb\r\n", ["X", b"a", b"b"]),
        (b'OK (TAG "x") "y"\r\n', ["OK", "(", "TAG", b"x", ")", b"y"]),
        (b"NO (QUOTA/MAXSIZE)\r\n", ["NO", "(", "QUOTA/MAXSIZE", ")"]),
        (b'NOOP "\xff\xc3"\r\n', ["NOOP", b"\xff\xc3"]),
        (b"LOGOUT", None),
        (b"X {5+}\r\nab", None),
        (b"X {2+}\r\nab", None),
    ],
)
def test_read(data, tokens):
    assert _read(data) == tokens
    if tokens is not None:
        assert _read(write_tokens(tokens, to_server=True)) == tokens


@pytest.mark.parametrize(
    "data", [b'NOOP "\r\n', b'NOOP "a\\b"\r\n', b"NOOP *\r\n", b"NOOP\n", b"NO\rOP\r\n", b"NO\0OP\r\n", b"\xff\r\n"]
)
def test_malformed_lines(data):
    with pytest.raises(SieveSyntaxError):
        _read(data)


@pytest.mark.parametrize(
    "data", [b"X {1001+}\r\n", b"X {4294967295+}\r\n", b"X {3}\r\nabc\r\n", b"X * {3+}\r\n", b"X {3+}\n", b"X {+}\r\n"]
)
def test_what_cannot_be_told_from_commands(data):
    with pytest.raises(PeerError):
        _read(data)


def test_all_literals_together_are_bounded():
    with pytest.raises(PeerError):
        _read(b"X {600+}\r\n" + b"x" * 600 + b" {600+}\r\n")


def test_many_words_and_long_lines_are_refused():
    with pytest.raises(PeerError):
        _read(b"(" * 2000 + b"\r\n", line_limit=5000)
    with pytest.raises(LimitExceededError):
        _read(b"a" * 2000)


def test_a_server_may_send_literals_without_plus():
    assert _read(b"{3}\r\nabc\r\n", from_client=False) == [b"abc"]
    assert _read(b"{3+}\r\nabc\r\n", from_client=False) == [b"abc"]


def test_write():
    assert write_tokens(["OK", "(", "TAG", b"a(", ")", b"x"], to_server=False) == b'OK (TAG "a(") "x"\r\n'
    assert write_tokens([b"a\nb"], to_server=True) == b"{3+}\r\na\nb\r\n"
    assert write_tokens([b"a\nb(", b"c"], to_server=False) == b'{4}\r\na\nb( "c"\r\n'
    assert write_tokens([b"x" * 1025], to_server=False).startswith(b"{1025}\r\n")
    assert quoted_text('a"\r\n\\') == b'"a\\"??\\\\"'
