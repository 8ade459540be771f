"""`valetkey serve`: binds every socket, then runs the gateway's workers and the portal under the supervisor."""

import asyncio
import contextlib
import os
import pwd
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from valetkey import __version__
from valetkey.adapters.live_sessions import ControlSockets
from valetkey.app.closing import keep_telling
from valetkey.app.doors import BoundDoors, bind_doors, serve_doors
from valetkey.app.join import opened
from valetkey.app.local_ca import LocalCertificate, ensure_local_certificate
from valetkey.app.mailing import keep_sending, letterhead_of
from valetkey.app.notifying import tell_ready
from valetkey.app.one_site import OneSite
from valetkey.app.repeating import again_and_again
from valetkey.app.settings import (
    api_settings,
    certificates_of,
    gateway_settings,
    local_certificate,
    portal_urls,
    web_settings,
)
from valetkey.app.sockets import bind
from valetkey.app.supervisor import Run, Supervisor, Work
from valetkey.app.web_connections import CappedListener
from valetkey.app.web_server import ReloadingCertificate, WebServer, run_servers
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart
from valetkey.doors.api.app import create_api
from valetkey.doors.gateway import settings as gateway
from valetkey.doors.gateway.worker import bind_listeners, run_worker
from valetkey.doors.ops.app import create_ops
from valetkey.doors.ops.readiness import Watched
from valetkey.doors.serve import CertificateFiles
from valetkey.doors.serve.metrics import Metrics
from valetkey.doors.web.app import create_portal
from valetkey.service.ports import Ports
from valetkey.service.upkeep import every_minute

_log = structlog.get_logger()

_MINUTE = 60.0
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Bound:
    """Every socket of an installation, bound before anything starts."""

    gateway: list[socket.socket]
    doors: BoundDoors
    portal: list[socket.socket]
    portal_tls: list[socket.socket]
    ops: list[socket.socket]


def serve(
    config: Config,
    *,
    extra: Sequence[Work] = (),
    on_ready: Callable[[], None] = lambda: None,
    ends_on_hang_up: bool = False,
) -> None:
    """Run everything until SIGTERM or SIGINT.

    Args:
        config: The configuration.
        extra: Further children, such as the demo's mailbox.
        on_ready: Called once, when every child listens.
        ends_on_hang_up: Whether a closed terminal ends it too.

    Raises:
        CannotStart: A port is taken, a file is missing or not readable, the keys do not fit the store.
        Unavailable: The store cannot be asked.
    """
    settings = gateway_settings(config, None)
    bound = bind_all(config, settings)
    _become(config.server.user)  # what is made from here on belongs to that user
    local = local_certificate(config, datetime.now(UTC))
    settings = replace(settings, certificates=certificates_of(config, local))
    bound = replace(
        bound,
        doors=bound.doors.with_certificates([CertificateFiles(each.chain, each.key) for each in settings.certificates]),
    )
    _make_run_directory(config)
    asyncio.run(_try_to_open(config))
    workers = [
        Work(f"worker-{number}", _worker(config, settings, bound, str(number)))
        for number in range(1, config.server.workers + 1)
    ]

    def tell() -> None:
        ports = sorted({entry.listen.port for entry in config.listener})
        _log.info("ready", portal=portal_urls(config)[0], mail_ports=ports, workers=config.server.workers)
        with contextlib.suppress(OSError):  # a manager that does not listen ends us by itself, after its own time
            tell_ready(os.environ.get("NOTIFY_SOCKET"))
        on_ready()

    Supervisor(
        [*workers, Work("portal", _portal(config, bound, local)), *extra],
        on_ready=tell,
        ends_on_hang_up=ends_on_hang_up,
    ).run()
    _log.info("stopped")


def with_workers(config: Config, workers: int | None) -> Config:
    """Give the configuration with another number of workers."""
    return config if workers is None else replace(config, server=replace(config.server, workers=workers))


def bind_all(config: Config, settings: gateway.Settings) -> Bound:
    """Bind every socket.

    Raises:
        CannotStart: One is taken; the text names it.
    """
    portal = config.portal
    return Bound(
        gateway=bind_listeners(settings),
        doors=bind_doors(config),
        portal=bind(portal.listen, "the portal") if portal.listen else [],
        portal_tls=bind(portal.tls_listen, "the portal (HTTPS)") if portal.tls_listen else [],
        ops=bind(config.ops.listen, "the health listener") if config.ops.listen else [],
    )


async def _try_to_open(config: Config) -> None:
    """Open and close what every child will open, so that what is wrong is said once, and migrations run once."""
    async with opened(config):
        pass


