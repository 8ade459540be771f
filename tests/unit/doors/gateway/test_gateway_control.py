import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from tests.doors.gateway_site import LOCALHOST, GatewaySite, running_gateway

from valetkey.adapters.live_sessions import ControlSockets
from valetkey.core.errors import CannotStart
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import Listener, Settings, TlsMode, Upstream, UpstreamLogin
from valetkey.doors.gateway.worker import bind_listeners
from valetkey.wire.control import Question, Verb, encode_question


async def test_the_control_socket_is_ours_alone_and_answers_again_and_again(site: GatewaySite):
    path = site.settings.run_directory / f"worker-{site.name}.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    reader, writer = await asyncio.open_unix_connection(path)
    for _ in range(2):
        writer.write(encode_question(Question(Verb.PING)))
        assert await asyncio.wait_for(reader.readline(), 30) == b'{"done":1}\n'
    writer.close()


@pytest.mark.parametrize("said", [b"nonsense\n", b'{"verb": "stop"}\n', b"x" * 100_000])
async def test_what_is_no_question_ends_the_connection_and_nothing_else(site: GatewaySite, said: bytes):
    path = site.settings.run_directory / f"worker-{site.name}.sock"
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(said)
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    assert await site.control.ping() == (site.name,)


async def test_a_long_run_directory_works(tmp_path: Path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    async with running_gateway(tmp_path, {}, run_directory=deep) as site:
        assert len(str(deep)) > 107
        assert await ControlSockets(deep).ping() == (site.name,)


async def test_an_old_socket_of_a_worker_that_was_killed_is_replaced(tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    for number in range(1, 40):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(run / f"worker-{number}.sock"))
    async with running_gateway(tmp_path, {}) as site:
        assert site.name in await site.control.ping()


def test_a_port_in_use_is_named_and_nothing_stays_bound(tmp_path: Path):
    with socket.create_server((LOCALHOST, 0)) as taken, socket.create_server((LOCALHOST, 0)) as free:
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        listeners = tuple(Listener(MailProtocol.IMAP, LOCALHOST, each, TlsMode.NONE) for each in (other, port))
        settings = Settings("x", listeners, (), (), tmp_path)
        with pytest.raises(CannotStart, match=f"Port {port} on {LOCALHOST} is in use"):
            bind_listeners(settings)
        socket.create_server((LOCALHOST, other)).close()


def test_an_address_of_another_machine_is_named(tmp_path: Path):
    listeners = (Listener(MailProtocol.IMAP, "192.0.2.77", 0, TlsMode.NONE),)
    with pytest.raises(CannotStart, match="no such address"):
        bind_listeners(Settings("x", listeners, (), (), tmp_path))


def test_ipv6_is_bound(tmp_path: Path):
    (sock,) = bind_listeners(Settings("x", (Listener(MailProtocol.IMAP, "::1", 0, TlsMode.NONE),), (), (), tmp_path))
    with sock:
        assert sock.getsockname()[0] == "::1"


def test_no_host_is_every_address_of_both_kinds(tmp_path: Path):
    """A machine without IPv6 has those of IPv4 only."""
    (sock,) = bind_listeners(Settings("x", (Listener(MailProtocol.IMAP, "", 0, TlsMode.NONE),), (), (), tmp_path))
    with sock:
        for host in (LOCALHOST, *(("::1",) if socket.has_dualstack_ipv6() else ())):
            socket.create_connection((host, sock.getsockname()[1]), timeout=30).close()


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("no certificate", "no certificate")])
async def test_an_authority_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, why: str):
    file = tmp_path / "upstream-ca.pem"
    if content is not None:
        file.write_text(content)
    upstream = Upstream("imap.example.org", 993, TlsMode.IMPLICIT, UpstreamLogin.XCLIENT, file)
    with pytest.raises(CannotStart, match=rf"upstream-ca\.pem of imap\.example\.org .*{why}"):
        async with running_gateway(tmp_path, {MailProtocol.IMAP: upstream}):
            pass


async def test_a_worker_that_cannot_work_says_why(tmp_path: Path):
    with pytest.raises(CannotStart, match="needs a certificate"):
        async with running_gateway(tmp_path, {}, certificates=()):
            pass
