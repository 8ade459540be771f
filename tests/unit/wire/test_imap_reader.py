"""wire/imap_reader.py."""

import pytest

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.imap_reader import Announced, CommandReader, Finished, Malformed, ReadLimits
from valetkey.wire.imap_syntax import Text, Word

LIMITS = ReadLimits(line=64, literal=16, total=128, skipped=1000, depth=2)


def reader_of(data: bytes) -> CommandReader:
    buffer = Buffer()
    buffer.append(data)
    return CommandReader(buffer, LIMITS)


def steps(data: bytes) -> list[object]:
    """Every step; literals that fit are accepted, others discarded."""
    reader, found = reader_of(data), []
    while (step := reader.advance()) is not None:
        found.append(step)
        if isinstance(step, Announced):
            if reader.fits(step.size):
                reader.accept()
            else:
                reader.discard()
    return found


def test_commands_come_one_by_one():
    assert steps(b"a NOOP\r\nb\r\nc NO") == [Finished(b"a", (Word(b"NOOP"),)), Finished(b"b", ())]


def test_a_literal_is_announced_before_its_octets():
    reader = reader_of(b"a LOGIN {3}\r\nx\r\n b\r\n")
    assert reader.advance() == Announced(3, synchronizing=True, binary=False)
    assert (reader.tag, reader.words, reader.nested) == (b"a", [Word(b"LOGIN")], False)
    assert reader.advance() is None
    reader.accept()
    assert reader.advance() == Finished(b"a", (Word(b"LOGIN"), Text(b"x\r\n"), Word(b"b")))


def test_a_discarded_literal_is_skipped_with_the_rest_of_its_command():
    assert steps(b"a X {20+}\r\n" + b"b NOOP\r\n" * 2 + b"abcd (({2+}\r\n\r\n\r\nc OK\r\n")[1:] == [
        Finished(b"c", (Word(b"OK"),))
    ]


def test_a_discarded_synchronizing_literal_never_comes():
    assert steps(b"a X {20}\r\nb NOOP\r\n") == [Announced(20, True, False), Finished(b"b", (Word(b"NOOP"),))]


def test_a_malformed_command_is_skipped_with_its_literals():
    assert steps(b'a X "open {8+}\r\nb NOOP\r\n {1+}\r\nx\r\nc OK\r\n') == [
        Malformed(b"a", "Malformed command"),
        Finished(b"c", (Word(b"OK"),)),
    ]


def test_a_literal_with_nul_is_malformed_to_its_end():
    assert steps(b"a X {2+}\r\n\0x {8+}\r\nb NOOP\r\n\r\nc OK\r\n")[1:] == [
        Malformed(b"a", "NUL is not allowed"),
        Finished(b"c", (Word(b"OK"),)),
    ]


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        (b"a NOOP\n", b"a"),
        (b"a NO\rOP\r\n", b"a"),
        (b"a NO\0OP\r\n", b"a"),
        (b"\r\n", b"*"),
        (b" a NOOP\r\n", b"*"),
        (b"a+b NOOP\r\n", b"*"),
        (b"(a) NOOP\r\n", b"*"),
        (b"*\r\n", b"*"),
        (b"a X (\r\n", b"a"),
        (b"a X~{1}\r\n", b"a"),
    ],
)
def test_what_is_no_command_is_malformed(line, tag):
    (step,) = steps(line)
    assert isinstance(step, Malformed)
    assert step.tag == tag


def test_a_tag_has_a_length():
    buffer = Buffer()
    buffer.append(b"%s NOOP\r\n" % (b"t" * 65))
    reader = CommandReader(buffer, ReadLimits(line=200, literal=1, total=200, skipped=0, depth=1))
    assert reader.advance() == Malformed(b"*", "A command begins with a tag")


def take_all(reader: CommandReader) -> None:
    while isinstance(reader.advance(), Announced):
        reader.accept()


def test_literals_together_have_a_limit():
    with pytest.raises(LimitExceededError):
        take_all(reader_of(b"a X" + b" {16+}\r\n0123456789abcdef" * 8))


def test_lines_together_have_a_limit():
    with pytest.raises(LimitExceededError):
        take_all(reader_of(b"a X" + b" {0+}\r\n" * 40))


def test_only_so_much_is_skipped():
    reader = reader_of(b"a X {1001+}\r\n")
    reader.advance()
    with pytest.raises(LimitExceededError):
        reader.discard()


def test_a_binary_literal_is_told_apart():
    assert steps(b"a X ~{5}\r\n") == [Announced(5, synchronizing=True, binary=True)]


def test_sections_are_read_only_in_fetch():
    finished = steps(b"a UID FETCH 1 BODY[1 ]\r\nb LIST BODY[1 x\r\n")
    assert len(finished[0].words) == 4
    assert finished[1] == Finished(b"b", (Word(b"LIST"), Word(b"BODY[1"), Word(b"x")))
