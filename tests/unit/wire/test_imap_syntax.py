"""wire/imap_syntax.py."""

import pytest

from valetkey.wire.imap_syntax import (
    Group,
    ImapSyntaxError,
    Message,
    Section,
    Text,
    Word,
    Words,
    is_quotable,
    quoted,
    written,
)


def read(*pieces: bytes, sections: bool = True, depth: int = 3):
    """Lines and literals by turns."""
    words = Words(depth)
    for index, piece in enumerate(pieces):
        if index % 2:
            words.expect_literal()
            words.add_literal(piece)
        else:
            words.add_line(piece, sections=sections)
    return words.finish()


def test_atoms_strings_and_lists_are_read():
    assert read(rb'SEARCH "a \"b\\" (\Seen ($x)) 1:*,4 %*]') == (
        Word(b"SEARCH"),
        Text(rb'a "b' + b"\\"),
        Group((Word(rb"\Seen"), Group((Word(b"$x"),)))),
        Word(b"1:*,4"),
        Word(b"%*]"),
    )


def test_eight_bit_octets_may_stand_in_quotes():
    assert read(b'"\xe4\x01\xff" ""') == (Text(b"\xe4\x01\xff"), Text(b""))


def test_literals_are_read_where_they_stand():
    assert read(b"a (", b"x\r\ny", b" b)") == (Word(b"a"), Group((Text(b"x\r\ny"), Word(b"b"))))


def test_sections_are_read():
    (group,) = read(b"(body.peek[1.header.fields (a] ", b"b", b")]<0.10> BINARY[] FLAGS)")
    assert group == Group(
        (
            Section(b"BODY.PEEK", (Word(b"1.header.fields"), Group((Word(b"a]"), Text(b"b")))), b"<0.10>"),
            Section(b"BINARY", ()),
            Word(b"FLAGS"),
        )
    )


def test_brackets_are_letters_outside_fetch():
    assert read(b"[Gmail]/x BODY[1]", sections=False) == (Word(b"[Gmail]/x"), Word(b"BODY[1]"))


@pytest.mark.parametrize(
    "line",
    [
        *[
            b'"a',
            b'a"b"',
            b'"a""b"',
            b"(a",
            b"a)",
            b"((((a))))",
            b"a\x00",
            b"\xe4",
            b"a\tb",
            b'"a\rb"',
            b'"\\x"',
            b"a{3}b",
        ],
        *[b"(a)(b)", b"BODY[1", b"BODY[1]x", b"BODY[(a]", b"BODY[1]<1>", b"a\x7f"],
    ],
)
def test_what_no_command_may_hold_is_refused(line):
    with pytest.raises(ImapSyntaxError):
        read(line)


@pytest.mark.parametrize("before", [b"abc", b'"x"', b"BODY["])
def test_a_literal_stands_alone(before):
    with pytest.raises(ImapSyntaxError):
        read(before, b"x", b"")


def test_a_literal_holds_no_nul():
    with pytest.raises(ImapSyntaxError):
        read(b"a ", b"x\0", b"")


def test_what_is_written_is_made_from_what_was_read():
    nodes = read(b'a  ( b "c\\"" ) BODY.peek[1.mime]<0.1> "" ', b"x\r\n", b"")
    assert list(written(nodes)) == [
        *[b"a", b" ", b"(", b"b", b" ", b'"c\\""', b")", b" ", b"BODY.PEEK[", b"1.mime", b"]<0.1>", b" ", b'""', b" "],
        Text(b"x\r\n"),
    ]
    assert list(written((Message(7),))) == [Message(7)]


def test_only_plain_text_is_quoted():
    assert quoted(b'a"\\') == b'"a\\"\\\\"'
    assert is_quotable(b"x" * 4096)
    assert not any(map(is_quotable, (b"x" * 4097, b"a\n", b"\xe4", b"\0")))
