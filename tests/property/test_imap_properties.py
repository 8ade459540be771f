"""What holds of the IMAP machines for any input: cut anyhow, mutated anyhow."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from valetkey.wire.buffer import Buffer
from valetkey.wire.imap_client import ImapClient
from valetkey.wire.imap_command import Forward, ImapAnswer, ImapCommand, Refuse, understood
from valetkey.wire.imap_filter import ImapFilter
from valetkey.wire.imap_login import ImapLogin
from valetkey.wire.imap_reader import Announced, CommandReader, Finished, ReadLimits
from valetkey.wire.imap_response import ResponseReader
from valetkey.wire.imap_syntax import Text
from valetkey.wire.machine import (
    ClientFacts,
    CloseAsked,
    Credentials,
    LoginAsked,
    PeerError,
    Refusal,
    RefusalKind,
    Security,
    StartTlsAsked,
)

FORBIDDEN = {"DELETE", "STORE", "UID STORE", "EXPUNGE", "RENAME"}

LOGIN_PARTS = st.sampled_from(
    [
        b"a1 CAPABILITY\r\n",
        b"a2 LOGIN alice secret\r\n",
        b'a3 LOGIN "al\\"ice" {6}\r\n',
        b"secret\r\n",
        b"a4 LOGIN {5+}\r\nalice {3+}\r\na\r\n\r\n",
        b"a5 AUTHENTICATE PLAIN\r\n",
        b"a6 AUTHENTICATE LOGIN YWxpY2U=\r\n",
        b"AGFsaWNlAHNlY3JldA==\r\n",
        b"*\r\n",
        b'a7 ID ("name" "x" "os" {2+}\r\nos)\r\n',
        b"a8 STARTTLS\r\n",
        b"a9 NOOP\n",
        b"aa LOGIN x {4294967295}\r\n",
        b"ab SELECT ((((\r\n",
        b"\x00",
    ]
)
CLIENT_PARTS = st.sampled_from(
    [
        b"a1 NOOP\r\n",
        b"b1 noop \r\n",
        b"a2 SELECT INBOX\r\n",
        b'a3 SELECT "a \\"b" (CONDSTORE QRESYNC (1 2 1:*))\r\n',
        b"a4 DELETE INBOX\r\n",
        b"a5 UID STORE 1:* +FLAGS (\\Deleted)\r\n",
        b"a6 EXPUNGE\r\n",
        b"a7 SEARCH TEXT {14+}\r\nb DELETE x\r\n\r\n OR SEEN (NOT FROM {1+}\r\na)\r\n",
        b"a8 FETCH 1 (BODY.PEEK[1.HEADER.FIELDS (From {4+}\r\n\xe4\r\n )]<0.7> FLAGS)\r\n",
        b"a9 APPEND INBOX (\\Seen) {13+}\r\nc DELETE x\r\n\n\r\n",
        b"aa APPEND x {3}\r\n",
        b"abc\r\n",
        b"ab IDLE\r\n",
        b"DONE\r\n",
        b"ac RENAME {5+}\r\nINBOX {1+}\r\nx\r\n",
        b'ad LIST (SUBSCRIBED) "" ("*" %) RETURN (CHILDREN STATUS (UNSEEN))\r\n',
        b"ae XDELETE {12+}\r\nd DELETE y\r\n\r\n",
        b"af COMPRESS DEFLATE\r\n",
        b'ag SEARCH SUBJECT "x {3+}\r\n',
        b"ah ENABLE QRESYNC COMPRESS\r\n",
        b"ai UID FETCH 1:5 BINARY[1.2]\r\n",
        b"aj ID NIL\r\n",
        b'ak LIST "" {3+}\r\n%\r\n\r\n',
    ]
)
SERVER_PARTS = st.sampled_from(
    [
        b"* 1 FETCH (BODY[] {7}\r\na1 OK\r\n FLAGS ())\r\n",
        b"* OK [CAPABILITY IMAP4rev1 COMPRESS] x {3}\r\n",
        b"* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE IDLE\r\n",
        b"+ go\r\n",
        b"a1 OK done\r\n",
        b"ab BAD [CAPABILITY X] no\r\n",
        b'* LIST () "/" {0}\r\n\r\n',
        b"* SEARCH " + b"1 " * 6000 + b"\r\n",
        b"* BYE\r\n",
        b"garbage\r\n",
    ]
)


def streams(parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Sequences of parts, some of them damaged."""
    damaged = st.tuples(st.lists(parts, max_size=8), st.integers(0, 400), st.binary(max_size=3)).map(
        lambda x: _damage(b"".join(x[0]), x[1], x[2])
    )
    return st.one_of(st.lists(parts, max_size=12).map(b"".join), damaged)


