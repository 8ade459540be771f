r"""The auth-client protocol of Dovecot, the server's side: Postfix, Exim and others let their clients log in by it.

Lines of fields with TABs between, values escaped (\001 with 0, 1, t, r or n behind it). A request has a number, and
the exchanges of several go on at the same time:

    AUTH 1 PLAIN service=smtp rip=192.0.2.7 secured resp=AGFsaWNl…     →  OK 1 user=alice@example.org
    AUTH 2 LOGIN service=smtp                                          →  CONT 2 VXNlcm5hbWU6
    CONT 2 YWxpY2U=                                                    →  CONT 2 UGFzc3dvcmQ6 …

What a client sends stands in one value at the end of its line, so it disturbs no other exchange, whatever it is.
There is no word for "cannot tell" that Postfix would take for one: the owner closes the connection instead.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from valetkey.wire.bearer import BEARER_MECHANISMS, BearerServer
from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import LoginAsked, PeerError
from valetkey.wire.sasl import MECHANISMS, SaslAborted, SaslError, SaslServer, decode_base64

MOST_LINE = 65_536  # octets; Postfix lets 12,288 of a client through unless told otherwise
_MOST_FIELDS = 64
_MOST_FACTS = 8_192  # octets of all fields but the client's response
_MOST_UNKNOWN = 100  # lines of a connection
_MOST_EXCHANGES = 64  # that wait for their client; one more ends the oldest
_HIGHEST_NUMBER = 0xFFFF_FFFF
_VERSION = b"1"
_ESCAPES = {b"0": b"\0", b"1": b"\1", b"t": b"\t", b"r": b"\r", b"n": b"\n"}
_ESCAPED = re.compile(rb"\x01(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\x00\x01\t\r\n]")
_WRITTEN = {"\0": "\x010", "\1": "\x011", "\t": "\x01t", "\r": "\x01r", "\n": "\x01n"}


@dataclass(frozen=True, slots=True)
class AuthAsked:
    """A client of the mail server asks to log in; `AuthServer.allow` or `refuse` answers, by its number.

    For XOAUTH2 and OAUTHBEARER the secret of `login` is a token.
    """

    number: int
    login: LoginAsked
    service: bytes
    facts: dict[bytes, bytes] = field(repr=False)  # the other fields: rip, lip, session …; b"" for one without a value

    @property
    def secured(self) -> bool:
        """Whether the mail server says that the client's connection is safe."""
        return b"secured" in self.facts


@dataclass(slots=True)
class _Exchange:
    """One request whose client has to say more."""

    server: SaslServer | BearerServer
    service: bytes
    facts: dict[bytes, bytes]
    refused: bytes | None = None  # the line that ends it, once the client has heard why


