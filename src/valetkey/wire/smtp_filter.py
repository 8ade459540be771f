"""A submission session after the login: always parsed, never relayed as it comes.

The upstream trusts the gateway (XCLIENT, no AUTH asked), so a client that reached it with lines of its own could be
anybody. Only commands that were parsed and that the rule allows are written to it; a message goes through as it is
as long as CR and LF occur in it only as CR LF, and ends the whole session otherwise (RFC 5321 2.3.8).
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.dialogue import one_line, strip_line_end
from valetkey.wire.dot_lines import DotEnd, LineEndCheck
from valetkey.wire.machine import PeerError
from valetkey.wire.smtp_command import SmtpCommand, SmtpRefusal, parse_smtp_command
from valetkey.wire.smtp_reply import SmtpReply, SmtpReplyReader, hello_reply
from valetkey.wire.two_sides import TwoSides

_COMMAND_LINE = 4096
_OUTSTANDING = 1000
_HELD = 262144
_BAD_COMMANDS = 10
_START_MAIL_INPUT = 354  # RFC 5321 4.2.3

# What the parser follows. CHUNKING is not among them: BDAT gives message bytes without an end to look for.
_EXTENSIONS = (
    b"PIPELINING",
    b"SIZE",
    b"8BITMIME",
    b"ENHANCEDSTATUSCODES",
    b"SMTPUTF8",
    b"DSN",
    b"REQUIRETLS",
    b"LIMITS",
)
# However a client spells the end of a message, it then waits for an answer.
_ANY_END = re.compile(rb"[\r\n]\.[\r\n]")

_OWN_ANSWERS = {
    b"VRFY": b"252 2.5.0 Not verified; send the message\r\n",
    b"HELP": b"214 2.0.0 See RFC 5321\r\n",
    b"EXPN": b"502 5.5.1 Not available\r\n",
    b"AUTH": b"503 5.5.1 Already authenticated\r\n",
    b"STARTTLS": b"503 5.5.1 Not available after the login\r\n",
}

SmtpRule = Callable[[SmtpCommand], SmtpCommand | SmtpRefusal]


class _Mode(Enum):
    """What the client's next bytes are."""

    COMMANDS = "commands"
    HELD = "held"  # whether they are commands or a message is for the upstream's answer to say
    MESSAGE = "message"
    REFUSED_MESSAGE = "refused message"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class _Awaited:
    """What stands in the place of one reply: the upstream's to `command`, or our own."""

    command: str = ""
    own: bytes = b""


_MESSAGE_END = _Awaited("message")


