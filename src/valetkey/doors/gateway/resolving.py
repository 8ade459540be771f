"""Where the upstreams' names point to. The last good answer is used while DNS fails or is slow.

At most one lookup of a name is under way, in a thread of its own: the system's resolver cannot be called off, and must not
keep others waiting, nor the end of the process.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Thread
from time import monotonic

Address = tuple[socket.AddressFamily, str]
LookUp = Callable[[str], Sequence[Address]]

_KEPT = 30.0  # seconds until a name is looked up again, beside its use
_AGAIN = 1.0  # seconds until a lookup that failed is tried again


def look_up(host: str) -> Sequence[Address]:
    """Ask the system's resolver; this may take its time.

    Raises:
        OSError: There is no answer.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found))


@dataclass(slots=True)
class _Name:
    addresses: Sequence[Address] = ()
    due_at: float = float("-inf")
    asking: asyncio.Future[None] | None = None


class Resolver:
    """Looks up the names of upstreams; as many are kept as the configuration has."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ask: LookUp = look_up) -> None:
        self._loop = loop
        self._look_up = ask
        self._names: dict[str, _Name] = {}

    async def addresses(self, host: str, seconds: float) -> Sequence[Address]:
        """Give the addresses of a host, which may be an address itself; none if nothing is known of it in time.

        Args:
            host: The host.
            seconds: How long to wait for the first answer; with one known nobody waits.
        """
        name = self._names.get(host) or self._begin(host)
        if name.asking is None and monotonic() >= name.due_at:
            self._ask(host, name)
        if not name.addresses and name.asking is not None:
            with suppress(TimeoutError):
                # Shielded: others wait for the same answer.
                await asyncio.wait_for(asyncio.shield(name.asking), seconds)
        return name.addresses

    def _begin(self, host: str) -> _Name:
        literal = _literal(host)
        self._names[host] = name = _Name() if literal is None else _Name([literal], float("inf"))
        return name

    def _ask(self, host: str, name: _Name) -> None:
        name.asking = self._loop.create_future()
        try:
            Thread(target=self._look, args=(host, name), name=f"resolve {host}", daemon=True).start()
        except RuntimeError:  # no thread to be had
            self._note(name, ())

    def _look(self, host: str, name: _Name) -> None:
        found: Sequence[Address] = ()
        with suppress(OSError, UnicodeError):  # UnicodeError: a name that DNS could not carry
            found = self._look_up(host)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._note, name, found)

    def _note(self, name: _Name, found: Sequence[Address]) -> None:
        name.addresses = found or name.addresses
        name.due_at = monotonic() + (_KEPT if found else _AGAIN)
        asking, name.asking = name.asking, None
        if asking is not None and not asking.done():
            asking.set_result(None)


def _literal(host: str) -> Address | None:
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    return (socket.AF_INET if version == 4 else socket.AF_INET6), host  # noqa: PLR2004  IP's version
