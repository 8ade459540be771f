"""The protocol of saslauthd, the server's side: one question of four counted strings, and one counted answer.

    00 05 alice  00 06 secret  00 04 imap  00 0b example.org      →      00 02 OK

They are the name, the password, the service and the realm; a count has two octets, the higher one first. libsasl splits
a name at its last @. The answer begins with OK or with NO; an end without an answer is a failure of the server's.
"""

from dataclasses import dataclass, field

from valetkey.wire.buffer import Buffer
from valetkey.wire.machine import PeerError

MOST_OCTETS = (512, 1_024, 64, 256)  # of name, password, service and realm
_COUNT = 2  # octets
_MOST_REPLY = 1_000  # libsasl reads 1024


@dataclass(frozen=True, slots=True)
class SaslauthdAsked:
    """A question, as it was sent."""

    name: bytes
    password: bytes = field(repr=False)
    service: bytes
    realm: bytes

    @property
    def login(self) -> bytes:
        """The name with its realm, if there is one."""
        return self.name + b"@" + self.realm if self.realm else self.name


class SaslauthdServer:
    """One connection of a mail server, which asks once."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._strings: list[bytes] = []
        self._awaited: int | None = None  # octets of the next string, once its count was read

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    def next_request(self) -> SaslauthdAsked | None:
        """Give the question once it is whole, or None while more bytes are needed. What follows it is not read.

        Raises:
            PeerError: A string is longer than any name or password could be.
        """
        while len(self._strings) < len(MOST_OCTETS):
            if self._awaited is None and not self._read_count():
                return None
            string = self._buffer.take_exactly(self._awaited or 0)
            if string is None:
                return None
            self._awaited = None
            self._strings.append(string)
        name, password, service, realm = self._strings
        return SaslauthdAsked(name, password, service, realm)

    def _read_count(self) -> bool:
        octets = self._buffer.take_exactly(_COUNT)
        if octets is None:
            return False
        self._awaited = int.from_bytes(octets)
        if self._awaited > MOST_OCTETS[len(self._strings)]:
            raise PeerError("a string is too long")
        return True


def saslauthd_reply(*, is_right: bool, text: str = "") -> bytes:
    """Write the answer; `text` is for whoever reads it, which no mail server does."""
    reply = f"{'OK' if is_right else 'NO'} {text}".strip().encode()[:_MOST_REPLY]
    return len(reply).to_bytes(_COUNT) + reply