class AuthServer:
    """One connection of a mail server. Never raises but in `next_event`, and what a client sent is no reason for it."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._output: list[bytes] = []
        self._waiting: dict[int, _Exchange] = {}
        self._asked: dict[int, _Exchange] = {}
        self._has_version = False
        self._unknown = 0  # lines
        self.lines = 0  # that were taken

    def greet(self, process: int, connection: int, cookie: str, mechanisms: Sequence[str] = MECHANISMS) -> None:
        """Queue the whole handshake: some clients say nothing before its end.

        Mechanisms for tokens are announced only by who issues some: programs that find XOAUTH2 announced try it with
        a password.
        """
        lines = ["VERSION\t1\t2", *(f"MECH\t{name}\tplaintext" for name in mechanisms)]
        lines += [f"SPID\t{process}", f"CUID\t{connection}", f"COOKIE\t{cookie}", "DONE", ""]
        self._output.append("\n".join(lines).encode())

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    @property
    def has_pending(self) -> bool:
        """Whether the beginning of a line has arrived that is not whole."""
        return len(self._buffer) > 0

    def take_output(self) -> bytes:
        """Take the bytes to send."""
        output, self._output = b"".join(self._output), []
        return output

    def next_event(self) -> AuthAsked | None:
        """Give the next login that is asked, or None while more bytes are needed.

        Raises:
            PeerError: The mail server itself, not a client of its, does not speak the protocol.
        """
        while True:
            try:
                line = self._buffer.take_line(MOST_LINE)
            except LimitExceededError:
                raise PeerError("a line is too long") from None
            if line is None:
                return None
            self.lines += 1
            asked = self._take(line)
            if asked is not None:
                return asked

    def allow(self, number: int, user: str) -> None:
        """Answer a login with yes; `user` is the name that the mail server shall know."""
        if self._asked.pop(number, None) is not None:
            self._say("OK", number, f"user={_escape(user)}".encode())

    def refuse(self, number: int, user: str, reason: str = "") -> None:
        """Answer a login with no. `reason` is told to the client, one line of plain ASCII; empty: nothing is told."""
        exchange = self._asked.pop(number, None)
        if exchange is None:
            return
        told = f"\treason={_escape(reason)}" if reason else ""
        refused = f"user={_escape(user)}{told}".encode()
        if isinstance(exchange.server, BearerServer):
            exchange.refused = refused
            self._ask_on(number, exchange, exchange.server.refusal)
        else:
            self._say("FAIL", number, refused)

    def _take(self, line: bytes) -> AuthAsked | None:
        name, _, rest = line.partition(b"\t")
        match name:
            case b"VERSION":
                if rest.partition(b"\t")[0] != _VERSION:
                    raise PeerError("another version of the protocol is wanted")
                self._has_version = True
            case b"AUTH":
                return self._begin(rest)
            case b"CONT":
                number, _, data = rest.partition(b"\t")
                return self._continue(_number(number), data)
            case b"CANCEL":
                self._waiting.pop(_number(rest.partition(b"\t")[0]), None)
            case _:  # CPID, and what later versions may say
                self._unknown += 1
                if self._unknown > _MOST_UNKNOWN:
                    raise PeerError("too much that is not understood")
        return None

    def _begin(self, rest: bytes) -> AuthAsked | None:
        if not self._has_version:
            raise PeerError("a login was asked before the version was named")
        words, response = _split_response(rest)
        number = _number(words[0])
        if number in self._waiting or number in self._asked:
            raise PeerError("a request has a number that is in use")
        if len(words) > _MOST_FIELDS or sum(map(len, words)) > _MOST_FACTS:
            raise PeerError("a request has too many fields")
        facts = dict(_fact(word) for word in words[2:])
        server = _server_of(words[1] if len(words) > 1 else b"")
        if server is None:
            self._say("FAIL", number)
            return None
        exchange = _Exchange(server, facts.pop(b"service", b""), facts)
        return self._step(number, exchange, response)

    def _continue(self, number: int, data: bytes) -> AuthAsked | None:
        if number in self._asked:
            return None  # the verdict is due, and nothing was to be said
        exchange = self._waiting.pop(number, None)
        if exchange is None or exchange.refused is not None:
            self._say("FAIL", number, exchange.refused if exchange and exchange.refused else b"")
            return None
        return self._step(number, exchange, data or b"=")

    def _step(self, number: int, exchange: _Exchange, response: bytes | None) -> AuthAsked | None:
        try:
            given = exchange.server.step(None if response is None else decode_base64(response))
        except (SaslError, SaslAborted):
            self._say("FAIL", number)
            return None
        if isinstance(given, LoginAsked):
            self._asked[number] = exchange
            return AuthAsked(number, given, exchange.service, exchange.facts)
        self._ask_on(number, exchange, given)
        return None

    def _ask_on(self, number: int, exchange: _Exchange, challenge: bytes) -> None:
        if len(self._waiting) >= _MOST_EXCHANGES:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._say("FAIL", oldest)
        self._waiting[number] = exchange
        self._say("CONT", number, base64.b64encode(challenge), always=True)

    def _say(self, word: str, number: int, rest: bytes = b"", *, always: bool = False) -> None:
        tail = b"\t" + rest if rest or always else b""
        self._output.append(f"{word}\t{number}".encode() + tail + b"\n")


def _split_response(text: bytes) -> tuple[list[bytes], bytes | None]:
    """Split the fields from the client's response, which stands last and may hold whatever the client sent.

    Exim writes an empty one where its client has sent none; the client's own word for an empty one is "=".
    """
    fields, _, response = text.partition(b"\tresp=")
    return fields.split(b"\t"), response or None


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > len(str(_HIGHEST_NUMBER)) or int(text) > _HIGHEST_NUMBER:
        raise PeerError("a request has no number")
    return int(text)


def _fact(word: bytes) -> tuple[bytes, bytes]:
    key, _, value = word.partition(b"=")
    return key, unescape(value)


def _server_of(name: bytes) -> SaslServer | BearerServer | None:
    mechanism = name.decode("latin-1").upper()
    if mechanism in MECHANISMS:
        return SaslServer(mechanism)
    return BearerServer(mechanism) if mechanism in BEARER_MECHANISMS else None


def unescape(value: bytes) -> bytes:
    """Undo the escapes of a value; an unknown one stands for its second octet."""
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value)


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _WRITTEN[found[0]], text)
