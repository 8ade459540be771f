"""All doors open at once, in one process and over one store, for three kinds of askers; and every way in through them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.doors import asking_as_client, asking_by_http, asking_by_ldap, asking_by_socket
from tests.doors.door_site import LOCALHOST, DoorSite, door, open_doors
from tests.doors.fake_upstreams import running_upstream
from tests.doors.gateway_site import QUICK as GATEWAY_QUICK
from tests.doors.gateway_site import GatewaySite, running_gateway, upstream
from tests.doors.ways_in import ALL_PROTOCOLS, EVERYTHING, PEER, SECRET, Asker, Way
from tests.verbs.site import House

from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import Door, DoorKind, Limits, Peer
from valetkey.doors.gateway.settings import Listener, TlsMode

WAYS: tuple[Way, ...] = (*asking_as_client.WAYS, *asking_by_http.WAYS, *asking_by_socket.WAYS, *asking_by_ldap.WAYS)

# Doors that decide no login; each has tests of its own.
DECIDES_NONE = {"socketmap": "tests/unit/doors/postfix/test_postfix_socketmap.py"}

AT_ONCE = Limits(failure_delay=0.0)
_PATIENCE = 60.0
_HERE, _ELSEWHERE = ip_network("127.0.0.1/32"), ip_network("192.0.2.0/24")
_SECRETS = {DoorKind.HTTP, DoorKind.RADIUS, DoorKind.LDAP}
_UNIX = {DoorKind.SASLAUTHD, DoorKind.AUTHDAEMON}
# The gateway's listeners stand behind a load balancer: one has ended the client's TLS, the other takes what comes.
_LISTENERS = {Asker.HOLDING: TlsMode.NONE, Asker.BARE: TlsMode.STARTTLS}


@dataclass
class Line:
    """A connection of somebody who asks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, octets: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # who has closed may have answered before
            self.writer.write(octets)
            await self.writer.drain()

    async def until(self, *starts: str) -> str:
        """Read lines up to one that starts so, and give it without its end; nothing if the connection ends before."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(_PATIENCE):  # `wait_for` would make a task of each line
                while line := await self.reader.readline():
                    if line.startswith(tuple(start.encode() for start in starts)):
                        return line.decode().rstrip("\r\n")
        return ""

    async def rest(self) -> bytes:
        """Read all up to the end."""
        found = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(_PATIENCE):
                while part := await self.reader.read(65_536):
                    found += part
        return found

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class EveryDoor:
    """The doors, and how to reach each."""

    house: House
    site: DoorSite
    gateway: GatewaySite
    places: Mapping[tuple[DoorKind, Asker], int]

    async def connect(self, kind: DoorKind, asker: Asker) -> Line:
        """Connect to a door as a mail server does."""
        number = self.places[kind, asker]
        path = self.site.doors[number].path
        if path is not None:
            return Line(*await asyncio.open_unix_connection(path))
        return Line(*await asyncio.open_connection(LOCALHOST, self.site.port(number)))

    def port(self, kind: DoorKind, asker: Asker) -> int:
        return self.site.port(self.places[kind, asker])

    def address(self, kind: DoorKind) -> tuple[socket.AddressFamily, Any]:
        """Give where a raw socket connects to, to reach a door as a listed mail server."""
        number = self.places[kind, Asker.HOLDING]
        path = self.site.doors[number].path
        return (socket.AF_UNIX, str(path)) if path else (socket.AF_INET, (LOCALHOST, self.site.port(number)))

    async def connect_gateway(self, protocol: MailProtocol, asker: Asker) -> Line:
        """Connect to the gateway, in the place of a load balancer."""
        return Line(*await asyncio.open_connection(LOCALHOST, self.gateway.port(protocol, _LISTENERS[asker])))

    def requests(self, name: str, *results: str) -> float:
        """Give how many requests of a door ended so, or in one of these ways."""
        counted = self.site.samples()
        return sum(counted.get(f"valetkey_door_requests_total {name} {result}", 0.0) for result in results)


def _peer(kind: DoorKind, asker: Asker) -> Peer:
    is_holding = asker is Asker.HOLDING
    return Peer(
        PEER,
        (_ELSEWHERE if asker is Asker.STRANGER else _HERE,),
        SECRET if kind in _SECRETS else "",
        holds=EVERYTHING if is_holding else frozenset(),
        tls_only=is_holding,
        master_user=asking_by_http.MASTER_USER,
        is_nginx=True,
    )


def _door(folder: Path, kind: DoorKind, asker: Asker) -> Door:
    one = door(kind, _peer(kind, asker), path=folder / f"{kind.value}-{asker.value}" if kind in _UNIX else None)
    if kind is DoorKind.AUTHDAEMON:
        return replace(one, login_user="nobody", mailbox="/var/mail/{domain}/{local_part}")
    return one


def _listeners() -> tuple[Listener, ...]:
    return tuple(
        Listener(
            protocol, LOCALHOST, 0, tls, proxy_peers=(_HERE,), tls_before=tls is TlsMode.NONE, plaintext_login=True
        )
        for protocol in ALL_PROTOCOLS
        for tls in _LISTENERS.values()
    )


@asynccontextmanager
async def open_every_door(
    folder: Path, house: House, *, kinds: tuple[DoorKind, ...], limits: Limits = AT_ONCE, **changes: Any
) -> AsyncIterator[EveryDoor]:
    """Open all doors; `changes` are of their `Settings`."""
    asked = [(kind, asker) for kind in kinds for asker in Asker if kind not in _UNIX or asker is not Asker.STRANGER]
    async with AsyncExitStack() as stack:
        fakes = {each: await stack.enter_async_context(running_upstream(each)) for each in MailProtocol}
        upstreams = {protocol: upstream(fake.port) for protocol, fake in fakes.items()}
        gateway_limits = replace(GATEWAY_QUICK, failure_delay=limits.failure_delay)
        gateway = await stack.enter_async_context(
            running_gateway(folder, upstreams, house=house, listeners=_listeners(), limits=gateway_limits)
        )
        doors = [_door(folder, kind, asker) for kind, asker in asked]
        settings = {"backends": asking_by_http.BACKENDS, "limits": limits} | changes
        site = await stack.enter_async_context(open_doors(folder, *doors, house=house, **settings))
        yield EveryDoor(house, site, gateway, {each: number for number, each in enumerate(asked)})
