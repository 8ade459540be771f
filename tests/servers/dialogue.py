"""A line-by-line conversation with a server, for what client libraries would hide."""

import base64
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.places import LOCALHOST

MOST = 10_000_000  # octets that one reply may have


class Dialogue:
    """One connection. Every wait ends with TimeoutError after `seconds`; a closed connection is EOFError."""

    def __init__(self, connection: socket.socket, seconds: float = 30) -> None:
        self.socket = connection
        self._seconds = seconds
        self._held = b""
        connection.settimeout(seconds)

    def send(self, line: str | bytes) -> None:
        """Send one line; CRLF is added."""
        octets = line.encode() if isinstance(line, str) else line
        self.socket.sendall(octets + b"\r\n")

    def send_octets(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(octets)

    def line(self) -> str:
        """Read one line, without its CRLF."""
        while b"\n" not in self._held:
            octets = self.socket.recv(65536)
            if not octets:
                raise EOFError(f"the server closed the connection after {self._held!r}")
            self._held += octets
            if len(self._held) > MOST:
                raise ValueError("the server's reply is too long")
        line, _, self._held = self._held.partition(b"\n")
        return line.rstrip(b"\r").decode(errors="replace")

    def until(self, pattern: str) -> list[str]:
        """Read lines up to and with the first that matches the pattern from its start."""
        lines = [self.line()]
        while not re.match(pattern, lines[-1]):
            lines.append(self.line())
        return lines

    def ask(self, line: str | bytes, pattern: str) -> list[str]:
        """Send a line, then read as `until` does."""
        self.send(line)
        return self.until(pattern)

    def smtp(self, line: str | bytes) -> list[str]:
        """Send an SMTP command and read its whole reply (also of several lines)."""
        return self.ask(line, r"\d{3} ")

    def imap(self, tag: str, command: str) -> list[str]:
        """Send a tagged IMAP command and read up to its tagged answer."""
        return self.ask(f"{tag} {command}", rf"{re.escape(tag)} ")

    def sieve(self, line: str | bytes) -> list[str]:
        """Send a ManageSieve command and read up to OK, NO or BYE."""
        return self.ask(line, r"(OK|NO|BYE)\b")

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        """Begin TLS on this connection; raises ValueError if the server sent more than its yes before."""
        if self._held:
            raise ValueError("octets arrived between STARTTLS and the handshake")
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.socket.settimeout(self._seconds)

    def closed(self) -> bool:
        """Wait for the server to close the connection (what it still sends is thrown away)."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


@contextmanager
def dialogue(
    port: int, tls: ssl.SSLContext | None = None, host: str = LOCALHOST, seconds: float = 30
) -> Iterator[Dialogue]:
    """Connect, with TLS from the first octet if a context is given; closed at the end."""
    connection = socket.create_connection((host, port), timeout=seconds)
    if tls is not None:
        connection = tls.wrap_socket(connection, server_hostname="localhost")
    talk = Dialogue(connection, seconds)
    try:
        yield talk
    finally:
        talk.socket.close()


def plain(name: str, secret: str, authorization_id: str = "") -> str:
    """Make the base64 response of SASL PLAIN (RFC 4616)."""
    return base64.b64encode(f"{authorization_id}\0{name}\0{secret}".encode()).decode()
