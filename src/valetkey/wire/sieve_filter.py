"""A ManageSieve session after the login: the commands of RFC 5804 and no others reach the upstream.

The permission for scripts is all or nothing, so there is no rule to ask. What must not pass is what would leave the
login: UNAUTHENTICATE, AUTHENTICATE and XCLIENT would let the client log in anew at an upstream that trusts us.
"""

from collections import deque
from collections.abc import Generator

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError
from valetkey.wire.sieve_syntax import SieveSyntaxError, Token, quoted_text, read_tokens, write_tokens
from valetkey.wire.two_sides import TwoSides

_LINE = 8192
# A script is held until it is complete; servers take a megabyte unless told otherwise.
_SCRIPT = 4 << 20
_OUTSTANDING = 100
_HELD = _SCRIPT + 262144
_BAD_COMMANDS = 10

# How each command's arguments look: "s" a string, "n" a number. Each is a list of choices.
_COMMANDS = {
    "HAVESPACE": ("sn",),
    "PUTSCRIPT": ("ss",),
    "LISTSCRIPTS": ("",),
    "SETACTIVE": ("s",),
    "GETSCRIPT": ("s",),
    "DELETESCRIPT": ("s",),
    "RENAMESCRIPT": ("ss",),
    "CHECKSCRIPT": ("s",),
    "NOOP": ("", "s"),
    "CAPABILITY": ("",),
    "LOGOUT": ("",),
}
COMMANDS = tuple(_COMMANDS)
_ENDS = ("OK", "NO", "BYE")
_CAPABILITIES = (
    b"IMPLEMENTATION",
    b"SIEVE",
    b"NOTIFY",
    b"MAXREDIRECTS",
    b"LANGUAGE",
    b"OWNER",
    b"VERSION",
    b"EXTLISTS",
    b"RENAME",
    b"NOOP",
)

_Reading = Generator[None, None, list[Token]]


class SieveFilter(TwoSides):
    """Fulfils `machine.SessionFilter` for ManageSieve."""

    def __init__(self) -> None:
        super().__init__()
        self._client = Buffer()
        self._server = Buffer()
        self._command = self._read_client()
        self._response = self._read_server()
        # What is still to be answered, in order: a command that was forwarded, or our own answer.
        self._answers: deque[str | bytes] = deque()
        self._bad_commands = 0
        self._has_left = False

    def from_client(self, data: bytes | memoryview) -> None:
        """Take bytes from the client."""
        if self._close_reason is None and not self._has_left:
            self._client.append(data)
            self._go_on()

    def from_server(self, data: bytes | memoryview) -> None:
        """Take bytes from the upstream."""
        if self._close_reason is not None:
            return
        self._server.append(data)
        try:
            while self._close_reason is None and (response := _next(self._response)) is not None:
                self._response = self._read_server()
                self._take_response(response)
        except (SieveSyntaxError, PeerError, LimitExceededError):
            self._close("the upstream does not speak ManageSieve", "Upstream failed")
        self._go_on()

    def goodbye(self, text: str) -> None:
        """End the session; `text` is a last word to the client, where one can stand."""
        self._close("we end it", text)

    @property
    def waits_for_server(self) -> bool:
        """Whether what the client sends has to wait for an answer of the upstream; the pump then reads no more of it."""
        return len(self._answers) >= _OUTSTANDING

    # The client's side.

    def _read_client(self) -> _Reading:
        return read_tokens(self._client, line_limit=_LINE, literal_limit=_SCRIPT, from_client=True)

    def _go_on(self) -> None:
        try:
            while self._close_reason is None and not self._has_left and len(self._answers) < _OUTSTANDING:
                if not self._read_command():
                    break
        except PeerError as error:
            self._close("a literal was refused", str(error))
        except LimitExceededError:
            self._close("a line was too long", "Line too long")
        if len(self._client) > _HELD:
            self._close("too much was sent ahead of an answer", "Too much pipelining")

    def _read_command(self) -> bool:
        try:
            tokens = _next(self._command)
        except SieveSyntaxError:
            tokens = []
        if tokens is None:
            return False
        self._command = self._read_client()
        self._take_command(tokens)
        return True

    def _take_command(self, tokens: list[Token]) -> None:
        name = tokens[0].upper() if tokens and isinstance(tokens[0], str) else ""
        if _shape(tokens[1:]) not in _COMMANDS.get(name, ()):
            self._bad_commands += 1
            self._answer(b"NO " + quoted_text("Unknown, malformed or not permitted") + b"\r\n")
            if self._bad_commands >= _BAD_COMMANDS:
                self._close("too many bad commands", "Too many bad commands")
            return
        self._to_server += write_tokens([name, *tokens[1:]], to_server=True)
        self._answers.append(name)
        self._has_left = name == "LOGOUT"

    def _answer(self, own: bytes) -> None:
        self._answers.append(own)
        self._send_own_answers()

    def _send_own_answers(self) -> None:
        while self._answers and isinstance(own := self._answers[0], bytes):
            self._to_client += own
            self._answers.popleft()

    # The upstream's side.

    def _read_server(self) -> _Reading:
        return read_tokens(self._server, line_limit=_LINE, literal_limit=_SCRIPT, from_client=False)

    def _take_response(self, tokens: list[Token]) -> None:
        if not tokens:
            return
        is_end = isinstance(tokens[0], str) and tokens[0].upper() in _ENDS
        if self._answers:
            self._pass_on(tokens, is_end=is_end)
        else:
            # Such as the BYE with which an upstream ends an idle session.
            self._to_client += write_tokens(tokens, to_server=False)
            self._close("the upstream answered what was not asked", "")

    def _pass_on(self, tokens: list[Token], *, is_end: bool) -> None:
        if not is_end and self._answers[0] == "CAPABILITY" and not _is_passed_on(tokens[0]):
            return
        self._to_client += write_tokens(tokens, to_server=False)
        if is_end:
            self._answers.popleft()
            self._send_own_answers()

    def _close(self, reason: str, farewell: str) -> None:
        if farewell:
            self._to_client += b"BYE " + quoted_text(farewell) + b"\r\n"
        self._close_reason = self._close_reason or reason
        self._client.clear()


def _next(reading: _Reading) -> list[Token] | None:
    """Go on reading; give the tokens of a complete line, or None while more bytes are needed."""
    try:
        next(reading)
    except StopIteration as done:
        tokens: list[Token] = done.value
        return tokens
    return None


def _shape(arguments: list[Token]) -> str:
    return "".join("s" if isinstance(token, bytes) else "n" if token.isdigit() else "?" for token in arguments)


def _is_passed_on(name: Token) -> bool:
    return isinstance(name, bytes) and name.upper() in _CAPABILITIES
