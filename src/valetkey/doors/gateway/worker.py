"""One worker process of the gateway: its listeners, its sessions, and the ticks that keep them true."""

import asyncio
import gc
import socket
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from valetkey.core.errors import CannotStart, Unavailable
from valetkey.doors.gateway.announcing import Announcements
from valetkey.doors.gateway.control import ControlDoor
from valetkey.doors.gateway.desk import Desk
from valetkey.doors.gateway.filtered_relay import farewells
from valetkey.doors.gateway.learning import look_at_upstreams
from valetkey.doors.gateway.live import LiveRegistry
from valetkey.doors.gateway.machines import ALPN
from valetkey.doors.gateway.relay import RelayLimits
from valetkey.doors.gateway.session import Session
from valetkey.doors.gateway.settings import Listener, Settings, TlsMode
from valetkey.doors.gateway.standing import ServerStandings
from valetkey.doors.gateway.upstream import Upstreams
from valetkey.doors.serve import Accepted, AcceptLimits, Acceptor, CertificateFiles, Driver, ServerCertificates, bind
from valetkey.doors.serve.descriptors import raise_file_limit
from valetkey.doors.serve.link import every
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.faults import place_of
from valetkey.service.ports import Ports

_log = structlog.get_logger("valetkey.gateway")

_FOLLOW_EVERY = 0.2  # seconds; revocation closes live sessions within one
_LOOK_EVERY = 1.0  # at certificates and at silent sessions
_END_WITHIN = 3.0
_COLLECT_AFTER = (20_000, 20, 20)


def bind_listeners(settings: Settings) -> list[socket.socket]:
    """Bind every listener of the settings, in their order; the workers share the sockets.

    Raises:
        CannotStart: A port is in use, or may not be opened; the message names it.
    """
    sockets: list[socket.socket] = []
    try:
        for listener in settings.listeners:
            sockets.append(bind(listener.host, listener.port))  # noqa: PERF401  what is bound is closed on failure
    except CannotStart:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def run_worker(  # noqa: PLR0917  the signature that the supervisor knows
    settings: Settings,
    ports: Ports,
    sockets: Sequence[socket.socket],
    name: str,
    stop: asyncio.Event,
    ready: Callable[[], None],
    metrics: Metrics | None = None,
) -> None:
    """Serve on `sockets` (from `bind_listeners`) until `stop` is set; calls `ready` once connections are accepted.

    Raises:
        CannotStart: Certificates, a CA file, the store or the control socket are not usable.
    """
    worker = _Worker(settings, ports, name, metrics or Metrics())
    try:
        worker.start(sockets)
        ready()
        await stop.wait()
    finally:
        await worker.end()


class _Worker:
    def __init__(self, settings: Settings, ports: Ports, name: str, metrics: Metrics) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._limits = RelayLimits(settings.limits.idle, settings.limits.send)
        self._stops: list[Callable[[], None]] = []
        self._looking: asyncio.Task[None] | None = None
        driver = Driver(loop)
        upstreams = Upstreams(settings, driver)
        limits = AcceptLimits(settings.limits.connections, settings.limits.waiting_per_network)
        self._desk = Desk(
            worker=name,
            settings=settings,
            ports=ports,
            driver=driver,
            certificates=_certificates(settings),
            acceptor=Acceptor(loop, limits),
            upstreams=upstreams,
            announcements=Announcements(upstreams.by_protocol, settings.limits.message_size),
            live=_live(ports),
            metrics=metrics,
        )
        self._control = ControlDoor(
            driver,
            settings.run_directory,
            name,
            live=self._desk.live,
            metrics=self._desk.metrics,
            standings=ServerStandings(settings, upstreams, self._desk.live),
        )

    def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept."""
        desk = self._desk
        raise_file_limit(2 * desk.settings.limits.connections)  # each has one to its upstream
        _spare_the_collector()
        self._watch_gauges()
        for listener, sock in zip(desk.settings.listeners, sockets, strict=True):
            desk.acceptor.listen(sock, partial(self._begin, listener))
        desk.acceptor.start()
        self._looking = self._loop.create_task(look_at_upstreams(desk.upstreams, desk.announcements))
        self._stops.append(every(self._loop, _FOLLOW_EVERY, self._follow))
        shortest = min(_LOOK_EVERY, self._limits.idle / 4, self._limits.send / 4)
        self._stops.append(every(self._loop, shortest, self._look))
        if desk.certificates is not None:
            self._stops.append(every(self._loop, _LOOK_EVERY, desk.certificates.reload))

    async def end(self) -> None:
        """Stop accepting, say goodbye where words can be said, and close everything."""
        desk = self._desk
        for stop in self._stops:
            stop()
        desk.acceptor.stop()
        for session in self._sessions.values():
            session.shut_down()
        for relay in list(desk.relays):
            relay.dismiss("shutdown")
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._control.close()
        if farewells:
            await asyncio.wait(farewells, timeout=_END_WITHIN)
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=_END_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        desk.driver.close()

    def _begin(self, listener: Listener, accepted: Accepted) -> None:
        session = Session(self._desk, listener, accepted)
        task = self._loop.create_task(session.run())
        self._sessions[task] = session
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._sessions[task]
        if not task.cancelled() and (bug := task.exception()) is not None:
            _log.error("session_failed", bug=place_of(bug))

    def _follow(self) -> None:
        try:
            self._desk.live.follow()
        except Exception as bug:  # noqa: BLE001  following never stops: the next tick tries again
            _log.error("follow_failed", bug=place_of(bug))

    def _look(self) -> None:
        now = self._loop.time()
        for relay in list(self._desk.relays):
            relay.look(now, self._limits)

    def _watch_gauges(self) -> None:
        desk = self._desk
        desk.metrics.watch("valetkey_live_sessions", lambda: len(desk.live))
        desk.metrics.watch("valetkey_waiting_connections", lambda: desk.acceptor.waiting)
        desk.metrics.watch("valetkey_connections", lambda: desk.acceptor.connections)
        desk.metrics.watch("valetkey_turned_away_total", lambda: desk.acceptor.turned_away)


def _certificates(settings: Settings) -> ServerCertificates | None:
    protocols = {ALPN[each.protocol] for each in settings.listeners if each.tls is not TlsMode.NONE}
    if not protocols:
        return None
    if not settings.certificates:
        raise CannotStart("A listener with TLS needs a certificate, and none is configured.")
    return ServerCertificates([CertificateFiles(each.chain, each.key) for each in settings.certificates], protocols)


def _live(ports: Ports) -> LiveRegistry:
    try:
        return LiveRegistry(ports)
    except Unavailable as error:
        raise CannotStart(f"The store cannot be read: {error}") from None


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking, at every few logins, over all that lives as long as the process.

    Sessions free themselves by reference counts; what little goes round in circles may wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
