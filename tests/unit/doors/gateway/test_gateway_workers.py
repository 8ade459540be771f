"""Worker processes that share sockets and a store, and a crowd at the door."""

import asyncio
import os
import resource
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import running_upstream
from tests.doors.gateway_site import DOMAIN, LOCALHOST, QUICK, person_with, running_gateway, upstream, with_limits
from tests.servers.certificates import CertificateAuthority
from tests.verbs.site import House

from valetkey.adapters.live_sessions import ControlSockets
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import Certificate, Domain, Listener, Settings, TlsMode
from valetkey.doors.gateway.worker import bind_listeners, run_worker
from valetkey.service import app_passwords

IMAP = MailProtocol.IMAP
ALICE = f"alice@{DOMAIN}"


def be_worker(folder: Path, settings: Settings, sockets: list[socket.socket], name: str) -> None:
    """Run a worker in a forked process, until it is told to end; never returns."""
    code = 1
    try:

        async def run() -> None:
            house = House(folder)
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            await run_worker(settings, house.ports, sockets, name, stop, lambda: None)
            house.close()

        asyncio.run(run())
        code = 0
    finally:
        os._exit(code)


@asynccontextmanager
async def two_workers(folder: Path, port: int) -> AsyncIterator[tuple[ControlSockets, int, ssl.SSLContext]]:
    authority = CertificateAuthority(folder)
    issued = authority.issue()
    settings = Settings(
        "mail.example.org",
        (Listener(IMAP, LOCALHOST, 0, TlsMode.IMPLICIT),),
        (Domain(DOMAIN, {IMAP: upstream(port)}),),
        (Certificate(issued.certificate, issued.key),),
        folder / "run",
        QUICK,
    )
    sockets = bind_listeners(settings)
    gateway_port = sockets[0].getsockname()[1]
    children = []
    for name in ("1", "2"):
        child = os.fork()
        if child == 0:
            asyncio._set_running_loop(None)
            be_worker(folder, settings, sockets, name)
        children.append(child)
    sockets[0].close()
    control = ControlSockets(settings.run_directory)
    try:
        async with asyncio.timeout(30):
            while await control.ping() != ("1", "2"):
                await asyncio.sleep(0.02)
        yield control, gateway_port, authority.client_context()
    finally:
        for child in children:
            os.kill(child, signal.SIGTERM)
        for child in children:
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            assert status == 0


async def test_revoking_closes_sessions_on_every_worker_within_a_second(tmp_path: Path):
    house = House(tmp_path)
    person = await house.person(ALICE)
    issued = await house.issue(person)
    async with running_upstream(IMAP) as fake, two_workers(tmp_path, fake.port) as (control, port, context):
        house.with_ports(live_sessions=control)
        talks = []
        async with asyncio.timeout(30):
            while len({live.worker for live in await control.list(None)}) < 2:
                talks.append(await asyncio.open_connection(LOCALHOST, port, ssl=context, server_hostname="localhost"))
                reader, writer = talks[-1]
                await reader.readline()
                writer.write(f"a LOGIN {ALICE} {issued.secret.shown}\r\n".encode())
                assert (await reader.readline()).startswith(b"a OK")
        revoked = await app_passwords.revoke(house.ports, house.acting(person.account), issued.app_password.id)
        for reader, writer in talks:
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
        assert revoked.closed.total == len(talks)
        assert await control.list(None) == ()
    house.close()


def resident() -> int:
    """Octets of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_thousand_half_open_connections_hold_little_and_hinder_nobody(tmp_path: Path, many_files):
    crowd: list[socket.socket] = []
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(
            tmp_path, {IMAP: upstream(fake.port)}, limits=with_limits(waiting_per_network=2000, handshake=60)
        ) as site,
    ):
        _, secret = await person_with(site)
        before = resident()
        for number in range(1000):
            sock = socket.create_connection((LOCALHOST, site.port(IMAP, list(TlsMode)[number % 2])))
            # Some say nothing, some begin a handshake or a command and never go on.
            sock.sendall(
                (b"", b"\x16\x03\x01\x02\x00", b"a LOGIN {300}\r\n", b"a LOGI")[number % 4 if number % 2 else 0]
            )
            crowd.append(sock)
            if number % 50 == 49:
                await asyncio.sleep(0)
        async with asyncio.timeout(30):
            while (await site.samples())["valetkey_connections"] < 1000:
                await asyncio.sleep(0.01)
        assert resident() - before < 24 * 1024 * 1024
        begun = time.monotonic()
        talk = await site.connect(IMAP)
        await talk.until("* OK")
        await talk.ask(f"a LOGIN {ALICE} {secret}", "a OK")
        assert time.monotonic() - begun < 10  # the crowd would have its minute
        for sock in crowd:
            sock.close()
        async with asyncio.timeout(30):
            while (await site.samples())["valetkey_connections"] > 1:
                await asyncio.sleep(0.01)
