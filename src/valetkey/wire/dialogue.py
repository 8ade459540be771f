"""What the line-based login machines have in common: reading, pausing, counting, closing.

A dialogue is written as a generator that reads top to bottom. It yields None where more bytes are needed and an
event where the machine's owner has to act; nothing is parsed until the owner asks for the next event, so
nothing can run ahead of a verdict or of TLS. The words of each protocol are in the machine of that protocol.
"""

import base64
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

from valetkey.wire.buffer import LimitExceededError
from valetkey.wire.exchange import Exchange
from valetkey.wire.machine import (
    CloseAsked,
    LoginAsked,
    LoginLimits,
    PeerError,
    Refusal,
    Security,
    ServerEvent,
    StartTlsAsked,
)
from valetkey.wire.sasl import SaslAborted, SaslError, SaslServer, decode_base64

_T = TypeVar("_T")
Steps = Generator[ServerEvent | None, None, _T]

_HTTP = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|PATCH|TRACE|PRI) .*HTTP/", re.DOTALL)
_TLS_HANDSHAKE = b"\x16\x03"
_TEXT_LIMIT = 200
DEFAULT_LIMITS = LoginLimits()


def one_line(text: str) -> str:
    """Make `text` fit for one line of any protocol: printable ASCII, 200 characters at most."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:_TEXT_LIMIT])


def strip_line_end(raw: bytes) -> bytes | None:
    """Take CR LF off a command line; None if the line holds NUL, a bare CR or a bare LF (RFC 5321 2.3.8)."""
    line = raw[:-2]
    if not raw.endswith(b"\r\n") or b"\r" in line or b"\0" in line:
        return None
    return line


class Dialogue(Exchange, ABC):
    """The server's side of a protocol up to the login, however its commands are read."""

    def __init__(self, security: Security, limits: LoginLimits) -> None:
        super().__init__()
        self._security = security
        self._limits = limits
        self._line_limit = limits.line
        self._events: deque[ServerEvent] = deque()
        self._waits_for: ServerEvent | None = None
        self._ended = False
        self._closing = False
        self._bad_commands = 0
        self._refusals = 0
        self._steps = self._converse()

    # What each protocol says in its own words.

    @abstractmethod
    def greet(self) -> None:
        """Queue the greeting."""

    @abstractmethod
    def _next_command(self) -> Steps[None]:
        """Read one command and carry it out."""

    @abstractmethod
    def _answer_bad(self, text: str) -> None:
        """Answer a command that is unknown or malformed."""

    @abstractmethod
    def _answer_goodbye(self, text: str) -> None:
        """Say why the connection is closed."""

    @abstractmethod
    def _answer_refusal(self, refusal: Refusal) -> None:
        """Answer a login that may not pass."""

    @abstractmethod
    def _answer_success(self) -> None:
        """Answer a login that passes."""

    @abstractmethod
    def _write_challenge(self, encoded: bytes) -> None:
        """Send a SASL challenge."""

    def _read_response(self) -> Steps[bytes | None]:
        """Read a SASL response, still in base64; None if it is malformed."""
        raw = yield from self._read_raw_line(self._limits.sasl_line)
        return strip_line_end(raw)

    def _answer_aborted(self) -> None:
        """Answer a SASL exchange that the client gave up."""
        self._answer_bad("Authentication aborted")

    def _answer_malformed(self, text: str) -> None:
        """Answer a SASL response that cannot be read."""
        self._answer_bad(text)

    @abstractmethod
    def _forget(self) -> None:
        """Forget what the client said before TLS; called when TLS has begun (RFC 3207 4.2)."""

    # What the owner of the machine calls.

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        if self._closing:
            return
        if self._waits_for is not None and len(self._buffer) >= self._limits.total:
            self._end("too much was sent ahead of an answer")
            return
        self._buffer.append(data)

    def next_event(self) -> ServerEvent | None:
        """Give the next event, or None while more bytes are needed or the machine is paused."""
        if self._events:
            return self._events.popleft()
        if self._ended or self._waits_for is not None:
            return None
        event = self._advance()
        if isinstance(event, LoginAsked | StartTlsAsked):
            self._waits_for = event
        return event

    def tls_started(self) -> None:
        """Go on inside TLS; everything known before is forgotten."""
        self._resume(StartTlsAsked)
        self._security = replace(self._security, tls=True, starttls=False)
        if self.has_pending:
            # RFC 3207 6: what was sent in the clear must not be taken for something sent inside TLS.
            self._end("bytes were sent between STARTTLS and the handshake")
            return
        self._forget()

    def refuse(self, refusal: Refusal) -> None:
        """Answer the pending login with no; after too many the connection ends."""
        self._resume(LoginAsked)
        self._answer_refusal(refusal)
        self._refusals += 1
        if self._refusals >= self._limits.refusals:
            self._answer_goodbye("Too many refused logins")
            self._end("too many refused logins")

    def allow(self, capabilities: tuple[bytes, ...]) -> None:  # noqa: ARG002  these protocols announce none here
        """Answer the pending login with yes; the machine has done its work."""
        self._resume(LoginAsked)
        self._answer_success()
        self._ended = True

    def take_rest(self) -> bytes:
        """Take what the client pipelined behind the login, after `allow`; the machine has ended."""
        self._steps.close()  # it and this machine hold each other, and would wait for the garbage collector
        return self._buffer.take_all()

    # What the machines are built from.

    @property
    def _may_log_in(self) -> bool:
        return self._security.tls or self._security.plaintext_login

    @property
    def _may_start_tls(self) -> bool:
        return self._security.starttls and not self._security.tls

    def _end(self, reason: str) -> None:
        self._ended = True
        self._closing = True
        self._buffer.clear()
        self._events.append(CloseAsked(reason))

    def _bad(self, text: str) -> None:
        """Answer a bad command and count it."""
        self._answer_bad(text)
        self._bad_commands += 1

    def _resume(self, kind: type[LoginAsked | StartTlsAsked]) -> None:
        if not isinstance(self._waits_for, kind):
            message = f"The machine does not wait for an answer to {kind.__name__}"
            raise RuntimeError(message)  # noqa: TRY004  the order of the calls is wrong, not a type
        self._waits_for = None

    def _advance(self) -> ServerEvent | None:
        try:
            return next(self._steps)
        except LimitExceededError:
            self._answer_goodbye("Line too long")
            self._end("a line was too long")
        except PeerError as error:
            self._answer_goodbye(str(error))
            self._end(str(error))
        except StopIteration:
            # A dialogue returns only after it has put the event that ends it.
            self._ended = True
        return self._events.popleft() if self._events else None

    def _read_raw_line(self, limit: int) -> Steps[bytes]:
        while (raw := self._buffer.take_raw_line(limit)) is None:
            yield None
        return raw

    def _converse(self) -> Steps[None]:
        while not self._ended:
            yield from self._next_command()
            if self._bad_commands >= self._limits.bad_commands and not self._ended:
                self._answer_goodbye("Too many bad commands")
                self._end("too many bad commands")

    def _hear(self, raw: bytes) -> None:
        """End at once, without an answer, if another protocol is spoken here: it would only misread the answer."""
        if _HTTP.match(raw) or raw.startswith(_TLS_HANDSHAKE):
            self._end("another protocol was spoken")

    def _authenticate(self, mechanism: str, initial: bytes | None) -> Steps[None]:
        """Lead one SASL exchange; `initial` is the initial response, still in base64."""
        exchange = SaslServer(mechanism)
        try:
            step = exchange.step(None if initial is None else decode_base64(initial))
            while isinstance(step, bytes):
                self._write_challenge(base64.b64encode(step))
                response = yield from self._read_response()
                step = exchange.step(_decode(response))
        except SaslAborted:
            self._answer_aborted()
            self._bad_commands += 1
        except SaslError as error:
            self._answer_malformed(str(error))
            self._bad_commands += 1
        else:
            yield step


class LoginDialogue(Dialogue):
    """The server's side of a protocol whose commands are lines; fulfils `machine.LoginMachine`."""

    @abstractmethod
    def _command(self, line: bytes) -> Steps[None]:
        """Carry out one command, given without its line end."""

    def _next_command(self) -> Steps[None]:
        raw = yield from self._read_raw_line(self._line_limit)
        self._hear(raw)
        if self._ended:
            return
        line = strip_line_end(raw)
        if line is None:
            self._bad("Lines end with CR LF and hold no other control character")
        else:
            yield from self._command(line)


def _decode(response: bytes | None) -> bytes:
    if response is None:
        raise SaslError("The response is malformed")
    return decode_base64(response)
