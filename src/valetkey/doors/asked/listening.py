"""Listening for mail servers: stream sockets of TCP and of the file system, one coroutine for each connection."""

import asyncio
import errno
import grp
import os
import socket
import stat
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from valetkey.core.errors import CannotStart
from valetkey.core.network import Address
from valetkey.doors.asked.peers import peers_at
from valetkey.doors.asked.settings import Door, DoorKind, Limits, Peer
from valetkey.doors.serve import Driver, Link, LinkClosed, ServerCertificates, bind
from valetkey.doors.serve.accepting import address_of, bind_datagrams
from valetkey.service.faults import place_of
from valetkey.service.tallies import NOBODY_KNOWN

_log = structlog.get_logger("valetkey.doors")

_BACKLOG = 512
_PAUSE = 0.5  # seconds without accepting when there is no descriptor left
_END_WITHIN = 2.0
_LOOK_EVERY = 0.02  # seconds, while ending

# What a door does with one connection: talk until it ends. The peers are those that may ask from there, one at least.
Talk = Callable[[Link, tuple[Peer, ...]], Awaitable[None]]

# Is told of each connection that is closed at once: the peer's name, or NOBODY_KNOWN, and the address.
TurnedAway = Callable[[str, str], None]

# By ALPN (RFC 7301) nobody is led from another protocol to a door that has a name of its own there.
ALPN = {DoorKind.HTTP: "http/1.1"}


def bind_door(door: Door) -> socket.socket:
    """Bind the socket of a door: of datagrams for RADIUS, of streams for all others.

    Raises:
        CannotStart: The port or the place is taken or not ours to take; the text names it.
    """
    if door.kind is DoorKind.RADIUS:
        return bind_datagrams(door.host, door.port)
    if door.path is None:
        return bind(door.host, door.port)
    return _bind_unix(door.path, door.group)


class Listening:
    """Accepts the connections of one door."""

    def __init__(
        self,
        driver: Driver,
        door: Door,
        limits: Limits,
        talk: Talk,
        certificates: ServerCertificates | None = None,
        *,
        turned_away: TurnedAway = lambda *_: None,
    ) -> None:
        """Prepare. `certificates` are for a door with TLS, which begins at the first octet."""
        self._turned_away = turned_away
        self._driver = driver
        self._door = door
        self._limits = limits
        self._talk = talk
        self._certificates = certificates if door.tls else None
        self._sock: socket.socket | None = None
        self._talks: dict[asyncio.Task[None], Link] = {}
        # Each peer has its share, so that one that opens too many keeps no other out.
        self._most_each = max(1, limits.connections // max(1, len(door.peers)))
        self._open: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._talks)

    def start(self, sock: socket.socket) -> None:
        """Accept on a socket from `bind_door`."""
        self._sock = sock
        self._driver.loop.add_reader(sock.fileno(), self._accept)

    async def end(self) -> None:
        """Accept no more, and end what runs: answers that are due have a moment."""
        self._pause()
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        latest = self._driver.loop.time() + _END_WITHIN
        while self._talks and self._driver.loop.time() < latest:
            for link in [link for link in self._talks.values() if link.is_reading]:
                link.close("shutdown")
            await asyncio.wait(self._talks, timeout=_LOOK_EVERY)
        late = tuple(self._talks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _pause(self) -> None:
        if self._sock is not None:
            self._driver.loop.remove_reader(self._sock.fileno())

    def _go_on(self) -> None:
        if self._sock is not None:
            self._driver.loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        """Accept one: workers share the socket."""
        if self._sock is None:
            return
        try:
            client, place = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            _log.error("cannot_accept", door=self._door.name, why=errno.errorcode.get(error.errno or 0, "unknown"))
            self._pause()
            self._driver.loop.call_later(_PAUSE, self._go_on)
            return
        client.setblocking(False)
        address: Address | None = None if self._door.path else address_of(str(place[0]).partition("%")[0])
        peers = peers_at(self._door, address)
        if not peers or self._open[peers[0].name] >= self._most_each:
            why = "too many connections" if peers else "not a listed peer"
            _log.warning("turned_away", door=self._door.name, place=self._door.place, address=str(address), why=why)
            self._turned_away(peers[0].name if peers else NOBODY_KNOWN, str(address or ""))
            client.close()
            return
        link = Link(self._driver, client)
        task = self._driver.loop.create_task(self._serve(link, peers))
        self._talks[task] = link
        self._open[peers[0].name] += 1
        task.add_done_callback(partial(self._forget, peers[0].name))

    async def _serve(self, link: Link, peers: tuple[Peer, ...]) -> None:
        """Lead one connection. What goes wrong costs this connection and no other."""
        try:
            if self._certificates is not None:
                await self._begin_tls(link, self._certificates)
            await self._talk(link, peers)
        except LinkClosed as closed:
            _log.debug("connection_ended", door=self._door.name, why=str(closed))
        except Exception as bug:  # noqa: BLE001  a bug costs this connection and no other
            _log.error("door_failed", door=self._door.name, bug=place_of(bug))
        finally:
            await link.finish("over")

    async def _begin_tls(self, link: Link, certificates: ServerCertificates) -> None:
        protocol = ALPN.get(self._door.kind, "")
        link.limit(self._driver.loop.time() + self._limits.request, "handshake too slow")
        await link.serve_tls(certificates.context(protocol))
        link.unlimit()
        if not certificates.may_speak(link.sock, protocol):
            raise LinkClosed("another protocol is wanted by ALPN")

    def _forget(self, peer: str, task: asyncio.Task[None]) -> None:
        self._talks.pop(task, None)
        self._open[peer] -= 1


def _bind_unix(path: Path, group: str) -> socket.socket:
    """Listen at a path, in the place of a socket that nobody serves any more.

    The socket comes to its place with its rights set, so that nobody connects before they hold.
    """
    _require_free(path)
    passing = path.with_name(f"{path.name}.new")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            passing.unlink()
        sock.bind(str(passing))
        if group and passing.stat().st_gid != (number := _group_id(group)):  # a folder may have given it already
            os.chown(passing, -1, number)
        passing.chmod(0o660 if group else 0o600)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        passing.rename(path)
    except OSError as error:
        sock.close()
        with suppress(OSError):
            passing.unlink()
        raise CannotStart(_why(path, error)) from None
    except CannotStart:
        sock.close()
        passing.unlink()
        raise
    return sock


def _require_free(path: Path) -> None:
    try:
        found = path.lstat()
    except OSError:
        return  # not there, or the bind itself will say what is wrong
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotStart(f"{path} is there and is no socket. Move it away, or choose another path.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(1.0)
        try:
            knocking.connect(str(path))
        except OSError:
            return
    raise CannotStart(f"The socket {path} is in use by another program. Stop it, or choose another path.")


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise CannotStart(f"There is no system group {group} ([[door]] socket_group).") from None


def _why(path: Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            return f"The socket {path} cannot be made: there is no folder {path.parent}."
        case errno.EACCES | errno.EPERM:
            return f"The socket {path} cannot be made, or given to its group, by this user. Start as root."
        case _:
            return f"The socket {path} cannot be made: {error.strerror or error}."
