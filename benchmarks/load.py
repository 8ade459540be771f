"""Mail clients that only drive: each a process of its own with blocking sockets, all on the drivers' core."""

import multiprocessing
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

from benchmarks.processes import cores, cpu_seconds, on_cores

_TIMEOUT = 30.0  # seconds, for each read
_SESSIONS_EACH = 25  # connections of one process that sends small commands
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
    """What the clients got done together, in how many seconds, and what the server's CPU took for it (seconds)."""

    count: int
    seconds: float
    cpu: float

    @property
    def per_second(self) -> float:
        """Give how much was done in a second."""
        return self.count / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Give how much was done in a second of the server's CPU."""
        return self.count / max(self.cpu, 0.01)


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


def log_in_and_out(server: int, place: Place, seconds: float, clients: int) -> Done:
    """Connect, log in, log out, and again; counts logins. `server` is the process whose CPU, and whose children's, is read."""

    def work(begin: Begin) -> int:
        context = context_of(place)
        count, until = 0, begin()
        while time.monotonic() < until or not count:
            Client(place, context).log_out()
            count += 1
        return count

    return in_parallel(work, server, seconds, clients)


def send_small_commands(server: int, place: Place, seconds: float, clients: int) -> Done:
    """Send NOOP on many connections, wait for the answers, and again; counts commands."""

    def work(begin: Begin) -> int:
        context = context_of(place)
        sessions = [Client(place, context) for _ in range(_SESSIONS_EACH)]
        count, until = 0, begin()
        while time.monotonic() < until or not count:
            for session in sessions:
                session.sock.sendall(b"n NOOP\r\n")
            for session in sessions:
                session.read_until(b"\r\n")
            count += len(sessions)
        return count

    return in_parallel(work, server, seconds, clients)


def fetch_much(server: int, place: Place, seconds: float, clients: int) -> Done:
    """Fetch the large message again and again; counts octets."""

    def work(begin: Begin) -> int:
        client = Client(place, context_of(place))
        client.ask(b"s SELECT INBOX\r\n", b"s ")
        buffer = bytearray(262_144)
        octets, until = 0, begin()
        while time.monotonic() < until or not octets:
            octets += client.fetch(buffer)
        return octets

    return in_parallel(work, server, seconds, clients)


def in_parallel(work: Callable[["Begin"], int], server: int | Sequence[int], seconds: float, clients: int) -> Done:
    """Run clients, and read the CPU of one server's processes, or of several; what they do before they call `begin` is not measured, nor what follows the last one's count."""
    servers = (server,) if isinstance(server, int) else tuple(server)
    barrier = _FORK.Barrier(clients + 1)
    pipes, processes = [], []
    with on_cores(cores()[1]):
        for _ in range(clients):
            receive, send = _FORK.Pipe(duplex=False)
            process = _FORK.Process(target=_run, args=(work, Begin(barrier, seconds), send))
            process.start()
            send.close()
            pipes.append(receive)
            processes.append(process)
        with suppress(BrokenBarrierError):  # why it broke is in a pipe
            barrier.wait(_TIMEOUT)
        before, begin = sum(map(cpu_seconds, servers)), time.monotonic()
        counts = [_result(pipe) for pipe in pipes]
        elapsed, spent = time.monotonic() - begin, sum(map(cpu_seconds, servers)) - before
    for process in processes:
        process.join()
    return Done(sum(counts), elapsed, spent)


@dataclass(frozen=True, slots=True)
class Begin:
    """Called by a client that is ready: waits for the others, and gives the time until which to go on."""

    barrier: Barrier
    seconds: float

    def __call__(self) -> float:
        """Wait for the others, and give the time until which to go on."""
        self.barrier.wait(_TIMEOUT)
        return time.monotonic() + self.seconds


def _run(work: Callable[[Begin], int], begin: Begin, answer: Connection) -> None:
    try:
        answer.send(work(begin))
    except (OSError, RuntimeError) as error:
        begin.barrier.abort()
        answer.send(f"{type(error).__name__}: {error}")


def _result(pipe: Connection) -> int:
    found = pipe.recv()
    if not isinstance(found, int):
        raise RuntimeError(f"a client failed: {found}")  # noqa: TRY004  it is not about types
    return found
