"""wire/buffer.py."""

import pytest

from valetkey.wire.buffer import Buffer, LimitExceededError


def filled(data: bytes) -> Buffer:
    buffer = Buffer()
    buffer.append(data)
    return buffer


def test_a_line_is_given_without_its_end():
    buffer = filled(b"one\r\ntwo\nthr")
    assert [buffer.take_line(10), buffer.take_line(10), buffer.take_line(10)] == [b"one", b"two", None]
    assert buffer.take_all() == b"thr"


def test_a_raw_line_shows_its_end():
    buffer = filled(b"one\r\ntwo\n\r\n")
    assert [buffer.take_raw_line(10) for _ in range(3)] == [b"one\r\n", b"two\n", b"\r\n"]


def test_a_line_that_trickles_in_is_found():
    buffer = Buffer()
    for byte in b"abc\r":
        buffer.append(bytes([byte]))
        assert buffer.take_line(10) is None
    buffer.append(b"\n")
    assert buffer.take_line(10) == b"abc"


@pytest.mark.parametrize("data", [b"12345", b"123456\n", b"1234\r\n"])
def test_a_line_over_the_limit_is_refused(data):
    with pytest.raises(LimitExceededError):
        filled(data).take_line(5)


def test_a_line_may_fill_the_limit():
    assert filled(b"123\r\n").take_line(5) == b"123"


def test_counted_octets_are_given_when_all_have_come():
    buffer = filled(b"ab")
    assert buffer.take_exactly(3) is None
    buffer.append(memoryview(b"cd"))
    assert buffer.take_exactly(3) == b"abc"
    assert buffer.take_up_to(5) == b"d"
    assert buffer.take_exactly(0) == b""


def test_octets_can_be_dropped_unseen():
    buffer = filled(b"abcdef\n")
    assert buffer.drop_up_to(2) == 2
    assert buffer.take_line(10) == b"cdef"
    assert buffer.drop_up_to(9) == 0
    buffer.append(b"x")
    buffer.clear()
    assert len(buffer) == 0
