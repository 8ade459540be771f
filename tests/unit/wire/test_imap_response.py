"""wire/imap_response.py."""

import pytest

from valetkey.wire.imap_capability import limited_capabilities
from valetkey.wire.imap_response import Continuation, Notice, Passage, ResponseReader, Tagged, with_capabilities
from valetkey.wire.machine import PeerError


def responses(*pieces: bytes) -> list[object]:
    reader, found = ResponseReader(), []
    for piece in pieces:
        reader.receive(piece)
        while (response := reader.next()) is not None:
            found.append(response)
    return found


def boundaries(*pieces: bytes) -> list[bool]:
    """Tell after each response whether a whole one has just ended."""
    reader, found = ResponseReader(), []
    for piece in pieces:
        reader.receive(piece)
        while reader.next() is not None:
            found.append(reader.at_boundary)
    return found


def test_plain_lines_pass_in_one_piece():
    assert responses(b"* 1 EXISTS\r\n* FLAGS ()\r\n* 2 FETCH") == [Passage(b"* 1 EXISTS\r\n* FLAGS ()\r\n")]


def test_what_a_filter_must_see_is_cut_out():
    assert responses(b"* 1 EXISTS\r\n* OK [CAPABILITY x] y\r\na1 OK done\r\n+ go\r\n* 2 EXISTS\r\n") == [
        Passage(b"* 1 EXISTS\r\n"),
        Notice(b"* OK [CAPABILITY x] y\r\n"),
        Tagged(b"a1", b"a1 OK done\r\n"),
        Continuation(b"+ go\r\n"),
        Passage(b"* 2 EXISTS\r\n"),
    ]


def test_literals_pass_by_their_count():
    pieces = (b"* 1 FETCH (BODY[] {13}\r\n", b"a1 OK {9}\r\n+", b" X {2}\r\n)", b")", b")\r\na1 OK x\r\n")
    found, ends = responses(*pieces), boundaries(*pieces)
    assert b"".join(f.data for f in found[:-1]) == b"* 1 FETCH (BODY[] {13}\r\na1 OK {9}\r\n+ X {2}\r\n)))\r\n"
    assert ends[-2:] == [True, True]
    assert not any(ends[:-2])
    assert found[-1] == Tagged(b"a1", b"a1 OK x\r\n")


def test_the_text_of_a_status_announces_no_literal():
    assert responses(b"a1 NO No such mailbox: x{100}\r\n* BAD {5}\r\n* 1 EXISTS\r\n") == [
        Tagged(b"a1", b"a1 NO No such mailbox: x{100}\r\n"),
        Notice(b"* BAD {5}\r\n"),
        Passage(b"* 1 EXISTS\r\n"),
    ]


def test_a_boundary_is_only_between_responses():
    reader = ResponseReader()
    reader.receive(b"* 1 FETCH (BODY[] {3}\r\nab")
    assert [reader.next() is not None, reader.next() is not None, reader.next()] == [True, True, None]
    assert not reader.at_boundary
    reader.receive(b"c)\r\n")
    while reader.next() is not None:
        pass
    assert reader.at_boundary


def test_a_long_line_passes_before_it_ends():
    long = b"* SEARCH" + b" 12345" * 30000
    pieces = (long[:90000], long[90000:], b" {2}\r\nab\r\na OK\r\n")
    found = responses(*pieces)
    assert not any(boundaries(*pieces)[:3])
    assert b"".join(f.data for f in found[:-1]) == long + b" {2}\r\nab\r\n"
    assert found[-1] == Tagged(b"a", b"a OK\r\n")


@pytest.mark.parametrize(
    "data", [b"hello\r\n", b"a b c\r\n", b"\r\n", b"a1 OK" + b"x" * 70000, b"* OK " + b"x" * 70000]
)
def test_what_is_not_imap_ends_it(data):
    with pytest.raises(PeerError):
        responses(data)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (b"* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE Idle\r\n", b"* CAPABILITY IMAP4rev1 Idle\r\n"),
        (b"* ok [capability IMAP4rev1 NOTIFY] hi\r\n", b"* ok [capability IMAP4rev1] hi\r\n"),
        (b"a OK [CAPABILITY URLAUTH] hi\r\n", b"a OK [CAPABILITY] hi\r\n"),
        (b"a OK [CAPABILITY URLAUTH\r\n", b"a OK [CAPABILITY\r\n"),
        (b"a OK CAPABILITY completed\r\n", b"a OK CAPABILITY completed\r\n"),
        (b"a NO [OVERQUOTA] CAPABILITY X\r\n", b"a NO [OVERQUOTA] CAPABILITY X\r\n"),
    ],
)
def test_capabilities_are_cut(line, left):
    assert with_capabilities(line, limited_capabilities) == left


def test_every_spelling_of_capability_is_seen():
    (notice,) = responses(b"* cApability COMPRESS\r\n")
    assert isinstance(notice, Notice)
