"""The protocol of Courier's authdaemond, the server's side: one request on a connection, and lines that answer it.

    TCPREMOTEIP=::ffff:198.51.100.7  →      UID=5000
    AUTH 42                                 GID=5000
    imap                                    HOME=/var/mail/alice
    login                                   MAILDIR=/var/mail/alice
    alice@example.org                       ADDRESS=alice@example.org
    the password                            .

The number counts the octets behind its line; the client's address may be missing. A login that does not pass is answered
by FAIL; an end without an answer is a failure of the server's. Beside AUTH there are PRE (facts of a user, without a
password), PASSWD (a change of password) and ENUMERATE (all users): one line each.
"""

from dataclasses import dataclass, field

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError

MOST_LINE = 2_048  # octets
MOST_LOGIN = 2_048  # octets behind the line that counts them
MOST_NAME = 512
MOST_PASSWORD = 1_024
_DIGITS = 6

REFUSED = b"FAIL\n"
_END = b".\n"
_CLIENT = b"TCPREMOTEIP="


@dataclass(frozen=True, slots=True)
class LoginAsked:
    """May this login pass? `mechanism` "login" has a password; others, such as "cram-md5", have none that is seen."""

    service: bytes
    mechanism: bytes
    name: bytes = b""
    password: bytes = field(default=b"", repr=False)
    client: bytes = b""  # its address, as Courier writes it; empty: not told


@dataclass(frozen=True, slots=True)
class OtherAsked:
    """Another request, by its word: PRE, PASSWD, ENUMERATE."""

    word: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What Courier is told of who may log in. `uid` and `gid` are numbers of the system; `folder` is a Maildir."""

    address: str
    uid: int
    gid: int
    folder: str


class AuthdaemonServer:
    """One connection of a mail server, which asks once."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._client: bytes | None = None
        self._awaited: int | None = None  # octets of a login, once they were counted

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    def next_request(self) -> LoginAsked | OtherAsked | None:
        """Give the request once it is whole, or None while more bytes are needed. What follows it is not read.

        Raises:
            PeerError: This is no request, or too long a one.
        """
        if self._awaited is None:
            other = self._read_first_lines()
            if self._awaited is None:
                return other
        octets = self._buffer.take_exactly(self._awaited)
        return None if octets is None else _login(octets, self._client or b"")

    def _read_first_lines(self) -> OtherAsked | None:
        """Read up to the count of a login, or give a request of one line."""
        line = self._take_line()
        if line is not None and line.startswith(_CLIENT) and self._client is None:
            self._client = line.removeprefix(_CLIENT)
            line = self._take_line()
        if line is None:
            return None
        word, _, rest = line.partition(b" ")
        if word in {b"PRE", b"PASSWD", b"ENUMERATE"}:
            return OtherAsked(word.decode())
        if word != b"AUTH":
            raise PeerError("this is no request")
        self._awaited = _count(rest)
        return None

    def _take_line(self) -> bytes | None:
        try:
            return self._buffer.take_line(MOST_LINE)
        except LimitExceededError:
            raise PeerError("a line is too long") from None


def mailbox_reply(mailbox: Mailbox) -> bytes:
    """Write who may log in, and where the mail is.

    Raises:
        ValueError: A value could be read as more than one.
    """
    values = {
        "UID": str(mailbox.uid),
        "GID": str(mailbox.gid),
        "HOME": mailbox.folder,
        "MAILDIR": mailbox.folder,
        "ADDRESS": mailbox.address,
    }
    if any(not value or not value.isprintable() for value in values.values()):
        raise ValueError("A value cannot be written in one line")
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode() + _END


def _count(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _DIGITS:
        raise PeerError("a request has no length")
    if int(digits) > MOST_LOGIN:
        raise PeerError("a login is too long")
    return int(digits)


def _login(octets: bytes, client: bytes) -> LoginAsked:
    """Take a login apart: service, mechanism, and for "login" name and password; the last line end may be missing."""
    lines = octets.removesuffix(b"\n").split(b"\n")
    if len(lines) < 2:  # noqa: PLR2004  service and mechanism
        raise PeerError("a login has no mechanism")
    service, mechanism, *rest = lines
    if mechanism != b"login":
        return LoginAsked(service, mechanism, client=client)
    if len(rest) != 2:  # noqa: PLR2004  name and password
        raise PeerError("a login is a name and a password")
    name, password = rest
    if len(name) > MOST_NAME or len(password) > MOST_PASSWORD:
        raise PeerError("a name or a password is too long")
    return LoginAsked(service, mechanism, name, password, client)
