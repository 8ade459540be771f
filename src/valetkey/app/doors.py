"""Joins the doors for mail servers: their sockets, bound before anything runs, and what serves each in a worker."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from valetkey.app.door_settings import door_settings
from valetkey.app.http_door import open_http
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.listening import ALPN, bind_door
from valetkey.doors.asked.settings import Door, DoorKind, Settings
from valetkey.doors.courier.door import open_courier
from valetkey.doors.ldap.door import open_ldap
from valetkey.doors.postfix.policy import open_policy
from valetkey.doors.postfix.socketmap import open_socketmap
from valetkey.doors.radius.door import open_radius
from valetkey.doors.sasl.door import open_sasl
from valetkey.doors.saslauthd.door import open_saslauthd
from valetkey.doors.serve import CertificateFiles, Driver, ServerCertificates
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.ports import Ports

_LOOK_EVERY = 1.0  # seconds, at certificates

_Open = Callable[[Desk, Door, socket.socket], Awaitable[OpenDoor]]

_OPENERS: Mapping[DoorKind, _Open] = {
    DoorKind.HTTP: open_http,
    DoorKind.SASL: open_sasl,
    DoorKind.RADIUS: open_radius,
    DoorKind.POLICY: open_policy,
    DoorKind.SOCKETMAP: open_socketmap,
    DoorKind.SASLAUTHD: open_saslauthd,
    DoorKind.AUTHDAEMON: open_courier,
    DoorKind.LDAP: open_ldap,
}


@dataclass(frozen=True, slots=True)
class BoundDoors:
    """The doors of an installation with their sockets, which the workers share."""

    settings: Settings
    sockets: tuple[socket.socket, ...]

    def with_certificates(self, certificates: Sequence[CertificateFiles]) -> "BoundDoors":
        """Give the same with the certificates that doors with TLS show."""
        return replace(self, settings=replace(self.settings, certificates=tuple(certificates)))


def bind_doors(config: Config) -> BoundDoors:
    """Bind the socket of every door.

    Raises:
        CannotStart: A place is taken, or a peer's secret cannot be read; the text names it.
    """
    return bind_all(door_settings(config))


def bind_all(settings: Settings) -> BoundDoors:
    """Bind the socket of every door that these settings have.

    Raises:
        CannotStart: A place is taken; the text names it.
    """
    sockets: list[socket.socket] = []
    try:
        for door in settings.doors:
            sockets.append(bind_door(door))  # noqa: PERF401  what is bound is closed on failure
    except CannotStart:
        for sock in sockets:
            sock.close()
        raise
    return BoundDoors(settings, tuple(sockets))


async def serve_doors(
    bound: BoundDoors, ports: Ports, metrics: Metrics, ready: asyncio.Event, stop: asyncio.Event
) -> None:
    """Serve every door in this worker until `stop` is set; sets `ready` once all are open.

    Raises:
        CannotStart: A certificate cannot be used.
    """
    if not bound.settings.doors:
        ready.set()
        await stop.wait()
        return
    driver = Driver(asyncio.get_running_loop())
    certificates = _certificates(bound.settings)
    desk = Desk(bound.settings, ports, driver, metrics, certificates)
    metrics.watch("valetkey_door_connections", lambda: sum(each.connections for each in desk.open_to_streams))
    opened: list[OpenDoor] = []
    try:
        for door, sock in zip(bound.settings.doors, bound.sockets, strict=True):
            opened.append(await _OPENERS[door.kind](desk, door, sock))
        ready.set()
        while not stop.is_set():
            if certificates is not None:
                certificates.reload()
            await _wait(stop)
    finally:
        await asyncio.gather(*(door.end() for door in opened))
        driver.close()


async def _wait(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_EVERY):
            await stop.wait()
    except TimeoutError:
        return


def _certificates(settings: Settings) -> ServerCertificates | None:
    if not any(door.tls for door in settings.doors):
        return None
    if not settings.certificates:
        raise CannotStart("A [[door]] with tls needs a [[certificate]], and none is configured.")
    return ServerCertificates(settings.certificates, {"", *ALPN.values()})
