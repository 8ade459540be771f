"""wire/imap_command.py: what a rule is told."""

import pytest

from valetkey.wire.imap_command import ImapCommand, command_name, understood
from valetkey.wire.imap_syntax import Message, Text, Word, Words


def command(line: bytes, *more) -> ImapCommand:
    words = Words(20)
    words.add_line(line, sections=b"FETCH" in line)
    found = understood(b"a", (*words.finish(), *more))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "mailbox", "destination"),
    [
        (b"SELECT x", b"x", None),
        (b'STATUS "x y" (UNSEEN)', b"x y", None),
        (b"RENAME x y", b"x", b"y"),
        (b"UID COPY 1 y", None, b"y"),
        (b"MOVE 1 y", None, b"y"),
        (b"NOOP", None, None),
        (b"SEARCH ALL", None, None),
    ],
)
def test_mailboxes_are_named(line, mailbox, destination):
    assert (command(line).mailbox, command(line).destination) == (mailbox, destination)


def test_flags_are_named():
    assert command(b"STORE 1 FLAGS (\\Seen x)").flags == (b"\\Seen", b"x")
    assert command(b"UID STORE 1 (UNCHANGEDSINCE 5) -flags.silent \\Seen").flags == (b"\\Seen",)
    assert command(b"APPEND x (\\Draft)", Message(1)).flags == (b"\\Draft",)
    assert command(b"APPEND x", Message(1)).flags == ()
    assert command(b"NOOP").flags == ()


def test_what_store_does_is_named():
    assert command(b"UID STORE 1 (UNCHANGEDSINCE 5) -flags.silent \\Seen").store_item == b"-FLAGS"
    assert command(b"STORE 1 FLAGS (FLAGS)").store_item == b"FLAGS"
    assert command(b"NOOP").store_item == b""


def test_parameters_of_select_are_named():
    assert command(b"SELECT x (condstore QRESYNC (1 2))").parameters == (b"CONDSTORE", b"QRESYNC")
    assert command(b"EXAMINE x").parameters == ()
    assert command(b"NOOP").parameters == ()


@pytest.mark.parametrize(
    ("items", "seen"),
    [
        (b"BODY[]", True),
        (b"(FLAGS BINARY[1])", True),
        (b"rfc822", True),
        (b"RFC822.TEXT", True),
        (b"(BODY.PEEK[] BODY BODYSTRUCTURE RFC822.HEADER BINARY.PEEK[1] BINARY.SIZE[1])", False),
        (b"ALL", False),
    ],
)
def test_whether_fetch_marks_as_read(items, seen):
    assert command(b"UID FETCH 1 " + items).sets_seen is seen
    assert not command(b"NOOP").sets_seen


def test_a_command_can_get_another_name():
    renamed = command(b"SELECT x").with_name("EXAMINE")
    assert list(renamed.written()) == [b"a EXAMINE", b" ", b"x"]
    with pytest.raises(ValueError):
        renamed.with_name("DELETE INBOX\r\n")


def test_a_command_can_get_other_arguments():
    assert command(b"ENABLE x").with_arguments((Word(b"y"),)).arguments == (Word(b"y"),)


def test_the_message_of_append_is_named():
    assert command(b"APPEND x", Message(1)).message == Message(1)
    assert command(b"NOOP").message is None


def test_a_command_begins_with_its_name():
    assert command_name((Word(b"uid"), Word(b"Fetch"))) == "UID FETCH"
    assert command_name((Word(b"uid"),)) == "UID"
    assert command_name((Text(b"NOOP"),)) == ""
    assert command_name(()) == ""