def limited_smtp_extensions(keywords: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Keep those EHLO keywords that the filter follows."""
    return tuple(keyword for keyword in keywords if keyword.upper().split()[:1] and _name(keyword) in _EXTENSIONS)


def _name(keyword: bytes) -> bytes:
    return keyword.upper().split()[0]


class SmtpCounting(Protocol):
    """Who counts messages, and may refuse one more."""

    def asked(self, recipients: int) -> None:
        """Hear that a message to so many recipients would begin; `SmtpFilter.begin` is called with the answer."""

    def not_taken(self, recipients: int) -> None:
        """Hear that the upstream did not take the message that was to begin."""


class SmtpFilter(TwoSides):
    """Fulfils `machine.SessionFilter` for submission.

    Args:
        rule: Gives the command to forward, as it is or rewritten, or a refusal.
        extensions: The upstream's EHLO keywords; EHLO is answered from those that the filter follows.
        hostname: Our name in answers of our own.
        counting: Asked before each message, and told of those that the upstream did not take. None: nobody counts.
    """

    def __init__(
        self,
        rule: SmtpRule,
        extensions: tuple[bytes, ...],
        *,
        hostname: str = "localhost",
        counting: "SmtpCounting | None" = None,
    ) -> None:
        super().__init__()
        self._rule = rule
        self._counting = counting
        self._recipients = 0  # that the upstream has taken in this transaction
        self._data: bytes | None = None  # waits to be asked about, or for its answer
        self._is_asked = False
        self._extensions = limited_smtp_extensions(extensions)
        self._hostname = hostname
        self._client = Buffer()
        self._server = Buffer()
        self._reader = SmtpReplyReader()
        self._awaited: deque[_Awaited] = deque()
        self._mode = _Mode.COMMANDS
        self._utf8 = False
        self._end = DotEnd()
        self._line_ends = LineEndCheck()
        self._seen = b""
        self._bad_commands = 0

    def from_client(self, data: bytes | memoryview) -> None:
        """Take bytes from the client."""
        if self._mode is _Mode.OVER:
            return
        if self._mode is _Mode.MESSAGE and not len(self._client):
            self._take_message(bytes(data))
        else:
            self._client.append(data)
        self._go_on()

    def from_server(self, data: bytes | memoryview) -> None:
        """Take bytes from the upstream."""
        if self._close_reason is not None:
            return
        self._server.append(data)
        try:
            while self._close_reason is None and (reply := self._reader.read(self._server)) is not None:
                self._take_reply(reply)
        except PeerError:
            self._close("the upstream does not speak SMTP", "Upstream failed")
        self._go_on()

    def goodbye(self, text: str) -> None:
        """End the session; `text` is a last word to the client, where one can stand."""
        self._close("we end it", text)

    @property
    def waits_for_server(self) -> bool:
        """Whether what the client sends has to wait for an answer of the upstream; the pump then reads no more of it."""
        return self._mode is _Mode.HELD or len(self._awaited) >= _OUTSTANDING

    def begin(self, refusal: SmtpRefusal | None) -> None:
        """Let the message begin that was asked about, or refuse it."""
        data, self._data, self._is_asked = self._data, None, False
        if data is None or self._mode is not _Mode.HELD:
            return
        if refusal is None:
            self._to_server += data
            self._awaited.append(_Awaited("DATA"))
            return
        self._mode = _Mode.COMMANDS
        self._answer(_written(refusal))
        self._go_on()

    def _ask(self) -> None:
        """Ask about the message once all recipients are answered."""
        if self._data is None or self._is_asked or self._awaited or self._counting is None:
            return
        if not self._recipients:
            self.begin(None)  # the upstream itself says what is missing
            return
        self._is_asked = True
        self._counting.asked(self._recipients)

    # The client's side.

    def _go_on(self) -> None:
        """Read what the client has sent as far as the mode lets it be read."""
        try:
            while len(self._client) and self._read_once():
                pass
        except LimitExceededError:
            self._close("a command was too long", "Line too long")
        if len(self._client) > _HELD:
            self._close("too much was sent ahead of an answer", "Too much pipelining")

    def _read_once(self) -> bool:
        if self._mode is _Mode.MESSAGE:
            self._take_message(self._client.take_all())
            return True
        if self._mode is _Mode.REFUSED_MESSAGE:
            self._skip_message(self._client.take_all())
            return True
        if self._mode is not _Mode.COMMANDS or len(self._awaited) >= _OUTSTANDING:
            return False
        raw = self._client.take_raw_line(_COMMAND_LINE)
        if raw is not None:
            self._take_command(raw)
        return raw is not None

    def _take_command(self, raw: bytes) -> None:
        line = strip_line_end(raw)
        name = b"" if line is None else line.split(b" ", 1)[0].upper()
        if line is None:
            self._bad(b"500 5.5.2 Lines end with CR LF and hold no other control character\r\n")
        elif name in (b"EHLO", b"HELO"):
            self._take_hello(name)
        elif name in _OWN_ANSWERS:
            self._answer(_OWN_ANSWERS[name])
        elif name in (b"XCLIENT", b"XFORWARD"):
            self._bad(b"550 5.7.0 Not permitted\r\n")
        elif name == b"BDAT":
            # A chunk follows at once (RFC 3030 2); it must not be read as commands.
            self._close("BDAT was not offered", "BDAT is not offered")
        else:
            self._take_parsed(parse_smtp_command(line, utf8=self._utf8))

    def _take_hello(self, name: bytes) -> None:
        # RFC 5321 4.1.4: a second EHLO resets the transaction. The upstream was already greeted, in our own name.
        extensions = self._extensions if name == b"EHLO" else ()
        self._to_server += b"RSET\r\n"
        self._awaited.append(_Awaited("RSET", hello_reply(self._hostname, extensions)))

    def _take_parsed(self, parsed: SmtpCommand | SmtpRefusal) -> None:
        if isinstance(parsed, SmtpRefusal):
            self._bad(_written(parsed))
            return
        answer = self._rule(parsed)
        if isinstance(answer, SmtpRefusal):
            self._answer(_written(answer))
            return
        if answer.name == "DATA" and self._counting is not None:
            self._mode, self._data = _Mode.HELD, answer.line()
            self._ask()
            return
        self._to_server += answer.line()
        self._awaited.append(_Awaited(answer.name))
        if answer.name == "MAIL":
            self._utf8 = answer.is_utf8
        elif answer.name == "DATA":
            self._mode = _Mode.HELD
        elif answer.name == "QUIT":
            self._mode = _Mode.OVER

    def _bad(self, answer: bytes) -> None:
        self._bad_commands += 1
        self._answer(answer)
        if self._bad_commands >= _BAD_COMMANDS:
            self._close("too many bad commands", "Too many bad commands")

    def _answer(self, own: bytes) -> None:
        self._awaited.append(_Awaited(own=own))
        self._send_own_answers()

    def _send_own_answers(self) -> None:
        while self._awaited and not self._awaited[0].command:
            self._to_client += self._awaited.popleft().own

    # A message.

    def _begin_message(self) -> None:
        self._mode = _Mode.MESSAGE
        self._end, self._line_ends, self._seen = DotEnd(), LineEndCheck(), b"\r\n"

    def _take_message(self, data: bytes) -> None:
        end = self._end.find(data)
        part = data if end < 0 else data[:end]
        if not self._line_ends.passes(part):
            self._mode = _Mode.REFUSED_MESSAGE
            self._skip_message(data)
            return
        # A CR at the end of a slice waits until it is seen that LF follows.
        if self._has_cr_waiting:
            self._to_server += b"\r"
        self._seen = (self._seen + part[-2:])[-2:]
        self._to_server += part[:-1] if self._has_cr_waiting else part
        if end >= 0:
            self._mode = _Mode.HELD
            self._awaited.append(_MESSAGE_END)
            if rest := data[end:]:
                self._client.append(rest)

    @property
    def _has_cr_waiting(self) -> bool:
        return self._seen.endswith(b"\r")

    def _skip_message(self, data: bytes) -> None:
        """Read a refused message up to whatever its sender takes for the end, so that the answer is heard.

        The upstream never gets an end of data; closing the connection makes it forget the message.
        """
        text = self._seen + data
        self._seen = text[-2:]
        if _ANY_END.search(text):
            self._to_client += b"550 5.6.11 CR and LF may occur in a message only as CR LF\r\n"
            self._close("a message held a bare CR or LF", "Closing")

    # The upstream's side.

    def _take_reply(self, reply: SmtpReply) -> None:
        goes_on = reply.code == _START_MAIL_INPUT
        if not self._awaited:
            # Such as 421, with which an upstream ends an idle session (RFC 5321 3.8).
            self._to_client += reply.line()
            self._close("the upstream answered what was not asked", "")
            return
        awaited = self._awaited.popleft()
        if reply.is_intermediate and not (goes_on and awaited.command == "DATA"):
            self._close("the upstream asked for what was not sent", "Upstream failed")
            return
        self._to_client += awaited.own if awaited.own and reply.is_positive else reply.line()
        self._follow(awaited.command, is_taken=reply.is_positive or goes_on)
        if goes_on:
            self._begin_message()
        elif awaited.command in ("DATA", "message"):
            self._mode = _Mode.COMMANDS
        self._send_own_answers()
        self._ask()

    def _follow(self, command: str, *, is_taken: bool) -> None:
        """Follow how many recipients the transaction has, and say when its message was not taken."""
        if command == "RCPT":
            self._recipients += is_taken
        elif command in ("DATA", "message"):
            if self._counting is not None and self._recipients and not is_taken:
                self._counting.not_taken(self._recipients)
            if command == "message":
                self._recipients = 0
        elif command in ("MAIL", "RSET") and is_taken:
            self._recipients = 0  # a MAIL inside a transaction is refused, and the recipients stay

    def _close(self, reason: str, farewell: str) -> None:
        if farewell:
            self._to_client += f"421 4.7.0 {self._hostname} {farewell}\r\n".encode()
        self._close_reason = self._close_reason or reason
        self._mode = _Mode.OVER
        self._client.clear()


def _written(refusal: SmtpRefusal) -> bytes:
    return f"{refusal.code} {refusal.status} {one_line(refusal.text)}\r\n".encode()
