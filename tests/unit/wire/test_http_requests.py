"""Requests are read whole, however they are cut; what is none, or too large, is refused."""

import pytest

from valetkey.wire.http_requests import MOST_BODY, MOST_HEAD, BadHttp, HttpReader, HttpRequest


def read(*pieces: bytes) -> list[HttpRequest]:
    reader, found = HttpReader(), []
    for piece in pieces:
        reader.receive(piece)
        while (request := reader.next_request()) is not None:
            found.append(request)
    return found


def refused(*pieces: bytes) -> int:
    with pytest.raises(BadHttp) as caught:
        read(*pieces)
    return caught.value.status


def test_a_request_as_nginx_sends_it():
    (one,) = read(b"GET /nginx HTTP/1.0\r\nHost: vk\r\nAuth-User: al%20ice\r\nAuth-Pass: \xff\r\n\r\n")
    assert (one.method, one.target, one.body) == ("GET", b"/nginx", b"")
    assert one.headers == [(b"host", b"vk"), (b"auth-user", b"al%20ice"), (b"auth-pass", b"\xff")]
    assert one.is_http_10
    assert not one.keeps_alive


def test_a_request_as_dovecot_sends_it():
    head = b"POST /dovecot/login HTTP/1.1\r\nHost: vk\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    reader = HttpReader()
    reader.receive(head)
    assert reader.next_request() is None
    assert not reader.is_between
    assert reader.take_continue()
    assert not reader.take_continue()
    reader.receive(b"12345")
    one = reader.next_request()
    assert one is not None
    assert one.body == b"12345"
    assert one.keeps_alive
    assert reader.is_between


def test_whoever_sends_the_body_at_once_needs_no_100():
    reader = HttpReader()
    reader.receive(b"POST / HTTP/1.1\r\nHost: vk\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n12")
    assert not reader.take_continue()


def test_http_1_0_knows_no_100():
    reader = HttpReader()
    reader.receive(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert not reader.take_continue()


def test_pieces_of_one_octet_and_requests_in_one_piece_are_the_same():
    octets = (
        b"POST /a?b=c HTTP/1.1\r\nHost: vk\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n1\r\n3\r\n0\r\n\r\n"
        b"\r\nGET /d HTTP/1.1\r\nHost: vk\r\nConnection: close\r\n\r\n"
    )
    whole = read(octets)
    assert [(one.target, one.body, one.keeps_alive) for one in whole] == [
        (b"/a?b=c", b"123", True),
        (b"/d", b"", False),
    ]
    assert read(*(octets[i : i + 1] for i in range(len(octets)))) == whole


def test_an_offer_of_another_protocol_is_passed_over():
    (one,) = read(b"GET / HTTP/1.1\r\nHost: vk\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nmore", b"and more")
    assert not one.keeps_alive


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"GET / HTTP/1.1\nA: b\n\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
def test_what_is_no_request(octets):
    assert refused(octets) == 400


def test_a_method_that_nobody_knows():
    assert refused(b"BREW / HTTP/1.1\r\nHost: vk\r\n\r\n") == 405
    assert refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == 405  # a handshake of TLS looks the same


def test_sizes_are_bounded():
    head = b"GET / HTTP/1.1\r\nHost: vk\r\n"
    assert refused(head, b"A: " + b"x" * MOST_HEAD, b"x" * MOST_HEAD) == 431
    assert refused(head + b"A: " + b"x" * MOST_HEAD + b"\r\n\r\n") == 431
    assert refused(b"GET /" + b"x" * MOST_HEAD, b"x" * MOST_HEAD) == 431
    assert refused(head + b"A: b\r\n" * 101 + b"\r\n") == 431
    body = b"x" * MOST_BODY
    (one,) = read(b"POST / HTTP/1.1\r\nHost: vk\r\nContent-Length: %d\r\n\r\n" % MOST_BODY, body)
    assert one.body == body
    assert refused(b"POST / HTTP/1.1\r\nHost: vk\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1), body + b"x") == 413


def test_nothing_of_a_request_is_in_its_text():
    (one,) = read(b"POST / HTTP/1.1\r\nHost: vk\r\nAuth-Pass: secret\r\nContent-Length: 6\r\n\r\nsecret")
    assert "secret" not in repr(one)


def test_a_control_character_that_nginx_leaves_in_a_header_is_escaped():
    octets = b"GET / HTTP/1.0\r\nAuth-Pass: a\x7fb\r\n\r\n"
    for pieces in ([octets], [octets[i : i + 1] for i in range(4, len(octets))]):
        (one,) = read(octets[:4], *pieces) if len(pieces) > 1 else read(*pieces)
        assert dict(one.headers)[b"auth-pass"] == b"a%7Fb"


def test_it_is_not_where_a_body_can_be():
    body = b"a\x7fb"
    (one,) = read(b"POST / HTTP/1.1\r\nHost: vk\r\nContent-Length: 3\r\n\r\n" + body)
    assert one.body == body
    assert refused(b"POST / HTTP/1.1\r\nAuth-Pass: a\x7fb\r\n\r\n") == 400


def test_after_the_end_nothing_is_read():
    reader = HttpReader()
    reader.end()
    reader.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert reader.next_request() is None
