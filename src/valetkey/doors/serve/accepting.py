"""Listening sockets: binding them, accepting within bounds, counting who waits."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog

from valetkey.core.errors import CannotStart
from valetkey.core.network import Address, Network, canonical_address, throttle_network

_log = structlog.get_logger(__name__)

_BACKLOG = 1024
# Of datagrams that wait to be read, each of which costs the system some 700 octets at least. It gives as much as
# net.core.rmem_max permits, twice over.
_DATAGRAMS_KEPT = 4 * 1024 * 1024
# Who connects connects again: parsing an address costs more than finding it.
_KNOWN_ADDRESSES = 4096
_network_of = lru_cache(_KNOWN_ADDRESSES)(throttle_network)
address_of = lru_cache(_KNOWN_ADDRESSES)(canonical_address)
_PAUSE = 0.5  # when the process has no file descriptors left


@dataclass(frozen=True, slots=True)
class AcceptLimits:
    """How many connections one worker holds."""

    connections: int
    waiting_per_network: int


def bind(host: str, port: int) -> socket.socket:
    """Bind one listening socket, IPv4 or IPv6; an empty host is every address of this machine, of both kinds.

    Raises:
        CannotStart: The port is in use, is not ours to take, or the address is not this machine's.
    """
    wanted = host or "every address"
    host, family = _place(host)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        # Accepted sockets inherit both.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise CannotStart(_why(wanted, port, error)) from None
    return sock


def bind_datagrams(host: str, port: int) -> socket.socket:
    """Bind one socket of UDP, as `bind` does one that listens.

    Raises:
        CannotStart: The port is in use, is not ours to take, or the address is not this machine's.
    """
    wanted = host or "every address"
    host, family = _place(host)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _DATAGRAMS_KEPT)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise CannotStart(_why(wanted, port, error)) from None
    return sock


def _place(host: str) -> tuple[str, socket.AddressFamily]:
    host = host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104  every address was asked for
    return host, socket.AF_INET6 if ":" in host else socket.AF_INET


def _why(host: str, port: int, error: OSError) -> str:
    where = f"Port {port} on {host}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is in use by another program. Stop it, or choose another port."
        case errno.EACCES:
            return f"{where} may not be opened by this user: ports below 1024 need CAP_NET_BIND_SERVICE."
        case errno.EADDRNOTAVAIL:
            return f"{where} cannot be opened: this machine has no such address."
        case _:
            return f"{where} cannot be opened: {os.strerror(error.errno) if error.errno else error}."


@dataclass(frozen=True, slots=True)
class Accepted:
    """A connection as it was accepted; behind a proxy the client's own address is not yet known."""

    sock: socket.socket
    address: Address
    port: int


class Acceptor:
    """Accepts on the listening sockets of a worker, and counts its connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: AcceptLimits) -> None:
        self._loop = loop
        self._limits = limits
        self._listening: dict[socket.socket, Callable[[Accepted], None]] = {}
        self._waiting: dict[Network, int] = {}
        self._is_accepting = False
        self.connections = 0
        self.turned_away = 0

    def listen(self, sock: socket.socket, begin: Callable[[Accepted], None]) -> None:
        """Have `begin` called with each connection of a listening socket; `left` is to be called at its end."""
        self._listening[sock] = begin

    def start(self) -> None:
        """Accept."""
        if self._is_accepting:
            return
        self._is_accepting = True
        for sock, begin in self._listening.items():
            self._loop.add_reader(sock.fileno(), self._accept, sock, begin)

    def pause(self) -> None:
        """Accept no more; the kernel, and other workers, keep those who knock."""
        self._is_accepting = False
        for sock in self._listening:
            self._loop.remove_reader(sock.fileno())

    def stop(self) -> None:
        """Accept no more, for good, and close the listening sockets of this process."""
        self.pause()
        for sock in self._listening:
            sock.close()
        self._listening.clear()

    def may_wait(self, address: Address) -> bool:
        """Count one more that has not yet logged in from this address; False if its network has too many."""
        network = _network_of(address)
        count = self._waiting.get(network, 0)
        if count >= self._limits.waiting_per_network:
            self.turned_away += 1
            return False
        self._waiting[network] = count + 1
        return True

    def waits_no_more(self, address: Address) -> None:
        """Count one less that has not yet logged in: it has, or it is gone."""
        network = _network_of(address)
        count = self._waiting.get(network, 0) - 1
        if count > 0:
            self._waiting[network] = count
        else:
            self._waiting.pop(network, None)

    @property
    def waiting(self) -> int:
        """How many have not yet logged in."""
        return sum(self._waiting.values())

    def left(self) -> None:
        """Count one connection less."""
        self.connections -= 1
        if not self._is_accepting and self._listening and self.connections < self._limits.connections:
            self.start()

    def _accept(self, sock: socket.socket, begin: Callable[[Accepted], None]) -> None:
        """Accept one: workers share the sockets, and the one that wakes first must not take everything."""
        if self.connections >= self._limits.connections:
            _log.warning("too_many_connections", connections=self.connections)
            self.pause()
            return
        try:
            client, place = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._rest(error)
            return
        client.setblocking(False)
        self.connections += 1
        begin(Accepted(client, address_of(place[0].partition("%")[0]), place[1]))

    def _rest(self, error: OSError) -> None:
        """Stop for a moment: no file descriptors or no memory are left, and asking at once again would not help."""
        _log.error("cannot_accept", why=errno.errorcode.get(error.errno or 0, "unknown"))
        self.pause()
        self._loop.call_later(_PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._listening:
            self.start()


def is_listed(address: Address, peers: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the listed networks."""
    return any(address in network for network in peers)
