"""HTTP from mail servers: whatever comes, however it is cut, is read alike or refused; and little of it is held."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from valetkey.wire.http_requests import MOST_BODY, BadHttp, HttpReader, HttpRequest

_METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT"])
_VALUES = st.binary(max_size=30).map(lambda octets: bytes(o for o in octets if o > 0x20 and o != 0x7F))
_BODIES = st.binary(max_size=200)


def read(pieces: list[bytes]) -> tuple[list[HttpRequest], int]:
    reader, found = HttpReader(), []
    try:
        for piece in pieces:
            reader.receive(piece)
            while (request := reader.next_request()) is not None:
                found.append(request)
    except BadHttp as bad:
        return found, bad.status
    return found, 0


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
    return [octets[a:b] for a, b in pairwise(edges)]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6))
def test_any_octets_are_read_or_refused(octets, places):
    requests, status = read(cut(octets, places))
    assert status in {0, 400, 405, 413, 431}
    assert all(len(one.body) <= MOST_BODY for one in requests)


@given(st.lists(st.tuples(_METHODS, _VALUES, _BODIES), max_size=4), st.lists(st.integers(0, 2000), max_size=10))
def test_requests_come_out_as_they_were_sent(wanted, places):
    octets = b"".join(
        b"%b / HTTP/1.1\r\nHost: vk\r\nAuth-Pass: %b\r\nContent-Length: %d\r\n\r\n%b" % (method, value, len(body), body)
        for method, value, body in wanted
    )
    requests, status = read(cut(octets, places))
    assert status == 0
    assert [(one.method.encode(), dict(one.headers)[b"auth-pass"], one.body) for one in requests] == wanted
