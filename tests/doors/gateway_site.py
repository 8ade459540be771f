"""A gateway worker on localhost for tests: real store, real TLS, real sockets; upstreams as the test wants."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.servers.certificates import CertificateAuthority
from tests.verbs.site import House, Person

from valetkey.adapters.live_sessions import ControlSockets
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.doors.gateway.settings import (
    Certificate,
    Domain,
    Limits,
    Listener,
    Settings,
    TlsMode,
    Upstream,
    UpstreamLogin,
)
from valetkey.doors.gateway.worker import bind_listeners, run_worker

LOCALHOST = "127.0.0.1"
QUICK = Limits(failure_delay=0.05)
_PATIENCE = 30.0  # seconds; a machine may stand still for some
_NAMES = itertools.count(1)
DOMAIN = "example.org"


def replaced(permissions: Sequence[Permission], *protocols: MailProtocol) -> Scope:
    """Give a scope of exactly these permissions, for these protocols or all."""
    return Scope(PermissionMode.REPLACE, frozenset(permissions), frozenset(protocols or MailProtocol))


def listeners(**changes: Any) -> tuple[Listener, ...]:
    """Give a listener of each protocol with each way of TLS."""
    return tuple(
        Listener(protocol, LOCALHOST, 0, tls, **changes)
        for protocol in MailProtocol
        for tls in (TlsMode.IMPLICIT, TlsMode.STARTTLS)
    )


def upstream(port: int, **changes: Any) -> Upstream:
    """Give an upstream on localhost with a master user, without TLS unless said otherwise."""
    given = {
        "tls": TlsMode.NONE,
        "login": UpstreamLogin.MASTER_USER,
        "master_user": "gateway",
        "master_secret": "master secret",
    }
    return Upstream(host=LOCALHOST, port=port, **(given | changes))


@dataclass
class GatewaySite:
    """A running worker and what its clients need."""

    house: House
    settings: Settings
    authority: CertificateAuthority
    ports: Mapping[tuple[MailProtocol, TlsMode], int]
    control: ControlSockets
    name: str
    stop: asyncio.Event
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def port(self, protocol: MailProtocol, tls: TlsMode = TlsMode.IMPLICIT) -> int:
        return self.ports[protocol, tls]

    async def connect(
        self, protocol: MailProtocol, tls: TlsMode = TlsMode.IMPLICIT, *, name: str = "localhost"
    ) -> "Talk":
        """Connect as a client; with TLS at once where the listener has it."""
        context = self.authority.client_context() if tls is TlsMode.IMPLICIT else None
        reader, writer = await asyncio.open_connection(
            LOCALHOST, self.port(protocol, tls), ssl=context, server_hostname=name if context else None
        )
        self.writers.append(writer)
        return Talk(reader, writer)

    async def samples(self) -> dict[str, float]:
        """Give the worker's counters, with their labels' values in the name."""
        (found,) = (await self.control.samples()).values()
        return {" ".join((each.name, *each.labels.values())): each.value for each in found}


@dataclass
class Talk:
    """A client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def line(self) -> str:
        async with asyncio.timeout(_PATIENCE):  # `wait_for` would make a task of each line
            return (await self.reader.readline()).decode()

    async def until(self, start: str) -> str:
        """Read lines up to one that starts so; gives that one."""
        while line := await self.line():
            if line.startswith(start):
                return line
        message = f"the connection ended before {start!r}"
        raise AssertionError(message)

    async def ask(self, text: str, start: str) -> str:
        await self.say(text + "\r\n")
        return await self.until(start)

    async def is_closed(self, within: float = _PATIENCE) -> bool:
        """Wait for the end of the stream; what comes before it is forgotten."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self.reader.read(65536), within):
                pass
        return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="localhost")


@asynccontextmanager
async def running_gateway(
    folder: Path,
    upstreams: Mapping[MailProtocol, Upstream],
    *,
    house: House | None = None,
    authority: CertificateAuthority | None = None,
    certificates: tuple[Certificate, ...] | None = None,
    **changes: Any,
) -> AsyncIterator[GatewaySite]:
    """Run a worker in this process."""
    authority = authority or CertificateAuthority(folder)
    if certificates is None:
        issued = authority.issue()
        certificates = (Certificate(issued.certificate, issued.key),)
    given: dict[str, Any] = {
        "hostname": "mail.example.org",
        "listeners": listeners(),
        "domains": (Domain(DOMAIN, upstreams),),
        "certificates": certificates,
        "run_directory": folder / "run",
        "limits": QUICK,
        "help_url": "https://pw.example.org",
    }
    settings = Settings(**(given | changes))
    house = house or House(folder)
    control = ControlSockets(settings.run_directory)
    house.with_ports(live_sessions=control, mail_servers=control)
    sockets = bind_listeners(settings)
    ports = {
        (listener.protocol, listener.tls): sock.getsockname()[1]
        for listener, sock in zip(settings.listeners, sockets, strict=True)
    }
    stop, ready = asyncio.Event(), asyncio.Event()
    name = str(next(_NAMES))
    worker = asyncio.create_task(run_worker(settings, house.ports, sockets, name, stop, ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([worker, waiting], return_when=asyncio.FIRST_COMPLETED)
    site = GatewaySite(house, settings, authority, ports, control, name, stop)
    try:
        if worker.done():
            worker.result()
        yield site
    finally:
        waiting.cancel()
        stop.set()
        for writer in site.writers:
            writer.close()
        await asyncio.wait([worker])
        for sock in sockets:
            sock.close()
        for writer in site.writers:
            with contextlib.suppress(Exception):
                await writer.wait_closed()
        house.close()
        worker.result()


async def person_with(site: GatewaySite, scope: Scope | None = None, **wanted: Any) -> tuple[Person, str]:
    """Make a person with an app password; gives the person and the secret's text."""
    person = await site.house.person(f"alice@{DOMAIN}")
    issued = await site.house.issue(person, **({"scope": scope} if scope else {}), **wanted)
    return person, issued.secret.shown


def with_limits(**changes: Any) -> Limits:
    """Give the tests' limits with some changed."""
    return replace(QUICK, **changes)
