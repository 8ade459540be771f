"""What mail servers and their clients do to doors: requests over kept HTTP connections, IMAP logins, SMTP logins."""

import socket
import time
from base64 import b64encode
from collections.abc import Sequence
from itertools import cycle

from benchmarks.load import Begin, Client, Done, Place, in_parallel

_TIMEOUT = 30.0  # seconds, for each read
_CONNECTIONS = 8  # of one process


def ask(server: int, port: int, request: bytes, seconds: float, clients: int) -> Done:
    """Send the request on kept connections, wait for the answers, and again; counts answers."""

    def work(begin: Begin) -> int:
        connections = [_Http(port) for _ in range(_CONNECTIONS)]
        count, until = 0, begin()
        while time.monotonic() < until or not count:
            for connection in connections:
                connection.sock.sendall(request)
            for connection in connections:
                connection.read_answer()
            count += len(connections)
        return count

    return in_parallel(work, server, seconds, clients)


def log_in_to_imap(servers: Sequence[int], places: Sequence[Place], seconds: float, clients: int) -> Done:
    """Connect, log in with one secret after the other, log out; counts logins."""

    def work(begin: Begin) -> int:
        turns = cycle(places)
        count, until = 0, begin()
        while time.monotonic() < until or count < len(places):
            Client(next(turns), None).log_out()
            count += 1
        return count

    return in_parallel(work, servers, seconds, clients)


def log_in_to_smtp(servers: Sequence[int], places: Sequence[Place], seconds: float, clients: int) -> Done:
    """Connect, say hello, log in with one secret after the other, and leave; counts logins."""

    def work(begin: Begin) -> int:
        turns = cycle(places)
        count, until = 0, begin()
        while time.monotonic() < until or count < len(places):
            _log_in_to_smtp(next(turns))
            count += 1
        return count

    return in_parallel(work, servers, seconds, clients)


class _Http:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_answer(self) -> None:
        said = b""
        while b"\r\n\r\n" not in said:
            said += self._receive()
        head, _, body = said.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if b" 200 " not in lines[0] or not (b"auth-status: ok" in lines or b'"ok"' in body):
            raise RuntimeError(f"the answer was {said!r}")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self._receive()

    def _receive(self) -> bytes:
        said = self.sock.recv(65536)
        if not said:
            raise RuntimeError("the server closed the connection")
        return said


def _log_in_to_smtp(place: Place) -> None:
    with socket.create_connection(("127.0.0.1", place.port), timeout=_TIMEOUT) as sock, sock.makefile("rb") as lines:
        token = b64encode(f"\0{place.user}\0{place.secret}".encode())
        for command, wanted in ((b"", b"220"), (b"EHLO client\r\n", b"250"), (b"AUTH PLAIN %b\r\n" % token, b"235")):
            sock.sendall(command)
            while (line := lines.readline())[3:4] == b"-":
                pass
            if not line.startswith(wanted):
                raise RuntimeError(f"the answer was {line!r}")
        sock.sendall(b"QUIT\r\n")
        lines.readline()
