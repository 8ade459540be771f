"""Between an IMAP client and its upstream in a limited session: only what a rule allows passes.

Each command is read completely, shown to the rule, and written again from what was read. The rule says what a
command needs; here is how commands and answers travel: literals, IDLE, refusals between two responses.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.dialogue import one_line
from valetkey.wire.imap_capability import limited_capabilities, may_be_enabled
from valetkey.wire.imap_command import Forward, ImapCommand, ImapRule, Refuse, command_name, understood
from valetkey.wire.imap_folders import FolderGate
from valetkey.wire.imap_grammar import COMMANDS
from valetkey.wire.imap_reader import Announced, CommandReader, Finished, Malformed, ReadLimits
from valetkey.wire.imap_response import (
    Continuation,
    Notice,
    Passage,
    Response,
    ResponseReader,
    Tagged,
    with_capabilities,
)
from valetkey.wire.imap_syntax import Group, ImapSyntaxError, Message, Node, Text, Word
from valetkey.wire.machine import PeerError

_LIMITS = ReadLimits(line=65536, literal=65536, total=262144, skipped=2**32, depth=20)
_MESSAGE_LIMIT = 2**32 - 1
_SMALL_LITERAL = 4096  # RFC 7888 section 5: what LITERAL- lets pass unasked
_HELD_LIMIT = 1 << 20  # octets that a client may send ahead while the upstream has to answer first
_IN_FLIGHT_LIMIT = 4096
_DONE_LIMIT = 1024
_BETWEEN_LIMIT = 65536  # octets of our own that wait for the end of a response; then no command is read
_BAD_COMMANDS = 1000  # more in one session are no client's mistakes


class _State(Enum):
    COMMAND = auto()  # the next command is read
    WAITING = auto()  # the upstream has to ask for a literal
    MESSAGE = auto()  # the octets of a message pass
    MESSAGE_END = auto()  # the line end behind them
    IDLE_ASKED = auto()  # the upstream has not yet said that it idles
    IDLING = auto()  # the client may say DONE
    LEARNING = auto()  # the upstream has not yet said how names of folders are written


class ImapFilter:
    """Fulfils `machine.SessionFilter`. `capabilities` are the upstream's own, after login.

    `folders` keeps back what the upstream says of other folders; None: there are none.
    """

    def __init__(self, rule: ImapRule, capabilities: tuple[bytes, ...], folders: FolderGate | None = None) -> None:
        names = {name.upper() for name in capabilities}
        self._any_literal = b"LITERAL+" in names
        self._small_literal = bool(names & {b"LITERAL+", b"LITERAL-", b"IMAP4REV2"})
        self._rule = rule
        self._client = Buffer()
        self._reader = CommandReader(self._client, _LIMITS)
        self._folders = folders
        self._responses = ResponseReader()
        self._to_client: list[bytes] = []
        self._to_server: list[bytes] = [] if folders is None else [folders.question]
        self._between = bytearray()  # ours, for the next place between two responses
        self._bad_commands = 0
        self._state = _State.COMMAND if folders is None else _State.LEARNING
        self._in_flight: set[bytes] = set()
        self._tag = b""  # of the command that WAITING, IDLE_ASKED and IDLING speak of
        self._plan: deque[bytes] = deque()  # the rest of a command; each part but the first waits for "+"
        self._message: Message | None = None
        self._left = 0
        self._client_waits = False  # the client's literal is synchronizing
        self._stale_done = False  # DONE may still come for an IDLE that the upstream has ended
        self._close_reason: str | None = None
        self._advance_in: dict[_State, Callable[[], bool]] = {
            _State.COMMAND: self._read_command,
            _State.MESSAGE: self._pass_message,
            _State.MESSAGE_END: self._end_message,
            _State.IDLING: self._read_done,
        }

    def from_client(self, data: bytes | memoryview) -> None:
        """Take bytes from the client."""
        if self._close_reason is None:
            self._client.append(data)
            self._advance()
        if len(self._client) > _HELD_LIMIT:
            self._close("the client sent too much ahead of an answer", "Too much was sent ahead")

    def from_server(self, data: bytes | memoryview) -> None:
        """Take bytes from the upstream."""
        if self._close_reason is not None:
            return
        try:
            self._responses.receive(data if self._folders is None else self._folders.receive(data))
            while (response := self._responses.next()) is not None:
                self._take_response(response)
        except PeerError as error:
            self._close(str(error), "The mail server does not answer properly")
        if self._state is _State.LEARNING and self._folders is not None and self._folders.is_known:
            self._state = _State.COMMAND
        self._advance()

    def take_to_client(self) -> bytes:
        """Take the bytes to send to the client."""
        data = b"".join(self._to_client)
        self._to_client.clear()
        return data

    def take_to_server(self) -> bytes:
        """Take the bytes to send to the upstream."""
        data = b"".join(self._to_server)
        self._to_server.clear()
        return data

    def goodbye(self, text: str) -> None:
        """End the session; `text` is a last word to the client, where one can stand."""
        self._close("we end it", text)

    @property
    def waits_for_server(self) -> bool:
        """Whether what the client sends has to wait for an answer of the upstream; the pump then reads no more of it."""
        return self._state in (_State.WAITING, _State.IDLE_ASKED, _State.LEARNING) or self._has_much_to_say

    @property
    def close_reason(self) -> str | None:
        """Why the session must end once the output is sent, or None."""
        return self._close_reason

    # From the client.

    def _advance(self) -> None:
        try:
            while self._close_reason is None and self._state in self._advance_in:
                if not self._advance_in[self._state]():
                    return
        except LimitExceededError:
            self._close("the client sent more than a command may hold", "Command too long")

    @property
    def _has_much_to_say(self) -> bool:
        return len(self._between) >= _BETWEEN_LIMIT

    def _read_command(self) -> bool:
        if self._has_much_to_say:
            return False
        step = self._reader.advance()
        match step:
            case None:
                return False
            case Malformed(tag, text):
                self._answer(tag, b"BAD", text)
            case Announced():
                self._take_announcement(step)
            case Finished(b"DONE" | b"done" | b"Done", ()) if self._stale_done:
                self._stale_done = False
            case Finished(tag, words):
                self._take_command(tag, words)
        return True

    def _take_announcement(self, announced: Announced) -> None:
        """Decide about a literal before its octets come."""
        reader = self._reader
        if command_name(reader.words) == "APPEND" and len(reader.words) > 1 and not reader.nested:
            self._take_append(announced)
        elif announced.binary or not reader.fits(announced.size):
            self._answer(reader.tag, b"BAD", "This literal is not accepted here")
            reader.discard()
        elif self._is_known(reader.words):
            reader.accept()
            if announced.synchronizing:
                self._say(b"+ Go on")
        else:
            self._answer(reader.tag, b"BAD", "Unknown, or not available in this session")
            reader.discard()

    def _is_known(self, words: Sequence[Node]) -> bool:
        return bool(words) and command_name(words) in COMMANDS

    def _take_append(self, announced: Announced) -> None:
        message = Message(announced.size, announced.binary)
        if announced.size > _MESSAGE_LIMIT:
            self._answer(self._reader.tag, b"NO [TOOBIG]", "The message is too large")
        else:
            self._message, self._client_waits = message, announced.synchronizing
            self._take_command(self._reader.tag, (*self._reader.words, message))
        if self._message is None:
            self._reader.discard()

    def _take_command(self, tag: bytes, words: tuple[Node, ...]) -> None:
        try:
            command = understood(tag, words)
        except ImapSyntaxError as error:
            self._refuse_command(tag, b"BAD", str(error))
            return
        if command is None:
            self._refuse_command(tag, b"BAD", "Unknown, or not available in this session")
        elif tag in self._in_flight:
            # Two commands of one tag could not be told apart in the upstream's answers.
            self._refuse_command(tag, b"BAD", "This tag is in use")
        else:
            self._ask_rule(command)

    def _ask_rule(self, command: ImapCommand) -> None:
        match self._rule(command):
            case Refuse(text, code):
                self._refuse_command(command.tag, b"NO [" + code + b"]", text)
            case Forward(allowed):
                self._forward(_without_claims(allowed))

    def _refuse_command(self, tag: bytes, status: bytes, text: str) -> None:
        self._message = None
        self._answer(tag, status, text)

    def _forward(self, command: ImapCommand) -> None:
        if command.name == "ENABLE" and not command.arguments:
            self._say(b"* ENABLED")
            self._answer(command.tag, b"OK", "Nothing to enable")
            return
        if len(self._in_flight) >= _IN_FLIGHT_LIMIT:
            self._close("the client sent too many commands ahead of their answers", "Too many commands at once")
            return
        self._in_flight.add(command.tag)
        self._tag = command.tag
        self._plan = self._planned(command)
        self._state = _State.IDLE_ASKED if command.name == "IDLE" else _State.WAITING
        self._follow_plan()

    def _planned(self, command: ImapCommand) -> deque[bytes]:
        """Write a command in parts, each of which the upstream has to ask for by "+"."""
        parts: deque[bytes] = deque()
        part = bytearray()
        for piece in command.written():
            match piece:
                case Text(value):
                    asks = not self._may_send_unasked(len(value))
                    part += b"{%d%s}\r\n" % (len(value), b"" if asks else b"+")
                    if asks:
                        parts.append(bytes(part))
                        part.clear()
                    part += value
                case Message(size, binary):
                    # A client that asks first gets the upstream's own answer, so a full mailbox costs no upload.
                    asks = self._client_waits or not self._may_send_unasked(size)
                    part += b"%s{%d%s}\r\n" % (b"~" if binary else b"", size, b"" if asks else b"+")
                    parts.append(bytes(part))
                    return parts if not asks else deque((*parts, b""))
                case _:
                    part += piece
        parts.append(bytes(part) + b"\r\n")
        return parts

    def _may_send_unasked(self, size: int) -> bool:
        return self._any_literal or (self._small_literal and size <= _SMALL_LITERAL)

    def _follow_plan(self) -> None:
        """Send the next part; at the end of the plan go on with the message or the next command."""
        self._to_server.append(self._plan.popleft())
        if self._plan or self._state is _State.IDLE_ASKED:
            return
        if self._message is None:
            self._state = _State.COMMAND
            return
        self._left, self._message = self._message.size, None
        self._state = _State.MESSAGE
        self._reader.release()
        if self._client_waits:
            self._say(b"+ Go on")

    def _pass_message(self) -> bool:
        data = self._client.take_up_to(self._left)
        self._left -= len(data)
        self._to_server.append(data)
        if not self._left:
            self._state = _State.MESSAGE_END
        return not self._left

    def _end_message(self) -> bool:
        end = self._client.take_exactly(2)
        if end is None:
            return False
        if end != b"\r\n":
            self._close("the client sent more behind a message than its line end", "One message at a time")
            return False
        self._to_server.append(end)
        self._state = _State.COMMAND
        return True

    def _read_done(self) -> bool:
        line = self._client.take_raw_line(_DONE_LIMIT)
        if line is None:
            return False
        if line.upper() != b"DONE\r\n":
            self._close("the client said something else than DONE while idling", "DONE was expected")
            return False
        self._to_server.append(b"DONE\r\n")
        self._state = _State.COMMAND
        return True

    # From the upstream.

    def _take_response(self, response: Response) -> None:
        match response:
            case Passage(data):
                self._to_client.append(data)
            case Notice(line):
                self._to_client.append(with_capabilities(line, limited_capabilities))
            case Continuation(line):
                self._take_continuation(line)
            case Tagged(tag, line):
                self._to_client.append(with_capabilities(line, limited_capabilities))
                self._take_completion(tag)
        if self._between and self._responses.at_boundary:
            self._to_client.append(bytes(self._between))
            self._between.clear()

    def _take_continuation(self, line: bytes) -> None:
        if self._state is _State.WAITING:
            self._follow_plan()
        elif self._state is _State.IDLE_ASKED:
            self._to_client.append(line)
            self._state = _State.IDLING
        else:
            raise PeerError("The upstream waits for what was not announced")

    def _take_completion(self, tag: bytes) -> None:
        self._in_flight.discard(tag)
        if tag != self._tag:
            return
        if self._state in (_State.IDLE_ASKED, _State.IDLING):
            self._state = _State.COMMAND
            self._stale_done = True
        elif self._state is _State.WAITING:
            # The upstream does not want the literal, so the command is over.
            self._plan.clear()
            self._state = _State.COMMAND
            if self._message is not None:
                self._message = None
                self._reader.discard()

    # Of our own.

    def _answer(self, tag: bytes, status: bytes, text: str) -> None:
        self._say(tag + b" " + status + b" " + one_line(text).encode())
        self._bad_commands += status == b"BAD"
        if self._bad_commands >= _BAD_COMMANDS:
            self._close("too many bad commands", "Too many bad commands")

    def _say(self, line: bytes) -> None:
        if self._responses.at_boundary:
            self._to_client.append(line + b"\r\n")
        else:
            self._between += line + b"\r\n"

    def _close(self, reason: str, text: str) -> None:
        if self._close_reason is None:
            self._close_reason = reason
            self._client.clear()
            if self._responses.at_boundary:
                self._to_client.append(b"* BYE " + text.encode() + b"\r\n")


def _without_claims(command: ImapCommand) -> ImapCommand:
    """Take out of a command what the upstream would believe because it trusts us, or could enable unseen."""
    match command.name, command.arguments:
        case "ENABLE", names:
            return command.with_arguments(tuple(n for n in names if isinstance(n, Word) and may_be_enabled(n.text)))
        case "ID", (Group(items),):
            pairs = zip(items[::2], items[1::2], strict=True)
            kept = tuple(node for pair in pairs if not _is_claim(pair[0]) for node in pair)
            return command.with_arguments((Group(kept) if kept else Word(b"NIL"),))
        case _:
            return command


def _is_claim(field: Node) -> bool:
    # Dovecot takes the client's address and more from fields of this kind (x-originating-ip, x-forward-…).
    return isinstance(field, Text) and field.value.lower().startswith(b"x-")
