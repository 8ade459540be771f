"""The words that all machines share: what a peer can ask, and what it can be answered.

A *login machine* speaks the server's side of one protocol up to the login and pauses there until the verdict
is given, so that pipelined commands cannot run ahead of it. A *client machine* speaks the client's side of the
same protocol towards an upstream. A *filter* stands between a client and an upstream after login and forwards
only what it has parsed and its rule allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class PeerError(Exception):
    """The peer broke the protocol in a way that ends the connection.

    The message is for our log; it never holds what the peer sent.
    """


class RefusalKind(Enum):
    """Why a login is refused, as far as the wire may know."""

    WRONG = "wrong"  # nothing was proven: wrong, unknown, disabled, revoked all look like this
    EXPIRED = "expired"  # the secret was right and has expired
    FORBIDDEN = "forbidden"  # the secret was right and may not be used here (scope, network)
    TRY_LATER = "try-later"  # cannot tell, throttled, upstream down
    TLS_NEEDED = "tls-needed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a login that may not pass; `text` is one line of plain ASCII for the person."""

    kind: RefusalKind
    text: str


@dataclass(frozen=True, slots=True)
class LoginAsked:
    """The peer asks to log in. The machine is paused until `allow` or `refuse` is called."""

    mechanism: str
    name: bytes
    secret: bytes = field(repr=False)
    authorization_id: bytes = b""


@dataclass(frozen=True, slots=True)
class StartTlsAsked:
    """TLS is to begin as soon as the output is flushed.

    The machine is paused until `tls_started` is called. If it still holds bytes (`has_pending`) or more arrive
    before the handshake, the connection must be closed: they were sent in the clear (RFC 3207 section 6).
    """


@dataclass(frozen=True, slots=True)
class DeviceNamed:
    """The peer said what it is (IMAP ID, EHLO name): untrusted text, already cut to size and printable."""

    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """Flush the output, then close. `reason` is for our log and holds nothing that the peer sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The upstream accepted the login; `capabilities` are its own, in its own spelling, after login.

    A client machine that only looks gives it without a login, with what is announced before one.
    """

    capabilities: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """The upstream did not accept the login. `text` is the upstream's, for our log and the operator."""

    temporary: bool
    text: str


ServerEvent = LoginAsked | StartTlsAsked | DeviceNamed | CloseAsked
ClientEvent = StartTlsAsked | LoggedIn | LoginFailed


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """What an unauthenticated peer may cost us, in octets and tries (RFC 9051 5.4, RFC 4954 4)."""

    line: int = 8192
    literal: int = 4096
    total: int = 65536
    sasl_line: int = 12288
    bad_commands: int = 3
    refusals: int = 5


@dataclass(frozen=True, slots=True)
class Security:
    """How a listener stands to TLS."""

    tls: bool  # TLS is on now
    starttls: bool  # TLS can be started
    plaintext_login: bool = False  # the operator allows logins without TLS here


class LoginMachine(Protocol):
    """The server's side of one protocol up to the login."""

    def greet(self) -> None:
        """Queue the greeting."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived. Never raises: what is wrong comes out as an event or an answer."""

    def next_event(self) -> ServerEvent | None:
        """Give the next event, or None while more bytes are needed or the machine is paused."""

    def take_output(self) -> bytes:
        """Take the bytes to send."""

    @property
    def has_pending(self) -> bool:
        """Whether bytes have arrived that were not yet parsed."""

    def tls_started(self) -> None:
        """Go on after the handshake that `StartTlsAsked` announced; everything known before is forgotten."""

    def refuse(self, refusal: Refusal) -> None:
        """Answer the pending login with no, and go on."""

    def allow(self, capabilities: tuple[bytes, ...]) -> None:
        """Answer the pending login with yes, announcing `capabilities`; the machine has done its work."""

    def take_rest(self) -> bytes:
        """Take what the client pipelined behind the login, after `allow`."""


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What an upstream that trusts us is told of the client."""

    address: str  # empty: not known
    port: int  # 0: not known
    local_address: str
    local_port: int
    session_id: str
    forward: Mapping[str, str] = field(default_factory=dict)  # our own facts, such as the app password's id
    helo: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we prove ourselves to an upstream.

    `secret` None means that no secret is sent (XCLIENT LOGIN carries the name; SMTP only).
    """

    user: str  # whose mailbox is opened
    name: str  # who logs in: the user, or the master user
    secret: str | None = field(repr=False)


class ClientMachine(Protocol):
    """The client's side of one protocol up to the login."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived. Never raises: what is wrong comes out as `LoginFailed`."""

    def next_event(self) -> ClientEvent | None:
        """Give the next event, or None while more bytes are needed."""

    def take_output(self) -> bytes:
        """Take the bytes to send."""

    @property
    def has_pending(self) -> bool:
        """Whether bytes have arrived that were not yet parsed."""

    def tls_started(self) -> None:
        """Go on after the handshake; everything the upstream said before is forgotten."""

    def take_rest(self) -> bytes:
        """Take what the upstream sent behind the login's answer, after `LoggedIn`."""


class SessionFilter(Protocol):
    """Between client and upstream after login: forwards what it parsed and its rule allows, refuses the rest.

    Backpressure is the pump's: it stops feeding one side while the other side's output is not yet sent. A call
    of `from_client` or `from_server` therefore holds no more than the bytes fed plus a bounded rest.
    """

    def from_client(self, data: bytes | memoryview) -> None:
        """Take bytes from the client."""

    def from_server(self, data: bytes | memoryview) -> None:
        """Take bytes from the upstream."""

    def take_to_client(self) -> bytes:
        """Take the bytes to send to the client."""

    def take_to_server(self) -> bytes:
        """Take the bytes to send to the upstream."""

    def goodbye(self, text: str) -> None:
        """End the session; `text`, printable ASCII, is a last word to the client where one can stand (IMAP's BYE, 421)."""

    @property
    def waits_for_server(self) -> bool:
        """Whether what the client sends has to wait for an answer of the upstream; the pump then reads no more of it."""

    @property
    def close_reason(self) -> str | None:
        """Why the session must end once the output is sent, or None."""