def _damage(stream: bytes, at: int, by: bytes) -> bytes:
    return stream[:at] + by + stream[at + len(by) :]


def _cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    return [*pieces, stream[start:]]


CUTS = st.lists(st.integers(1, 9), max_size=60)


def _hear_login(pieces: list[bytes]) -> tuple[list[object], bytes]:
    machine = ImapLogin(Security(tls=True, starttls=False))
    machine.greet()
    events: list[object] = []
    for piece in pieces:
        machine.receive(piece)
        while (event := machine.next_event()) is not None:
            events.append(event)
            if isinstance(event, LoginAsked):
                machine.refuse(Refusal(RefusalKind.WRONG, "no"))
    return events, machine.take_output()


@given(streams(LOGIN_PARTS), CUTS)
def test_login_hears_the_same_however_it_is_cut(stream, sizes):
    assert _hear_login(_cut(stream, sizes)) == _hear_login([stream])


@given(st.binary(max_size=300), CUTS)
def test_login_takes_any_bytes(stream, sizes):
    events, output = _hear_login(_cut(stream, sizes))
    assert not any(isinstance(event, StartTlsAsked) for event in events)
    assert all(line.endswith(b"\r\n") for line in output.splitlines(keepends=True))


@given(streams(LOGIN_PARTS))
def test_nothing_is_parsed_while_a_verdict_is_awaited(stream):
    machine = ImapLogin(Security(tls=True, starttls=False))
    machine.receive(b"a LOGIN alice secret\r\n")
    assert isinstance(machine.next_event(), LoginAsked)
    machine.receive(stream)
    assert machine.next_event() is None
    assert machine.take_output() == b""
    assert machine.has_pending == (len(stream) > 0)
    machine.allow((b"IMAP4rev1",))
    assert machine.take_rest() == stream
    assert machine.next_event() is None


@given(streams(LOGIN_PARTS))
def test_nothing_is_parsed_before_the_handshake(stream):
    machine = ImapLogin(Security(tls=False, starttls=True))
    machine.receive(b"a STARTTLS\r\n" + stream)
    assert isinstance(machine.next_event(), StartTlsAsked)
    machine.take_output()
    assert machine.next_event() is None
    assert machine.take_output() == b""
    assert machine.has_pending == (len(stream) > 0)
    machine.tls_started()
    event = machine.next_event()
    assert isinstance(event, CloseAsked) if stream else event is None


@given(streams(st.one_of(SERVER_PARTS, st.binary(max_size=40))), CUTS, st.booleans(), st.booleans())
def test_client_takes_any_bytes(stream, sizes, starttls, facts):
    told = ClientFacts("192.0.2.1", 1, "192.0.2.2", 993, "s") if facts else None
    machine = ImapClient(Credentials("alice", "gateway", "secret"), starttls=starttls, facts=told)
    machine.receive(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN ID STARTTLS] hello\r\n")
    for piece in _cut(stream, sizes):
        machine.receive(piece)
        while isinstance(machine.next_event(), StartTlsAsked):
            machine.tls_started()


def _rule(seen: list[ImapCommand]):
    def rule(command: ImapCommand) -> ImapAnswer:
        if command.name in FORBIDDEN:
            return Refuse("no")
        if command.name == "SELECT":
            command = command.with_name("EXAMINE")
        seen.append(command)
        return Forward(command)

    return rule


def _feed_client(pieces: list[bytes], *capabilities: bytes) -> tuple[list[ImapCommand], bytes, bytes, str | None]:
    seen: list[ImapCommand] = []
    machine = ImapFilter(_rule(seen), capabilities)
    for piece in pieces:
        machine.from_client(piece)
    return seen, machine.take_to_server(), machine.take_to_client(), machine.close_reason


@given(streams(CLIENT_PARTS), CUTS)
def test_filter_sends_the_same_however_the_client_is_cut(stream, sizes):
    assert _feed_client(_cut(stream, sizes), b"LITERAL+") == _feed_client([stream], b"LITERAL+")


@given(streams(st.one_of(CLIENT_PARTS, st.binary(max_size=40))), streams(st.one_of(SERVER_PARTS, st.binary())), CUTS)
def test_filter_takes_any_bytes_from_both_sides(client, server, sizes):
    machine = ImapFilter(_rule([]), (b"IMAP4rev1",))
    for sent, answered in zip(_cut(client, sizes), _cut(server, sizes), strict=True):
        machine.from_client(sent)
        machine.from_server(answered)


