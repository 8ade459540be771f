"""PROXY headers: from listed peers only, and never guessed at."""

import asyncio
import socket
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.doors.fake_upstreams import running_upstream
from tests.doors.gateway_site import DOMAIN, LOCALHOST, GatewaySite, person_with, running_gateway, upstream, with_limits
from tests.doors.proxy_headers import version_1, version_2

from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import Listener, TlsMode
from valetkey.wire.proxy import SIGNATURE, Proxied

IMAP = MailProtocol.IMAP
CLIENT = Proxied("198.51.100.9", 50123, "192.0.2.1", 993)
CLIENT6 = Proxied("2001:db8::9", 50123, "2001:db8::1", 993)
SELF = (ip_network("127.0.0.0/8"),)
OTHERS = (ip_network("192.0.2.0/24"),)


def behind_proxy(peers=SELF) -> tuple[Listener, ...]:
    return (
        Listener(IMAP, LOCALHOST, 0, TlsMode.IMPLICIT, proxy_peers=peers),
        Listener(IMAP, LOCALHOST, 0, TlsMode.STARTTLS, proxy_peers=peers),
    )


async def heard(site: GatewaySite, first: bytes) -> bytes:
    """Send this on the STARTTLS listener and give what is answered."""
    reader, writer = await asyncio.open_connection(LOCALHOST, site.port(IMAP, TlsMode.STARTTLS))
    writer.write(first)
    try:
        return (await asyncio.wait_for(reader.readline(), 3))[:4]
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


GOOD = [
    version_1(CLIENT),
    version_2(CLIENT),
    version_1(CLIENT6),
    version_2(CLIENT6),
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    SIGNATURE + b"\x20\x00\x00\x00",
]
BAD = [
    b"a NOOP\r\n",
    b"PROXY TCP4 198.51.100.9 192.0.2.1 50123 993\n",
    b"PROXY TCP4 198.51.100.9 192.0.2.1 50123 99999\r\n",
    b"PROXY TCP4 198.51.100.009 192.0.2.1 50123 993\r\n",
    b"PROXY TCP4 2001:db8::9 192.0.2.1 50123 993\r\n",
    b"PROXY TCP6 198.51.100.9 192.0.2.1 50123 993\r\n",
    b"PROXY TCP4 198.51.100.9\r\n",
    b"proxy TCP4 198.51.100.9 192.0.2.1 50123 993\r\n",
    b"PROXY UDP4 198.51.100.9 192.0.2.1 50123 993\r\n",
    b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


async def test_a_header_of_a_listed_peer_is_taken_and_others_close(tmp_path: Path):
    async with running_gateway(tmp_path, {}, listeners=behind_proxy()) as site:
        for header in GOOD:
            assert await heard(site, header) == b"* OK", header
        for header in BAD:
            assert await heard(site, header) == b"", header
        reasons = await site.samples()
        assert reasons["valetkey_closed_before_login_total imap bad PROXY header"] == len(BAD)


async def test_a_peer_that_is_not_listed_is_closed_with_and_without_a_header(tmp_path: Path):
    async with running_gateway(tmp_path, {}, listeners=behind_proxy(OTHERS)) as site:
        for first in (version_1(CLIENT), version_2(CLIENT), b"a NOOP\r\n", b""):
            assert await heard(site, first) == b""
        assert (await site.samples())["valetkey_closed_before_login_total imap no listed proxy"] == 4


async def test_a_listener_without_peers_takes_no_header(tmp_path: Path):
    async with running_gateway(tmp_path, {}) as site:
        talk = await site.connect(IMAP, TlsMode.STARTTLS)
        await talk.say(version_1(CLIENT))
        await talk.until("* OK")
        assert "BAD" in await talk.line()


async def test_a_peer_that_sends_no_header_is_closed_in_time(tmp_path: Path):
    async with running_gateway(tmp_path, {}, listeners=behind_proxy(), limits=with_limits(handshake=0.2)) as site:
        assert await heard(site, b"PROXY TCP4 198.5") == b""
        assert await heard(site, b"") == b""


@pytest.mark.parametrize("header", [version_1(CLIENT), version_2(CLIENT), version_2(CLIENT6)])
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_tls_begins_right_behind_the_header_however_it_is_cut(tmp_path: Path, header: bytes, size: int):
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(tmp_path, {IMAP: upstream(fake.port)}, listeners=behind_proxy()) as site,
    ):
        _, secret = await person_with(site)
        context = site.authority.client_context()

        def log_in() -> bytes:
            with socket.create_connection((LOCALHOST, site.port(IMAP)), 5) as raw:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for start in range(0, len(header), size):
                    raw.sendall(header[start : start + size])
                with context.wrap_socket(raw, server_hostname="localhost") as tls:
                    tls.sendall(f"a LOGIN alice@{DOMAIN} {secret}\r\n".encode())
                    heard = tls.recv(1000)
                    while b"a " not in heard:
                        heard += tls.recv(1000)
                    (live,) = asyncio.run_coroutine_threadsafe(site.control.list(None), loop).result(3)
                    assert live.address in {CLIENT.source, CLIENT6.source}
                    return heard

        loop = asyncio.get_running_loop()
        assert b"a OK" in await asyncio.to_thread(log_in)


async def test_the_networks_of_an_app_password_see_the_proxied_address_and_an_unknown_one_fails(tmp_path: Path):
    async with (
        running_upstream(IMAP) as fake,
        running_gateway(tmp_path, {IMAP: upstream(fake.port)}, listeners=behind_proxy()) as site,
    ):
        allowed = {"network_rule": NetworkRule.ALLOWED, "allowed_ips": ("198.51.100.0/24", "127.0.0.0/8")}
        _, secret = await person_with(site, **allowed)

        async def answer(header: bytes) -> str:
            reader, writer = await asyncio.open_connection(LOCALHOST, site.port(IMAP, TlsMode.STARTTLS))
            writer.write(header)
            await reader.readline()
            writer.write(b"a STARTTLS\r\n")
            await reader.readline()
            await writer.start_tls(site.authority.client_context(), server_hostname="localhost")
            writer.write(f"a LOGIN alice@{DOMAIN} {secret}\r\n".encode())
            line = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            return line.decode()

        assert (await answer(version_1(CLIENT))).startswith("a OK")
        assert (await answer(version_2(CLIENT6))).startswith("a NO [NOPERM]")
        # The balancer does not say who it is: that its own address is on the list helps nobody.
        assert (await answer(b"PROXY UNKNOWN\r\n")).startswith("a NO [NOPERM]")
