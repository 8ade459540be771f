import pytest

from valetkey.wire.pop3_command import COMMANDS, Pop3Command, parse_pop3_command


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"STAT", Pop3Command("STAT")),
        (b"list", Pop3Command("LIST")),
        (b"List 1", Pop3Command("LIST", (1,))),
        (b"TOP 0010 0", Pop3Command("TOP", (10, 0))),
        (b"UIDL 4294967295", Pop3Command("UIDL", (4294967295,))),
    ],
)
def test_read_and_written(line, command):
    assert parse_pop3_command(line) == command
    assert parse_pop3_command(command.line()[:-2]) == command
    assert command.name in COMMANDS


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" STAT",
        b"STAT ",
        b"STAT 1",
        b"RETR",
        b"RETR  1",
        b"RETR 1 2",
        b"RETR -1",
        b"RETR +1",
        b"RETR 1_0",
        b"RETR \xb2",
        b"RETR 12345678901",
        b"TOP 1",
        b"USER alice",
        b"XCLIENT ADDR=1.2.3.4",
        b"XTND XMIT",
        b"UTF8",
        b"STLS",
        b"\xff",
    ],
)
def test_refused(line):
    assert parse_pop3_command(line) is None


@pytest.mark.parametrize(
    ("line", "multi_line"),
    [(b"LIST", True), (b"LIST 1", False), (b"UIDL", True), (b"UIDL 1", False), (b"RETR 1", True), (b"TOP 1 0", True)]
    + [(name, False) for name in (b"STAT", b"NOOP", b"RSET", b"DELE 1", b"QUIT")],
)
def test_which_answers_have_many_lines(line, multi_line):
    assert parse_pop3_command(line).is_multi_line == multi_line


@pytest.mark.parametrize("command", [Pop3Command("USER"), Pop3Command("RETR"), Pop3Command("RETR", (-1,))])
def test_a_rule_cannot_write_what_is_no_command(command):
    with pytest.raises(ValueError):
        command.line()
