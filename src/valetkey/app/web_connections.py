"""What one visitor of the portal can hold: so many connections per network, each with a deadline at every step.

uvicorn waits for ever for the first byte of a request and for a peer that takes nothing; whoever opened a thousand
connections and said nothing would keep everybody else out.
"""

import socket
from asyncio import TimerHandle, Transport
from asyncio.sslproto import SSLProtocol
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from valetkey.core.network import Network, contains, throttle_network
from valetkey.doors.http.long_answers import KEEP_OPEN
from valetkey.doors.serve.accepting import address_of

PER_NETWORK = 200  # connections of one /24 or /56; a browser opens six
IN_ALL = 2000  # of one listener
_TLS_BUFFER = 32 * 1024  # octets; a record has 16 KiB at most
_TO_ASK = 20.0  # seconds for the head of a request, from connecting or from the answer before
_TO_ANSWER = 60.0  # seconds from the head of a request to the last octet of its answer, taken by the peer; a stream
# of events has so long from one event to the next


class CappedListener(socket.socket):
    """A listening socket that turns away who holds too many connections already, before any handshake."""

    def __init__(
        self, bound: socket.socket, exempt: Sequence[Network], *, per_network: int = PER_NETWORK, in_all: int = IN_ALL
    ) -> None:
        """Take over a bound socket. Networks in `exempt` are proxies, which connect for everybody."""
        super().__init__(bound.family, bound.type, bound.proto, fileno=bound.detach())
        self.setblocking(False)
        self._per_network = per_network
        self._in_all = in_all
        self._exempt = tuple(exempt)
        self._open: Counter[Network] = Counter()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept one connection.

        Raises:
            BlockingIOError: Nobody waits.
            ConnectionAbortedError: Who waited was turned away.
        """
        taken, place = super().accept()
        address = address_of(place[0].partition("%")[0])
        if contains(self._exempt, address):
            return taken, place
        network = throttle_network(address)
        # Counted here and not in the protocol, which begins only after the handshake of TLS.
        if self._open[network] >= self._per_network or self._open.total() >= self._in_all:
            taken.close()
            raise ConnectionAbortedError
        self._open[network] += 1
        return _Counted(taken, lambda: self._left(network)), place

    def _left(self, network: Network) -> None:
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]


class _Counted(socket.socket):
    """A connection that says once when it is closed."""

    def __init__(self, taken: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(taken.family, taken.type, taken.proto, fileno=taken.detach())
        self._on_close: Callable[[], None] | None = on_close

    def close(self) -> None:
        on_close, self._on_close = self._on_close, None
        super().close()
        if on_close is not None:
            on_close()


class HurriedProtocol(H11Protocol):
    """HTTP/1.1 whose every wait has a deadline; a connection that misses one is cut off."""

    to_ask = _TO_ASK
    to_answer = _TO_ANSWER
    _deadline: TimerHandle | None = None
    _asked: object = None  # the request that the deadline is for

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect(self.to_ask)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; the head of a request begins its own time, single octets of it do not."""
        super().data_received(data)
        self._look_at_request()

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with one that waits already."""
        self._expect(self.to_ask)
        super().on_response_complete()
        self._look_at_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _look_at_request(self) -> None:
        if self.cycle is not self._asked:
            self._asked = self.cycle
            self._expect(self.to_answer)
            # Its task has not begun to run, so it finds this in its scope.
            extensions: dict[str, Any] = {KEEP_OPEN: partial(self._keep_open, self.cycle)}
            self.scope["extensions"] = extensions

    def _keep_open(self, asked: object) -> None:
        """Renew the deadline of an answer that goes on for long, such as a stream of events, before each piece of it."""
        if self.cycle is asked:
            self._expect(self.to_answer)

    def _expect(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        # Not closed but cut off: closing would wait for the peer to take what is left.
        self._deadline = self.loop.call_later(seconds, self.transport.abort)


def be_frugal() -> None:
    """Let a TLS connection cost little before it has said anything: asyncio sets 256 KiB aside for each."""
    SSLProtocol.max_size = _TLS_BUFFER
