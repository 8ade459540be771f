"""wire/imap_grammar.py and wire/imap_search.py: what a command may say."""

import pytest

from valetkey.wire.imap_command import ImapCommand, understood
from valetkey.wire.imap_grammar import COMMANDS
from valetkey.wire.imap_syntax import ImapSyntaxError, Message, Words


def command(line: bytes, *more) -> ImapCommand | None:
    words = Words(20)
    words.add_line(line, sections=b"FETCH" in line.upper()[:9])
    return understood(b"a", (*words.finish(), *more))


GOOD = rb"""
CAPABILITY
noop
LOGOUT
ID NIL
ID ("name" "x" "os" NIL)
ENABLE CONDSTORE X-FOO
SELECT INBOX
SELECT [Gmail]/Sent
SELECT "a b" (CONDSTORE)
EXAMINE x (QRESYNC (67890007 20050715194045000 41,43:211,214:541))
EXAMINE x (QRESYNC (1 2 1:9 (1,5 7,9)))
EXAMINE x (QRESYNC (1 2 (1,5 7,9)) CONDSTORE)
CREATE x
CREATE x (USE (\Sent \Junk))
DELETE x
RENAME x "y"
SUBSCRIBE x
UNSUBSCRIBE x
LIST "" *
LIST "" ""
LIST "" %/%
LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX "*") RETURN (CHILDREN STATUS (UNSEEN MESSAGES) SPECIAL-USE)
LIST "" * RETURN ()
LSUB "" *
NAMESPACE
STATUS x (MESSAGES UIDNEXT size)
IDLE
GETQUOTA ""
GETQUOTAROOT INBOX
CHECK
CLOSE
UNSELECT
EXPUNGE
UID EXPUNGE 1:4,9
SEARCH ALL
SEARCH 1:*,4 UNSEEN
SEARCH $ UID $
SEARCH CHARSET UTF-8 OR FROM "x" (TO y NOT SUBJECT "") SINCE 1-Jan-2026 BEFORE "02-Feb-2026"
SEARCH RETURN (MIN MAX COUNT) HEADER Message-ID <x@y> LARGER 100 KEYWORD $Junk
SEARCH RETURN () MODSEQ "/flags/\\draft" all 620162338
UID SEARCH MODSEQ 5 YOUNGER 300 FUZZY TEXT x EMAILID M123 SAVEDSINCE 1-Jan-2026
SORT (REVERSE DATE SUBJECT) UTF-8 ALL
UID SORT RETURN (ALL) (ARRIVAL) us-ascii NOT DELETED
THREAD REFERENCES UTF-8 ALL
UID THREAD orderedsubject "utf-8" SEEN
FETCH 1 ALL
FETCH 1:* (FLAGS UID RFC822.SIZE BODYSTRUCTURE BODY ENVELOPE INTERNALDATE MODSEQ)
FETCH 1 BODY[]
FETCH 1 (BODY.PEEK[HEADER.FIELDS (From "To")] BODY[1.2.TEXT]<0.100> BODY[HEADER] BODY[1.MIME] BODY[1.HEADER])
UID FETCH 1,* (FLAGS) (CHANGEDSINCE 12345 VANISHED)
UID FETCH 1 (BINARY.PEEK[1.2]<0.5> BINARY[] BINARY.SIZE[1] PREVIEW (LAZY) SAVEDATE)
FETCH 1 PREVIEW
FETCH 1 RFC822
STORE 1 FLAGS ()
STORE 1:2 +FLAGS.SILENT (\Seen $Label)
STORE 1 -flags \Seen \Deleted
UID STORE 1 (UNCHANGEDSINCE 12) +FLAGS (\Seen)
COPY 1:2 x
UID COPY $ "x"
MOVE 1 x
UID MOVE 1:* x
""".strip().splitlines()

BAD = rb"""
CAPABILITY x
SELECT
SELECT INBOX*
SELECT (x)
SELECT x y
SELECT x (ANNOTATE)
EXAMINE x (QRESYNC)
EXAMINE x (QRESYNC (1))
CREATE x (FOO (bar))
RENAME x
LIST ""
LIST "" * RETURN (METADATA (/private))
LIST (FOO) "" *
STATUS x ()(
STATUS x MESSAGES
STATUS x (X-GUID)
GETQUOTA
IDLE now
UID EXPUNGE
EXPUNGE 1
SEARCH
SEARCH NOT
SEARCH OR SEEN
SEARCH OR OR SEEN SEEN
SEARCH ()
SEARCH X-GM-RAW "in:all"
SEARCH RETURN (UPDATE) ALL
SEARCH SINCE yesterday
SEARCH 0
SEARCH INTHREAD x
SORT DATE UTF-8 ALL
SORT (FOO) UTF-8 ALL
THREAD FOO UTF-8 ALL
FETCH 1
FETCH 1 ()
FETCH x FLAGS
FETCH 1 X-GM-LABELS
FETCH 1 BODY[FOO]
FETCH 1 BODY[HEADER.FIELDS]
FETCH 1 BODY[HEADER.FIELDS ()]
FETCH 1 BODY[1 (x)]
FETCH 1 BINARY[1.TEXT]
FETCH 1 BINARY.SIZE[1]<0.1>
FETCH 1 (FLAGS) (PARTIAL 1:5)
FETCH 1 FLAGS FLAGS
STORE 1 FLAGS
STORE 1 X-GM-LABELS (x)
STORE 1 ANNOTATION (x)
STORE 1 (FOO 1) FLAGS (\Seen)
STORE 1 FLAGS ((\Seen))
COPY 1
MOVE x y
ENABLE
ENABLE (x)
ID ("name")
ID x
ID (name "x")
APPEND INBOX
""".strip().splitlines()

UNKNOWN = rb"""
LOGIN
AUTHENTICATE
STARTTLS
COMPRESS
SETACL
SETQUOTA
SETMETADATA
NOTIFY
REPLACE
URLFETCH
GENURLAUTH
UID
UID REPLACE
UID NOOP
XLIST
X-SOMETHING
UNAUTHENTICATE
ESEARCH
""".strip().splitlines()


@pytest.mark.parametrize("line", GOOD)
def test_legal_commands_are_understood(line):
    found = command(line)
    assert found is not None
    assert found.name in COMMANDS


@pytest.mark.parametrize("line", BAD)
def test_everything_else_is_refused(line):
    with pytest.raises(ImapSyntaxError):
        command(line)


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_commands_are_no_commands(name):
    assert command(name + b" x y") is None


@pytest.mark.parametrize(
    "head", [b"x", b"x ()", b"x (\\Seen a)", b'x "01-Jan-2026 10:00:00 +0100"', b'x (a) " 1-Jan-2026 10:00:00 -0100"']
)
def test_append_takes_one_message(head):
    assert command(b"APPEND " + head, Message(5)) is not None


@pytest.mark.parametrize("head", [b"", b'x "yesterday"', b"x CATENATE", b"x (a) (b)", b"x (a) UTF8"])
def test_append_takes_nothing_else(head):
    with pytest.raises(ImapSyntaxError):
        command(b"APPEND " + head, Message(5))


def test_long_chains_of_operators_are_read_without_recursion():
    assert command(b"SEARCH " + b"NOT " * 20000 + b"SEEN") is not None
    with pytest.raises(ImapSyntaxError):
        command(b"SEARCH " + b"OR " * 20000 + b"SEEN")


def test_each_command_has_a_legal_example():
    examples = {found.name for line in GOOD if (found := command(line)) is not None}
    assert examples | {"APPEND"} == COMMANDS
