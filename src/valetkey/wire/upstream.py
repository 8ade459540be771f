"""What the client machines have in common: reading an upstream's answers up to the login, within bounds.

A dialogue is a generator as in `dialogue`: it yields None where more bytes are needed, `StartTlsAsked` where TLS is
to begin, and returns what the upstream can do once it has accepted the login.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import NoReturn, TypeVar

from valetkey.wire.buffer import LimitExceededError
from valetkey.wire.dialogue import one_line
from valetkey.wire.exchange import Exchange
from valetkey.wire.machine import ClientEvent, ClientFacts, Credentials, LoggedIn, LoginFailed, StartTlsAsked
from valetkey.wire.sasl import encode_plain

_T = TypeVar("_T")
Replies = Generator[ClientEvent | None, None, _T]

_LINE_LIMIT = 8192
# An honest upstream says a few kilobytes before the login is done.
_TOTAL_LIMIT = 262144


class UpstreamError(Exception):
    """The login cannot succeed; `temporary` unless the upstream refused the very credentials."""

    def __init__(self, text: str, *, temporary: bool = True) -> None:
        super().__init__(text)
        self.temporary = temporary


_NOBODY = Credentials("", "", None)


class UpstreamDialogue(Exchange, ABC):
    """The client's side of a line-based protocol up to the login; fulfils `machine.ClientMachine`.

    Without credentials it only looks: it hears what the upstream announces before a login, and leaves.

    Args:
        credentials: Whose mailbox, who logs in, with which secret; None only looks.
        starttls: Whether TLS is to be started first.
        facts: What an upstream that trusts us is told of the client.
    """

    def __init__(self, credentials: Credentials | None, *, starttls: bool, facts: ClientFacts | None = None) -> None:
        super().__init__()
        self._credentials = credentials or _NOBODY
        self._only_looks = credentials is None
        self._starttls = starttls
        self._facts = facts
        self._received = 0
        self._waits_for_tls = False
        self._ended = False
        self._steps = self._converse()

    @abstractmethod
    def _converse(self) -> Replies[tuple[bytes, ...]]:
        """Lead the dialogue; return the upstream's capabilities once it has accepted the login."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._received += len(data)
        self._buffer.append(data)

    def next_event(self) -> ClientEvent | None:
        """Give the next event, or None while more bytes are needed."""
        if self._ended or self._waits_for_tls:
            return None
        event = self._advance()
        if isinstance(event, StartTlsAsked):
            self._waits_for_tls = True
        elif event is not None:
            self._ended = True
        return event

    def tls_started(self) -> None:
        """Go on inside TLS; everything the upstream said before is forgotten."""
        self._waits_for_tls = False

    def take_rest(self) -> bytes:
        """Take what the upstream sent behind the login's answer, after `LoggedIn`."""
        return self._buffer.take_all()

    def _advance(self) -> ClientEvent | None:
        try:
            if self._received > _TOTAL_LIMIT:
                _fail_over_limit()
            return next(self._steps)
        except StopIteration as done:
            return LoggedIn(done.value)
        except UpstreamError as error:
            return LoginFailed(error.temporary, one_line(str(error)))
        except LimitExceededError:
            return LoginFailed(temporary=True, text="The upstream sent a line that is too long")

    def _read_line(self) -> Replies[bytes]:
        while (line := self._buffer.take_line(_LINE_LIMIT)) is None:
            yield None
        return line

    def _begin_tls(self) -> Replies[None]:
        """Ask for TLS and go on inside it; the upstream has agreed."""
        yield StartTlsAsked()
        if self.has_pending:
            # Response injection: what came in the clear must not be read as if it had come inside TLS.
            raise UpstreamError("The upstream sent bytes between STARTTLS and the handshake")

    @property
    def _logs_in_as_itself(self) -> bool:
        return self._credentials.name == self._credentials.user

    def _plain_message(self) -> bytes:
        """Write the message of SASL PLAIN; a master user names by the authorization identity whom it opens.

        Raises:
            UpstreamError: There is no secret, or it cannot be sent so.
        """
        login = self._credentials
        try:
            return encode_plain("" if self._logs_in_as_itself else login.user, login.name, self._require_secret())
        except ValueError as error:
            raise UpstreamError(str(error)) from None

    def _require_secret(self) -> str:
        if self._credentials.secret is None:
            raise UpstreamError("This login needs a secret")
        return self._credentials.secret


def _fail_over_limit() -> NoReturn:
    raise UpstreamError("The upstream says too much before the login")


def text_of(line: bytes) -> str:
    """Decode what the upstream said, for our log."""
    return line.decode("utf-8", "replace")


def forward_field(facts: ClientFacts) -> str:
    """Write our own facts as Dovecot reads them in XCLIENT FORWARD: tab-separated pairs in base64."""
    pairs = "\t".join(f"{key}={_tab_escaped(value)}" for key, value in facts.forward.items())
    return base64.b64encode(pairs.encode()).decode()


def _tab_escaped(value: str) -> str:
    # Dovecot's own escape: 0x01 and a digit or letter stand for the characters that the format needs.
    for character, escape in (("\x01", "\x011"), ("\t", "\x01t"), ("\r", "\x01r"), ("\n", "\x01n"), ("\0", "\x010")):
        value = value.replace(character, escape)
    return value


def xclient_arguments(facts: ClientFacts) -> bytes:
    """Write the facts as POP3 and ManageSieve of Dovecot take them in XCLIENT; values without blanks, cut short.

    A port of 0 is unknown, and Dovecot refuses it, so it is left out.

    Raises:
        UpstreamError: A value holds what would end the argument.
    """
    pairs = {"ADDR": facts.address, "PORT": str(facts.port or ""), "SESSION": facts.session_id, "TTL": "3"}
    if facts.forward:
        pairs["FORWARD"] = forward_field(facts)
    words = [f"{key}={value}" for key, value in pairs.items() if value]
    if not all(word.isascii() and word.isprintable() and " " not in word for word in words):
        raise UpstreamError("A fact about the client does not fit into XCLIENT")
    return " ".join(words).encode()
