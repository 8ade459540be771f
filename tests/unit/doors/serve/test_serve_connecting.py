"""Connecting: at once where the other side is on this machine, and a refusal is never taken for a connection."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from valetkey.doors.serve import Driver, Link, LinkClosed


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    driver = Driver(asyncio.get_running_loop())
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    link = Link(driver, sock)
    yield link
    link.close("the test is over")
    driver.close()


async def test_a_server_that_listens_is_connected_to(link: Link) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        await link.connect(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"* OK\r\n")
            assert await link.receive() == b"* OK\r\n"


async def test_a_port_where_nobody_listens_refuses(link: Link) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
    with pytest.raises(LinkClosed, match="ECONNREFUSED"):
        await link.connect(place)


async def test_an_address_that_cannot_be_reached_fails_and_is_not_waited_for(link: Link) -> None:
    with pytest.raises(LinkClosed, match="cannot connect"):
        await link.connect(("255.255.255.255", 25))


async def test_a_server_that_accepts_nobody_is_waited_for_until_the_deadline(link: Link) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        link.limit(asyncio.get_running_loop().time() + 0.3, "too slow to connect")
        with pytest.raises(LinkClosed, match="too slow to connect"):
            await link.connect(server.getsockname())
