"""POP3, submission and ManageSieve after the login: what reaches the upstream is what the rule allowed, and no more.

The upstream here is as careless as servers have been: CR, LF and CR LF all end its lines, and any of them around a
dot ends its messages. Even so it must hear exactly the commands that were allowed.
"""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from valetkey.wire.pop3_command import Pop3Command, parse_pop3_command
from valetkey.wire.pop3_filter import Pop3Filter, Pop3Refusal
from valetkey.wire.sieve_filter import COMMANDS as SIEVE_COMMANDS
from valetkey.wire.sieve_filter import SieveFilter
from valetkey.wire.smtp_command import SmtpCommand, SmtpRefusal, parse_smtp_command
from valetkey.wire.smtp_filter import SmtpFilter

LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")
DATA_END = re.compile(rb"(?:^|\r\n|\r|\n)\.(?:\r\n|\n|\r(?=[^\n]))")

SMTP_PIECES = [
    *(b"EHLO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b'mail from:<"x>y"@b.example> SIZE=5\r\n', b"MAIL FROM:<>\r\n"),
    *(b"RCPT TO:<c@d.example>\r\n", b"RCPT TO:<forbidden@d.example>\r\n", b"DATA\r\n", b"DATA\r\n", b"RSET\r\n"),
    *(b"NOOP x\r\n", b"VRFY x\r\n", b"HELP\r\n", b"XCLIENT LOGIN=bob\r\n", b"xClient NAME=x\r\n", b" XCLIENT A=b\r\n"),
    *(
        b"XCLIENT\n",
        b"NOOP\nXCLIENT LOGIN=bob\r\n",
        b"NOOP\rXCLIENT LOGIN=bob\r\n",
        b"MAIL FROM:<a@b>\nXCLIENT L=b\r\n",
    ),
    *(
        b"XFORWARD NAME=x\r\n",
        b"AUTH PLAIN AGEAYg==\r\n",
        b"STARTTLS\r\n",
        b"MAIL FROM:<m\xc3\xbc@b.example> SMTPUTF8\r\n",
    ),
    *(b"text", b"\r\n", b"\r", b"\n", b".", b"\r\n.\r\n", b".\r\n", b"\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r\n", b"\0"),
    *(b"Subject: x\r\n\r\ntext\r\n.\r\n", b"..\r\n", b"\r\n.\nXCLIENT LOGIN=bob\r\n", b"\r\n.\rXCLIENT LOGIN=bob\r\n"),
]
POP3_PIECES = [
    *(
        b"STAT\r\n",
        b"RETR 1\r\n",
        b"retr 01\r\n",
        b"DELE 1\r\n",
        b"DELE 1\nDELE 2\r\n",
        b"NOOP\rDELE 2\r\n",
        b"LIST\r\n",
    ),
    *(
        b"UIDL 1\r\n",
        b"TOP 1 0\r\n",
        b"CAPA\r\n",
        b"XCLIENT ADDR=1.2.3.4\r\n",
        b" DELE 1\r\n",
        b"STAT DELE 1\r\n",
        b"\r",
    ),
    *(b"\n", b"\0", b"USER bob\r\n", b"STLS\r\n", b"RSET\r\n"),
]
SIEVE_PIECES = [
    *(
        b"LISTSCRIPTS\r\n",
        b'GETSCRIPT "a"\r\n',
        b'PUTSCRIPT "a" {7+}\r\nkeep;\r\n\r\n',
        b"UNAUTHENTICATE\r\n",
        b"CAPABILITY\r\n",
    ),
    *(
        b'PUTSCRIPT "a" {18+}\r\nUNAUTHENTICATE\r\n\r\n\r\n',
        b"XCLIENT ADDR=1\r\n",
        b"xclient {3+}\r\nabc\r\n",
        b"NOOP\r\n",
    ),
    *(
        b'NOOP "\nXCLIENT ADDR=1\r\n',
        b"NOOP\nXCLIENT ADDR=1\r\n",
        b"NOOP\rXCLIENT ADDR=1\r\n",
        b'"XCLIENT"\r\n',
        b"{7+}\r\n",
    ),
    *(
        b'AUTHENTICATE "PLAIN"\r\n',
        b"STARTTLS\r\n",
        b'NOOP {16+}\r\n"\r\nXCLIENT A=1\r\n\r\n',
        b"\r\n",
        b"\n",
        b"\r",
        b'"',
        b"\0",
    ),
]


def _pieces(pieces):
    """Give what a client sends at once, time after time: mostly whole lines, sometimes many, sometimes parts."""
    part = st.one_of(st.sampled_from(pieces), st.binary(max_size=5))
    return st.lists(st.lists(part, min_size=1, max_size=6).map(b"".join), max_size=10)


class _CarelessSmtp:
    def __init__(self):
        self.left, self.in_message, self.commands = b"", False, []

    def feed(self, data):
        self.left += data
        answers = b""
        while True:
            found = (DATA_END if self.in_message else LINE_END).search(self.left)
            if found is None:
                return answers
            line, self.left = self.left[: found.start()], self.left[found.end() :]
            if self.in_message:
                self.in_message = False
                answers += b"250 Queued\r\n"
            else:
                self.commands.append(line)
                self.in_message = line == b"DATA"
                answers += b"354 Go on\r\n" if self.in_message else b"250-a\r\n250 Ok\r\n"


@settings(max_examples=500)
@given(_pieces(SMTP_PIECES))
@example([b"DATA\r\n", b"text\r\n.\r", b"XCLIENT LOGIN=bob\r\n"])
@example([b"DATA\r\n", b"text\r\n.\r\n", b"NOOP\r\n"])
@example([b"DATA\r\nXCLIENT LOGIN=bob\r\nMAIL FROM:<a@b.example>\r\n.\r\nNOOP\r\n"])
def test_submission(pieces):
    allowed = []

    def rule(command: SmtpCommand) -> SmtpCommand | SmtpRefusal:
        if command.path == b"forbidden@d.example":
            return SmtpRefusal(550, "5.7.1", "No")
        allowed.append(command.line()[:-2])
        return command

    session, upstream = SmtpFilter(rule, (b"SIZE",)), _CarelessSmtp()
    for piece in pieces:
        session.from_client(piece)
        while sent := session.take_to_server():
            session.from_server(upstream.feed(sent))
        if session.close_reason is not None:
            break
    heard = [command for command in upstream.commands if command != b"RSET"]
    assert heard == [command for command in allowed if command != b"RSET"]
    for command in heard:
        assert isinstance(parse_smtp_command(command, utf8=True), SmtpCommand)
        assert b"XCLIENT" not in command.upper()
    assert b"\n" not in session.take_to_client().replace(b"\r\n", b"")


def _slow_pop3(sent):
    """Answer each command with a body where POP3 has one."""
    answers = []
    for line in sent.split(b"\r\n")[:-1]:
        command = parse_pop3_command(line)
        assert command is not None
        body = [b"a\r\n..\r\n", b".\r\n"] if command.is_multi_line else []
        answers.append((command, b"+OK\r\n" + b"".join(body)))
    return answers


@settings(max_examples=300)
@given(_pieces(POP3_PIECES), st.integers(min_value=1, max_value=9))
def test_pop3(pieces, size):
    allowed = []

    def rule(command: Pop3Command) -> Pop3Command | Pop3Refusal:
        if command.name == "DELE":
            return Pop3Refusal("No")
        answer = Pop3Command("TOP", (*command.arguments, 9)) if command.name == "RETR" else command
        allowed.append(answer)
        return answer

    session, sent = Pop3Filter(rule, (b"TOP",)), b""
    for piece in pieces:
        session.from_client(piece)
        sent += session.take_to_server()
    answers = _slow_pop3(sent)
    assert [command for command, _ in answers] == allowed
    if session.close_reason is not None:
        return
    to_client = session.take_to_client()
    stream = b"".join(answer for _, answer in answers)
    for start in range(0, len(stream), size):
        session.from_server(stream[start : start + size])
        to_client += session.take_to_client()
    assert session.take_to_server() == b""
    # Own answers stand between the upstream's, never within.
    for own in (b"-ERR No\r\n", b"-ERR Unknown or malformed command\r\n", b"+OK\r\nTOP\r\n.\r\n"):
        to_client = to_client.replace(own, b"")
    assert to_client == stream


def _sieve_names(sent):
    """Read what was sent as a server would: lines, and literals by their count."""
    names, words = [], b""
    while sent:
        line, end, sent = sent.partition(b"\r\n")
        assert end
        assert b"\r" not in line
        assert b"\n" not in line
        words += line
        if found := re.search(rb"\{(\d+)\+\}\Z", line):
            sent = sent[int(found[1]) :]
        else:
            names.append(words.split(b" ")[0].decode())
            words = b""
    return names


@settings(max_examples=300)
@given(_pieces(SIEVE_PIECES))
def test_managesieve(pieces):
    session, sent = SieveFilter(), b""
    for piece in pieces:
        session.from_client(piece)
        part = session.take_to_server()
        sent += part
        session.from_server(b'OK "x"\r\n' * len(_sieve_names(part)))
    names = set(_sieve_names(sent))
    assert names <= set(SIEVE_COMMANDS)
    assert not names & {"UNAUTHENTICATE", "AUTHENTICATE", "XCLIENT", "STARTTLS"}


@settings(max_examples=200)
@given(
    st.sampled_from([SmtpFilter, Pop3Filter, lambda _rule, _capabilities: SieveFilter()]),
    st.lists(
        st.tuples(
            st.booleans(), st.one_of(st.binary(max_size=40), st.sampled_from([b"250 a\r\n", b"+OK\r\n", b"OK\r\n"]))
        )
    ),
)
def test_no_bytes_from_either_side_raise(make, turns):
    session = make(lambda command: command, ())
    for from_client, data in turns:
        (session.from_client if from_client else session.from_server)(data)
        session.take_to_client()
        session.take_to_server()
