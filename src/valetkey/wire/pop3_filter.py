"""A POP3 session with limits: only commands that were parsed and that the rule allows reach the upstream.

POP3 matches replies to commands by their order alone, so a refusal waits until the replies before it are complete.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.dialogue import one_line, strip_line_end
from valetkey.wire.dot_lines import DotEnd
from valetkey.wire.pop3_command import Pop3Command, parse_pop3_command
from valetkey.wire.two_sides import TwoSides

_COMMAND_LINE = 512
_REPLY_LINE = 8192
_OUTSTANDING = 1000
_HELD = 262144
_BAD_COMMANDS = 25

# What cannot slip past the parser. UTF8 and LANG change what later bytes mean; SASL, USER and STLS are over.
_CAPABILITIES = (b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE", b"LOGIN-DELAY")


@dataclass(frozen=True, slots=True)
class Pop3Refusal:
    """The rule's no; `text` is one line of plain ASCII for the person."""

    text: str


Pop3Rule = Callable[[Pop3Command], Pop3Command | Pop3Refusal]


def limited_pop3_capabilities(capabilities: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Keep those lines of CAPA that hold in a session with limits."""
    return tuple(line for line in capabilities if line.split(b" ")[0].upper() in _CAPABILITIES)


class Pop3Filter(TwoSides):
    """Fulfils `machine.SessionFilter` for POP3.

    Args:
        rule: Gives the command to forward, as it is or rewritten, or a refusal.
        capabilities: What the upstream announced after the login; CAPA is answered from it.
    """

    def __init__(self, rule: Pop3Rule, capabilities: tuple[bytes, ...]) -> None:
        super().__init__()
        self._rule = rule
        self._capabilities = limited_pop3_capabilities(capabilities)
        self._client = Buffer()
        self._server = Buffer()
        # What is still to be answered, in order: a command that was forwarded, or our own answer.
        self._answers: deque[Pop3Command | bytes] = deque()
        self._body: DotEnd | None = None
        self._bad_commands = 0
        self._has_quit = False

    def from_client(self, data: bytes | memoryview) -> None:
        """Take bytes from the client."""
        if self._close_reason is None and not self._has_quit:
            self._client.append(data)
            self._read_commands()

    def from_server(self, data: bytes | memoryview) -> None:
        """Take bytes from the upstream."""
        rest = bytes(data)
        while rest and self._close_reason is None:
            rest = self._take_status(rest) if self._body is None else self._take_body(self._body, rest)
        self._read_commands()

    def goodbye(self, text: str) -> None:
        """End the session; `text` is a last word to the client, where one can stand."""
        self._close("we end it", f"-ERR {text}\r\n".encode())

    @property
    def waits_for_server(self) -> bool:
        """Whether what the client sends has to wait for an answer of the upstream; the pump then reads no more of it."""
        return len(self._answers) >= _OUTSTANDING

    # The client's side.

    def _read_commands(self) -> None:
        try:
            while self._close_reason is None and not self._has_quit and len(self._answers) < _OUTSTANDING:
                raw = self._client.take_raw_line(_COMMAND_LINE)
                if raw is None:
                    break
                self._take_command(raw)
        except LimitExceededError:
            self._close("a command was too long", b"-ERR Line too long\r\n")
        if len(self._client) > _HELD:
            self._close("too many commands were sent ahead of their answers", b"-ERR Too much pipelining\r\n")

    def _take_command(self, raw: bytes) -> None:
        line = strip_line_end(raw)
        command = None if line is None else parse_pop3_command(line)
        if command is None:
            self._bad_commands += 1
            self._answer(b"-ERR Unknown or malformed command\r\n")
            if self._bad_commands >= _BAD_COMMANDS:
                self._close("too many bad commands", b"")
        elif command.name == "CAPA":
            self._answer(b"\r\n".join((b"+OK", *self._capabilities, b".", b"")))
        else:
            self._ask_rule(command)

    def _ask_rule(self, command: Pop3Command) -> None:
        answer = self._rule(command)
        if isinstance(answer, Pop3Refusal):
            self._answer(f"-ERR {one_line(answer.text)}\r\n".encode())
            return
        self._to_server += answer.line()
        self._answers.append(answer)
        self._has_quit = answer.name == "QUIT"

    def _answer(self, reply: bytes) -> None:
        self._answers.append(reply)
        self._send_own_answers()

    def _send_own_answers(self) -> None:
        while self._answers and isinstance(own := self._answers[0], bytes):
            self._to_client += own
            self._answers.popleft()

    # The upstream's side.

    def _take_status(self, data: bytes) -> bytes:
        self._server.append(data)
        try:
            line = self._server.take_raw_line(_REPLY_LINE)
        except LimitExceededError:
            self._close("the upstream sent a line that is too long", b"")
            return b""
        if line is None:
            return b""
        self._take_status_line(line)
        return self._server.take_all()

    def _take_status_line(self, line: bytes) -> None:
        if not line.startswith((b"+OK", b"-ERR")):
            self._close("the upstream does not speak POP3", b"-ERR [SYS/TEMP] Upstream failed\r\n")
            return
        self._to_client += line
        if not self._answers:
            # Such as the word with which an upstream ends an idle session.
            self._close("the upstream answered what was not asked", b"")
            return
        command = self._answers[0]
        if isinstance(command, Pop3Command) and command.is_multi_line and line.startswith(b"+OK"):
            self._body = DotEnd()
        else:
            self._complete()

    def _take_body(self, body: DotEnd, data: bytes) -> bytes:
        end = body.find(data)
        if end < 0:
            self._to_client += data
            return b""
        self._to_client += data[:end]
        self._body = None
        self._complete()
        return data[end:]

    def _complete(self) -> None:
        self._answers.popleft()
        self._send_own_answers()

    def _close(self, reason: str, farewell: bytes) -> None:
        # A farewell inside a message would be taken for a part of it.
        if self._body is None:
            self._to_client += farewell
        self._close_reason = reason
        self._client.clear()
