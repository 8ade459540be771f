"""Mail clients that only drive: each a process of its own with blocking sockets, all on the drivers' core."""

import multiprocessing
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.processes import cores, on_cores

_TIMEOUT = 30.0  # seconds, for each read
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom clients log in. `ca` is None without TLS."""

    port: int
    user: str
    secret: str = field(repr=False)
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What the clients got done together, in how many seconds."""

    count: int
    seconds: float


class Client:
    """One IMAP connection, logged in."""

    def __init__(self, place: Place, context: ssl.SSLContext | None) -> None:
        """Connect and log in; raises RuntimeError if that is refused."""
        plain = socket.create_connection(("127.0.0.1", place.port), timeout=_TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
        self.read_until(b"\r\n")
        said = self.ask(b'a LOGIN "%s" "%s"\r\n' % (place.user.encode(), place.secret.encode()), b"a ")
        if b"a OK" not in said:
            raise RuntimeError(f"the login was answered {said!r}")

    def ask(self, command: bytes, tag: bytes) -> bytes:
        """Send a command; gives everything up to the end of its tagged answer."""
        self.sock.sendall(command)
        said = b""
        while not (said.endswith(b"\r\n") and (b"\r\n" + said).rpartition(b"\r\n" + tag)[1]):
            said += self._receive()
        return said

    def read_until(self, end: bytes) -> bytes:
        """Read until the octets so far end so."""
        said = b""
        while not said.endswith(end):
            said += self._receive()
        return said

    def fetch(self, buffer: bytearray) -> int:
        """Fetch the one message; gives its octets."""
        self.sock.sendall(b"f FETCH 1 BODY[]\r\n")
        head = b""
        while b"}\r\n" not in head:
            head += self._receive()
        first, _, rest = head.partition(b"}\r\n")
        size = int(first.rpartition(b"{")[2])
        left = size - len(rest)
        while left > 0:
            count = self.sock.recv_into(buffer, min(left, len(buffer)))
            if not count:
                raise RuntimeError("the message ended early")
            left -= count
        tail = rest[size:] if left < 0 else b""
        while not tail.endswith(b"\r\n") or b"f OK" not in tail:
            tail += self._receive()
        return size

    def log_out(self) -> None:
        """Say goodbye, wait for the answer and close."""
        self.ask(b"z LOGOUT\r\n", b"z ")
        self.sock.close()

    def _receive(self) -> bytes:
        said = self.sock.recv(65536)
        if not said:
            raise RuntimeError("the server closed the connection")
        return said


def context_of(place: Place) -> ssl.SSLContext | None:
    """Give the TLS context of a place's clients: names are checked, and nothing is resumed."""
    return None if place.ca is None else ssl.create_default_context(cafile=str(place.ca))


def log_in_and_out(place: Place, seconds: float, clients: int) -> Done:
    """Connect, log in, log out, and again; gives the logins."""

    def work(until: float) -> int:
        context = context_of(place)
        count = 0
        while time.monotonic() < until or not count:
            Client(place, context).log_out()
            count += 1
        return count

    return _in_parallel(work, seconds, clients)


def send_small_commands(place: Place, seconds: float, clients: int) -> Done:
    """Send NOOP, wait for its answer, and again; gives the commands."""

    def work(until: float) -> int:
        client = Client(place, context_of(place))
        count = 0
        while time.monotonic() < until:
            for _ in range(50):
                client.ask(b"n NOOP\r\n", b"n ")
            count += 50
        client.log_out()
        return count

    return _in_parallel(work, seconds, clients)


def fetch_much(place: Place, seconds: float, clients: int) -> Done:
    """Fetch the large message again and again; gives the octets."""

    def work(until: float) -> int:
        client = Client(place, context_of(place))
        client.ask(b"s SELECT INBOX\r\n", b"s ")
        buffer = bytearray(262_144)
        octets = 0
        while time.monotonic() < until or not octets:
            octets += client.fetch(buffer)
        client.log_out()
        return octets

    return _in_parallel(work, seconds, clients)


def _in_parallel(work: Callable[[float], int], seconds: float, clients: int) -> Done:
    begin = time.monotonic()
    pipes, processes = [], []
    with on_cores(cores()[1]):
        for _ in range(clients):
            receive, send = _FORK.Pipe(duplex=False)
            process = _FORK.Process(target=_run, args=(work, begin + seconds, send))
            process.start()
            send.close()
            pipes.append(receive)
            processes.append(process)
        counts = [_result(pipe) for pipe in pipes]
    elapsed = time.monotonic() - begin
    for process in processes:
        process.join()
    return Done(sum(counts), elapsed)


def _run(work: Callable[[float], int], until: float, answer: Connection) -> None:
    try:
        answer.send(work(until))
    except (OSError, RuntimeError) as error:
        answer.send(f"{type(error).__name__}: {error}")


def _result(pipe: Connection) -> int:
    found = pipe.recv()
    if isinstance(found, str):
        raise RuntimeError(f"a client failed: {found}")
    return int(found)