def _worker(config: Config, settings: gateway.Settings, bound: Bound, name: str) -> Run:
    """Make the work of one worker: the gateway, and the doors for mail servers beside it."""

    async def run(stop: asyncio.Event, ready: Callable[[], None]) -> None:
        metrics, open_doors = Metrics(), asyncio.Event()
        async with opened(config) as ports:
            doors = asyncio.create_task(serve_doors(bound.doors, ports, metrics, open_doors, stop))
            doors.add_done_callback(lambda _: open_doors.set())  # also when it could not open them
            doors.add_done_callback(lambda _: stop.set())
            try:
                await open_doors.wait()
                await run_worker(settings, ports, bound.gateway, name, stop, ready, metrics)
            finally:
                stop.set()
                await doors

    return run


def _portal(config: Config, bound: Bound, local: LocalCertificate | None) -> Run:
    async def run(stop: asyncio.Event, ready: Callable[[], None]) -> None:
        async with opened(config) as ports:
            certificate = _portal_certificate(config, local) if bound.portal_tls else None
            tasks = [
                asyncio.create_task(_keep_tidy(ports)),
                asyncio.create_task(keep_telling(ports)),
                asyncio.create_task(keep_sending(ports, letterhead_of(config))),
            ]
            if certificate is not None:
                tasks.append(asyncio.create_task(certificate.follow()))
            if local is not None:
                tasks.append(asyncio.create_task(_renew(config)))
            try:
                portal = create_portal(ports, web_settings(config, local))
                await run_servers(_servers(config, bound, ports, portal, certificate), stop, ready)
            finally:
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    return run


def _servers(
    config: Config, bound: Bound, ports: Ports, portal: FastAPI, certificate: ReloadingCertificate | None
) -> list[tuple[WebServer, list[socket.socket]]]:
    stop = portal.state.portal.streams.stop
    site: ASGIApp = OneSite(portal, create_api(ports, api_settings(config))) if config.api.enabled else portal
    servers: list[tuple[WebServer, list[socket.socket]]] = []
    if bound.portal:
        servers.append((WebServer(site, on_stop=stop), _capped(config, bound.portal)))
    if certificate is not None:
        servers.append((WebServer(site, certificate, stop), _capped(config, bound.portal_tls)))
    if bound.ops:
        watched = Watched(ports, ControlSockets(config.server.run_directory), config.server.workers, __version__)
        servers.append((WebServer(create_ops(watched)), _capped(config, bound.ops)))
    return servers


def _capped(config: Config, bound: list[socket.socket]) -> list[socket.socket]:
    return [CappedListener(sock, config.portal.trusted_proxies) for sock in bound]


def _portal_certificate(config: Config, local: LocalCertificate | None) -> ReloadingCertificate:
    first = certificates_of(config, local)[0]
    try:
        return ReloadingCertificate(first.chain, first.key)
    except OSError as error:
        raise CannotStart(f"The certificate {first.chain} with the key {first.key} cannot be used: {error}.") from None


async def _keep_tidy(ports: Ports) -> None:

    async def tidy() -> None:
        lapsed = await every_minute(ports)
        if lapsed:
            _log.info("app_passwords_expired", count=lapsed)

    await again_and_again(tidy, _MINUTE, "upkeep_failed")


async def _renew(config: Config) -> None:
    """Renew the local certificate before it ends; everybody who uses it sees the new files."""

    async def renew() -> None:
        try:
            ensure_local_certificate(config.server.tls_directory, config.server.hostname, datetime.now(UTC))
        except CannotStart as error:
            _log.error("local_certificate_not_renewed", why=str(error))

    await again_and_again(renew, _DAY, "local_certificate_not_renewed")


def _make_run_directory(config: Config) -> None:
    directory = config.server.run_directory
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise CannotStart(f"The run directory {directory} cannot be made: {error.strerror}.") from None
    # Whoever can put a socket there answers for a worker, and says that a revocation has closed everything.
    if found.st_uid not in {0, os.geteuid()} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CannotStart(
            f"Others can write to the run directory {directory}. Mend it: chmod 700 {directory}, as its owner"
        )


def _become(user: str) -> None:
    """Become the configured user; nothing if that is who we are already."""
    if not user:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CannotStart(f"There is no system user {user} ([server] user).") from None
    if os.geteuid() == entry.pw_uid:
        return
    if os.geteuid() != 0:
        raise CannotStart(f"Only root can become {user} ([server] user). Start as root, or as {user}.")
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