def _commands_received(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Read what an upstream gets as simply as a lenient server would: lines, and literals by their announcement."""
    commands = []
    while stream:
        line, _, stream = stream.partition(b"\r\n")
        words = line.split(b" ")
        uid = len(words) > 2 and words[1] == b"UID"
        commands.append((words[0], b" ".join(words[1 : 3 if uid else 2])))
        while (literal := re.search(rb"\{(\d+)\+?\}\Z", line)) is not None:
            stream = stream[int(literal[1]) :]
            line, _, stream = stream.partition(b"\r\n")
    return commands


@settings(max_examples=400)
@given(streams(st.one_of(CLIENT_PARTS, st.binary(max_size=20))))
def test_only_allowed_commands_reach_the_server(stream):
    seen, sent, _told, _closed = _feed_client([stream], b"LITERAL+")
    received = [command for command in _commands_received(sent) if command != (b"DONE", b"")]
    expected = [(c.tag, c.name.encode()) for c in seen if c.name != "ENABLE" or (c.tag, b"ENABLE") in received]
    assert received == expected
    assert not FORBIDDEN.intersection(name.decode() for _tag, name in received)


@settings(max_examples=200)
@given(streams(CLIENT_PARTS))
def test_an_upstream_without_literal_plus_reads_the_same(stream):
    """An upstream that asks for each literal gets the commands that the rule allowed, and nothing between them."""
    seen: list[ImapCommand] = []
    machine = ImapFilter(_rule(seen), (b"IMAP4rev1",))
    machine.from_client(stream)
    received = b""
    while new := machine.take_to_server():
        received += new
        if re.search(rb"\{\d+\}\r\n\Z", received) and machine.close_reason is None:
            machine.from_server(b"+ go\r\n")
    names = [name for tag, name in _commands_received(received) if (tag, name) != (b"DONE", b"")]
    assert names == [c.name.encode() for c in seen if c.name != "ENABLE" or b"ENABLE" in names][: len(names)]
    assert not FORBIDDEN.intersection(name.decode() for name in names)


LIMITS = ReadLimits(line=65536, literal=65536, total=262144, skipped=0, depth=20)


def _reread(stream: bytes) -> ImapCommand | None:
    buffer = Buffer()
    buffer.append(stream)
    reader = CommandReader(buffer, LIMITS)
    while isinstance(step := reader.advance(), Announced):
        reader.accept()
    assert isinstance(step, Finished)
    assert len(buffer) == 0
    return understood(step.tag, step.words)


TEXTS = st.one_of(
    st.text('ab\\"()[]{}%*+ ', max_size=12).map(str.encode),
    st.binary(max_size=30).filter(lambda value: b"\0" not in value),
)


@given(TEXTS, TEXTS, st.sampled_from(["SEARCH HEADER", "RENAME", "LIST"]))
def test_what_is_written_reads_back_as_what_was_read(one, two, kind):
    line = f"a {kind}".encode()
    stream = line + b" {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(one), one, len(two), two)
    command = _reread(stream)
    assert command is not None
    written = b"".join(_written(piece) for piece in command.written()) + b"\r\n"
    assert _reread(written) == command


def _written(piece) -> bytes:
    return b"{%d+}\r\n%s" % (len(piece.value), piece.value) if isinstance(piece, Text) else piece


def _pass(pieces: list[bytes]) -> tuple[bytes, str]:
    reader, passed = ResponseReader(), b""
    for piece in pieces:
        reader.receive(piece)
        try:
            while (response := reader.next()) is not None:
                passed += response.data if hasattr(response, "data") else response.line
        except PeerError as error:
            return passed, str(error)
    return passed, ""


@given(streams(SERVER_PARTS), CUTS)
def test_responses_pass_unchanged_however_they_are_cut(stream, sizes):
    passed, error = _pass(_cut(stream, sizes))
    whole, whole_error = _pass([stream])
    assert error == whole_error
    assert stream.startswith(passed)
    assert passed == whole or abs(len(passed) - len(whole)) <= 8192


def test_an_announced_literal_allocates_nothing():
    machine = ImapFilter(_rule([]), (b"LITERAL+",))
    machine.from_client(b"a APPEND INBOX {4294967295}\r\n")
    machine.from_server(b"+ go\r\n* 1 FETCH (BODY[] {4294967295}\r\n")
    assert machine.close_reason is None
    assert machine.take_to_client() == b"+ Go on\r\n* 1 FETCH (BODY[] {4294967295}\r\n"
