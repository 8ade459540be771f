import pytest

from valetkey.wire.buffer import Buffer
from valetkey.wire.machine import PeerError
from valetkey.wire.smtp_reply import SmtpReply, SmtpReplyReader, hello_reply


def _read(data):
    buffer = Buffer()
    buffer.append(data)
    return SmtpReplyReader().read(buffer)


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"250 OK\r\n", SmtpReply(250, (b"OK",))),
        (b"250\r\n", SmtpReply(250, (b"",))),
        (b"250-a\r\n250-\r\n250 b\r\n", SmtpReply(250, (b"a", b"", b"b"))),
        (b"354 go\n", SmtpReply(354, (b"go",))),
        (b"250-a\r\n", None),
        (b"250 unfinished", None),
    ],
)
def test_read(data, reply):
    assert _read(data) == reply


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"OK\r\n",
        b"150 x\r\n",
        b"600 x\r\n",
        b"25 x\r\n",
        b"2500 x\r\n",
        b"250_x\r\n",
        b"250-a\r\n251 b\r\n",
        b"250 " + b"x" * 5000,
        b"250-x\r\n" * 201,
    ],
)
def test_what_is_no_reply(data):
    with pytest.raises(PeerError):
        _read(data)


def test_a_reply_is_written_as_it_was_read():
    data = b"250-a\r\n250-b\r\n250 c\r\n"
    assert _read(data).line() == data
    assert hello_reply("mx.example.test", (b"SIZE",)) == b"250-mx.example.test\r\n250 SIZE\r\n"
    assert hello_reply("mx.example.test", ()) == b"250 mx.example.test\r\n"


def test_replies_follow_each_other():
    buffer, reader = Buffer(), SmtpReplyReader()
    buffer.append(b"250 a\r\n550 b\r\n451 c\r\n")
    first, second, third = (reader.read(buffer) for _ in range(3))
    assert (first.is_positive, second.is_positive, third.is_positive) == (True, False, False)
