"""After the login: octets go from socket to socket in callbacks, as they are.

A relay keeps no buffer while it is idle: it reads into the worker's one shared buffer and sends from there at once. Only
what a slow peer does not take is copied, and until it has taken it the other side is not read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_WR

from valetkey.doors.serve.link import BLOCKED, LARGE_READ_SIZE, READ_SIZE, Driver, Link, describe

# The most that one TLS record carries (RFC 8446 5.1); a full one says that more is likely behind it.
_RECORD = 16384
_NOTHING = memoryview(b"")
LAST_ANSWERS = 2.0  # seconds for answers on their way to a client that has said all
UPSTREAM_CLOSED = "the upstream closed the connection"


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How long a session may be silent, and how long a peer may take nothing; seconds."""

    idle: float
    send: float


class Relay(ABC):
    """Two links after login, until one of them ends."""

    __slots__ = ("_is_over", "_loop", "_moved", "_moved_at", "_on_end", "client", "server")

    def __init__(self, driver: Driver, client: Link, server: Link, on_end: Callable[["Relay", str], None]) -> None:
        self._loop = driver.loop
        self._on_end = on_end
        self._is_over = False
        self._moved = -1
        self._moved_at = 0.0
        self.client = client
        self.server = server

    @abstractmethod
    def start(self, from_client: bytes, from_server: bytes) -> None:
        """Begin, with what either side has sent behind the login."""

    @property
    @abstractmethod
    def octets(self) -> int:
        """Octets read so far, from both sides."""

    @property
    @abstractmethod
    def _is_stuck(self) -> bool:
        """Whether a peer does not take what is there for it, or has said that it will send no more."""

    def end(self, reason: str) -> None:
        """Close both sides. Called once or more; only the first counts."""
        if self._is_over:
            return
        self._is_over = True
        self._part_from_client(reason)
        self.server.close(reason)
        self._on_end(self, reason)
        self._let_go()

    def dismiss(self, reason: str) -> None:
        """End because we want so; the client is told where a word can be put between what the upstream says."""
        self.end(reason)

    def _part_from_client(self, reason: str) -> None:
        self.client.close(reason)

    @abstractmethod
    def _let_go(self) -> None:
        """Let go of what holds this relay, so that it need not wait for the garbage collector."""

    def look(self, now: float, limits: RelayLimits) -> None:
        """End the relay if nothing moved for too long; called every second or so. `now` is the loop's time."""
        octets = self.octets
        if octets != self._moved:
            self._moved, self._moved_at = octets, now
        elif now - self._moved_at > (limits.send if self._is_stuck else limits.idle):
            if self._is_stuck:
                self.end("stuck")
            else:
                self.dismiss("idle")


class RawRelay(Relay):
    """Passes octets on as they are."""

    __slots__ = ("_down", "_up")

    def __init__(self, driver: Driver, client: Link, server: Link, on_end: Callable[[Relay, str], None]) -> None:
        super().__init__(driver, client, server, on_end)
        self._up = _Way(self, driver, client, server)
        self._down = _Way(self, driver, server, client)

    def start(self, from_client: bytes, from_server: bytes) -> None:
        """Begin, with what either side has sent behind the login."""
        self._up.start(from_client)
        self._down.start(from_server)

    @property
    def octets(self) -> int:
        """Octets read so far, from both sides."""
        return self._up.octets + self._down.octets

    @property
    def _is_stuck(self) -> bool:
        return self._up.is_stuck or self._down.is_stuck

    def _let_go(self) -> None:
        self._up.let_go()
        self._down.let_go()

    def passed_all(self, way: "_Way") -> None:
        """Go on where one side has said all, and the other side has got it."""
        if way is self._down or self._down.has_ended:
            self.end(UPSTREAM_CLOSED if way is self._down else "closed")
        elif self.server.is_tls:
            # TLS has no half-closed state that OpenSSL could wait in, so answers on their way get a moment.
            self._loop.call_later(LAST_ANSWERS, self.end, "closed")
        else:
            with suppress(OSError):
                self.server.sock.shutdown(SHUT_WR)


class _Way:
    """One direction of a raw relay."""

    __slots__ = (
        "_buffer",
        "_held",
        "_is_tls",
        "_loop",
        "_receive",
        "_relay",
        "_send",
        "_size",
        "_source",
        "_target",
        "has_ended",
        "octets",
    )

    def __init__(self, relay: RawRelay, driver: Driver, source: Link, target: Link) -> None:
        self._relay: RawRelay | None = relay
        self._loop = driver.loop
        self._source = source.fd
        self._target = target.fd
        self._buffer = driver.buffer
        self._receive = source.sock.recv_into
        self._send = target.sock.send
        self._is_tls = source.is_tls
        self._size = READ_SIZE if source.is_tls else LARGE_READ_SIZE
        self._held = _NOTHING
        self.has_ended = False
        self.octets = 0

    @property
    def is_stuck(self) -> bool:
        """Whether the target does not take what is there for it, or the source has said all."""
        return self.has_ended or bool(self._held)

    def start(self, first: bytes) -> None:
        """Watch the source; `first` was read before."""
        if first:
            self._hold(first)
        else:
            self._loop.add_reader(self._source, self._on_readable)

    def let_go(self) -> None:
        """Forget the relay, which is over."""
        self._relay = None
        self.has_ended = True

    def _break(self, error: OSError) -> None:
        if self._relay is not None:
            self._relay.end(describe(error))

    def _on_readable(self) -> None:
        try:
            count = self._receive(self._buffer, self._size)
            if count == _RECORD and self._is_tls:
                count = self._fill(count)
        except BLOCKED:
            # Where OpenSSL has to write first it does so with the next octets that go its way.
            return
        except OSError as error:
            self._break(error)
            return
        if count:
            self.octets += count
            self._pass_on(count)
        else:
            self._end()

    def _fill(self, count: int) -> int:
        """Read on while full records come and another one fits, so that none stays behind in OpenSSL."""
        with suppress(*BLOCKED):
            while count + _RECORD <= self._size:
                more = self._receive(self._buffer[count:], _RECORD)
                count += more
                if more == 0:
                    self._loop.call_soon(self._end)
                if more < _RECORD:
                    break
        return count

    def _pass_on(self, count: int) -> None:
        sent = 0
        try:
            while sent < count:
                sent += self._send(self._buffer[sent:count])
        except BLOCKED:
            self._hold(bytes(self._buffer[sent:count]))
        except OSError as error:
            self._break(error)

    def _hold(self, rest: bytes) -> None:
        """Keep what the target does not take now, and read no more until it has taken it."""
        self._held = memoryview(rest)  # taken piece by piece, and not to be copied for each
        self._loop.remove_reader(self._source)
        self._loop.add_writer(self._target, self._on_writable)

    def _on_writable(self) -> None:
        try:
            self._held = self._held[self._send(self._held) :]
        except BLOCKED:
            return
        except OSError as error:
            self._break(error)
            return
        if self._held:
            return
        self._held = _NOTHING
        self._loop.remove_writer(self._target)
        if self.has_ended:
            self._pass_end_on()
        else:
            self._loop.add_reader(self._source, self._on_readable)

    def _end(self) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        self._loop.remove_reader(self._source)
        if not self._held:
            self._pass_end_on()

    def _pass_end_on(self) -> None:
        if self._relay is not None:
            self._relay.passed_all(self)
