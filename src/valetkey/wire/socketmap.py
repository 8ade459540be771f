"""The socketmap protocol of Postfix and sendmail, the server's side: look-ups in named maps, in netstrings.

    19:login al@example.org,   →   27:OK al@example.org,b@example,

Answers begin with OK, NOTFOUND, TEMP, TIMEOUT or PERM (socketmap_table(5)).
"""

from dataclasses import dataclass
from enum import Enum

from valetkey.wire.buffer import Buffer
from valetkey.wire.machine import PeerError

MOST_REQUEST = 2_048  # octets; an address has 320 at most
MOST_REPLY = 100_000  # what Postfix takes
_LONGEST_LENGTH = 5  # digits


class Status(Enum):
    """How a look-up ended."""

    OK = "OK"
    NOT_FOUND = "NOTFOUND"
    TEMPORARY = "TEMP"
    PERMANENT = "PERM"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One request: the name of a map, and what is looked for in it."""

    map: str
    key: str


class SocketmapServer:
    """One connection of a mail server, which asks one thing at a time."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._length = b""
        self._awaited: int | None = None  # octets of the string and its comma

    @property
    def has_pending(self) -> bool:
        """Whether the beginning of a request has arrived that is not whole."""
        return len(self._buffer) > 0 or bool(self._length) or self._awaited is not None

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    def next_request(self) -> Lookup | None:
        """Give the next request, or None while more bytes are needed.

        Raises:
            PeerError: This is no netstring, too long a one, or no look-up.
        """
        if self._awaited is None:
            self._read_length()
        if self._awaited is None:
            return None
        taken = self._buffer.take_exactly(self._awaited)
        if taken is None:
            return None
        self._awaited = None
        if not taken.endswith(b","):
            raise PeerError("a netstring has no comma at its end")
        return _lookup(taken[:-1])

    def _read_length(self) -> None:
        while (octet := self._buffer.take_exactly(1)) is not None:
            if octet == b":" and self._length:
                length, self._length = int(self._length), b""
                if length > MOST_REQUEST:
                    raise PeerError("a look-up is too long")
                self._awaited = length + 1
                return
            self._length += octet
            # A netstring's length has no zero in front, unless it is one.
            if not octet.isdigit() or len(self._length) > _LONGEST_LENGTH or self._length[:1] == b"0":
                raise PeerError("this is no netstring")


def socketmap_reply(status: Status, text: str = "") -> bytes:
    """Write an answer.

    Raises:
        ValueError: It is longer than Postfix takes.
    """
    reply = f"{status.value} {text}".encode()
    if len(reply) > MOST_REPLY:
        raise ValueError("The answer is too long")
    return b"%d:%s," % (len(reply), reply)


def _lookup(octets: bytes) -> Lookup:
    name, blank, key = octets.partition(b" ")
    if not name or not blank:
        raise PeerError("a look-up names a map and a key")
    try:
        return Lookup(name.decode(), key.decode())
    except UnicodeDecodeError:
        return Lookup(name.decode("latin-1"), key.decode("latin-1"))
