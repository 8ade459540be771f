"""Nobody keeps the portal from others by opening connections: caps per network, and a deadline at every wait."""

import asyncio
import asyncio.sslproto
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from valetkey.app.web_connections import CappedListener, HurriedProtocol
from valetkey.app.web_server import WebServer, run_servers

BIG = b"x" * 8_000_000


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    body = BIG if scope["path"] == "/big" else b"hello"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    for start in range(0, len(body), 65536):
        await send({"type": "http.response.body", "body": body[start : start + 65536], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served(per_network: int = 100, in_all: int = 100, exempt: tuple[str, ...] = ()) -> AsyncIterator[int]:
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    proxies = [ip_network(each) for each in exempt]
    listener = CappedListener(bound, proxies, per_network=per_network, in_all=in_all)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(run_servers([(WebServer(app), [listener])], stop, ready.set))
    await asyncio.wait_for(ready.wait(), 5)
    try:
        yield port
    finally:
        stop.set()
        await running
        listener.close()


Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int) -> Talk:
    return await asyncio.open_connection("127.0.0.1", port)


async def ended(talk: Talk, within: float = 3) -> bool:
    """Read up to the end of the connection, however it comes."""
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(talk[0].read(), within)
    await hung_up(talk)
    return True


async def hung_up(talk: Talk) -> None:
    talk[1].close()
    with contextlib.suppress(ConnectionError):
        await talk[1].wait_closed()


async def answered(talk: Talk) -> bytes:
    talk[1].write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    head = await asyncio.wait_for(talk[0].readuntil(b"\r\n\r\n"), 3)
    return head + await talk[0].readexactly(5)


async def test_who_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HurriedProtocol, "to_ask", 0.2)
    async with served() as port:
        assert await ended(await connected(port))


async def test_single_octets_of_a_head_prolong_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HurriedProtocol, "to_ask", 0.3)
    async with served() as port:
        talk = await connected(port)
        gone = asyncio.create_task(ended(talk))
        with contextlib.suppress(ConnectionError):
            for octet in b"GET / HTTP/1.1\r\nHost: a-long-name.example.org\r\n":
                if gone.done():
                    break
                talk[1].write(bytes((octet,)))
                await asyncio.wait({gone}, timeout=0.1)
        assert gone.done()
        assert await gone


async def test_an_unread_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HurriedProtocol, "to_answer", 0.3)
    async with served() as port:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n")
        await asyncio.sleep(0.6)  # the peer takes nothing in this time; there is no event to wait for
        sock.setblocking(False)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
                taken += len(part)
        sock.close()
        assert taken < len(BIG)


async def test_a_connection_goes_on_from_request_to_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HurriedProtocol, "to_ask", 3.0)
    async with served() as port:
        talk = await connected(port)
        for _ in range(8):
            assert (await answered(talk)).endswith(b"hello")
            await asyncio.sleep(0.5)  # together longer than one wait may be
        assert await ended(talk)


async def test_a_network_holds_so_many_connections_and_no_more() -> None:
    async with served(per_network=3) as port:
        held = [await connected(port) for _ in range(3)]
        assert all([(await answered(each)).endswith(b"hello") for each in held])
        assert await ended(await connected(port))
        await hung_up(held[0])
        assert await becomes_answered(port)
        for each in held[1:]:
            await hung_up(each)


async def becomes_answered(port: int) -> bool:
    """The server notices a moment later that a place is free."""
    for _ in range(50):
        talk = await connected(port)
        try:
            return (await answered(talk)).endswith(b"hello")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            await hung_up(talk)
        await asyncio.sleep(0.05)
    return False


async def test_a_listed_proxy_connects_for_everybody() -> None:
    async with served(per_network=1, exempt=("127.0.0.0/8",)) as port:
        held = [await connected(port) for _ in range(5)]
        assert all([(await answered(each)).endswith(b"hello") for each in held])
        for each in held:
            await hung_up(each)


async def test_all_networks_together_hold_so_many_and_no_more() -> None:
    async with served(in_all=2) as port:
        held = [await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.{net}.1", 0)) for net in (1, 2)]
        assert all([(await answered(each)).endswith(b"hello") for each in held])
        assert await ended(await connected(port))
        for each in held:
            await hung_up(each)


async def test_a_tls_connection_that_says_nothing_costs_little() -> None:
    async with served():
        transport = asyncio.sslproto.SSLProtocol
        waiter = asyncio.get_running_loop().create_future()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made = transport(asyncio.get_running_loop(), asyncio.Protocol(), context, waiter, server_side=True)
        assert len(made.get_buffer(-1)) <= 32768
        made._app_transport._closed = True  # it never was open; else it complains that nobody closed it
