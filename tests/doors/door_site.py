"""Doors for mail servers on localhost for tests: a real store, real sockets; peers and doors as the test wants them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NoReturn

from tests.doors.gateway_site import Talk, replaced
from tests.servers.certificates import CertificateAuthority
from tests.verbs.site import House, Person

from valetkey.app.doors import BoundDoors, bind_all, serve_doors
from valetkey.doors.asked.settings import Door, DoorKind, Limits, Peer, Settings
from valetkey.doors.serve import CertificateFiles
from valetkey.doors.serve.metrics import Metrics

LOCALHOST = "127.0.0.1"
SECRET = "secret of the peer"
HELP = "https://pw.example.org"
QUICK = Limits(failure_delay=0.05)

__all__ = ["HELP", "LOCALHOST", "QUICK", "SECRET", "DoorSite", "door", "open_doors", "peer", "person_with", "replaced"]


def peer(name: str = "mx1", **changes: Any) -> Peer:
    """Give a mail server on localhost, with a secret; it may also be an nginx."""
    given = {"networks": (ip_network("127.0.0.1/32"),), "secret": SECRET, "is_nginx": True}
    return Peer(name, **(given | changes))


def door(kind: DoorKind, *peers: Peer, path: Path | None = None, **changes: Any) -> Door:
    """Give a door on a free port of localhost, or on a unix socket; for the usual peer unless others are given."""
    place: dict[str, Any] = {"path": path} if path else {"host": LOCALHOST, "port": 0}
    return Door(kind, peers or (peer(),), **(place | changes))


@dataclass
class DoorSite:
    """Doors that are open, and what the tests' mail servers need."""

    house: House
    bound: BoundDoors
    metrics: Metrics
    authority: CertificateAuthority | None
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def doors(self) -> tuple[Door, ...]:
        return self.bound.settings.doors

    def port(self, number: int = 0) -> int:
        """Give the port of a door, by its place in the list."""
        return int(self.bound.sockets[number].getsockname()[1])

    async def connect(self, number: int = 0) -> Talk:
        """Connect to a door as a mail server does."""
        one = self.doors[number]
        if one.path is not None:
            reader, writer = await asyncio.open_unix_connection(one.path)
        else:
            context = self.authority.client_context() if one.tls and self.authority else None
            name = "localhost" if context else None
            reader, writer = await asyncio.open_connection(
                LOCALHOST, self.port(number), ssl=context, server_hostname=name
            )
        self.writers.append(writer)
        return Talk(reader, writer)

    def break_store(self, fault: Exception, *, once: bool = False) -> None:
        """Let look-ups of logins fail from now on, or the next one alone."""
        store = self.house.store
        real = store.find_login

        def broken(*_: object) -> NoReturn:
            if once:
                store.find_login = real  # type: ignore[method-assign]
            raise fault

        store.find_login = broken  # type: ignore[method-assign]

    def samples(self) -> dict[str, float]:
        """Give the counters, with their labels' values in the name."""
        return {" ".join((each.name, *each.labels.values())): each.value for each in self.metrics.samples()}


@asynccontextmanager
async def open_doors(
    folder: Path,
    *doors: Door,
    house: House | None = None,
    authority: CertificateAuthority | None = None,
    **changes: Any,
) -> AsyncIterator[DoorSite]:
    """Open doors in this process; `changes` are of `Settings`. A door with TLS needs an authority."""
    certificates = (authority.issue(),) if authority else ()
    given: dict[str, Any] = {
        "hostname": "mail.example.org",
        "doors": doors,
        "peers": tuple(dict.fromkeys(each for one in doors for each in one.peers)),
        "certificates": tuple(CertificateFiles(each.certificate, each.key) for each in certificates),
        "help_url": HELP,
        "limits": QUICK,
    }
    house = house or House(folder)
    bound = bind_all(Settings(**(given | changes)))
    site = DoorSite(house, bound, Metrics(), authority)
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve_doors(bound, house.ports, site.metrics, ready, stop))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    try:
        if serving.done():
            serving.result()
        yield site
    finally:
        waiting.cancel()
        stop.set()
        for writer in site.writers:
            writer.close()
        await asyncio.wait([serving])
        for sock in bound.sockets:
            sock.close()
        for writer in site.writers:
            with contextlib.suppress(Exception):
                await writer.wait_closed()
        house.close()
        serving.result()


async def person_with(site: DoorSite, name: str = "alice@example.org", **wanted: Any) -> tuple[Person, str]:
    """Make a person with an app password; gives the person and the secret's text. `wanted` is of `House.issue`."""
    person = await site.house.person(name)
    issued = await site.house.issue(person, **wanted)
    return person, issued.secret.shown
