"""A parsed session whose filter has a bug: it ends, and nothing behind the bug gets through."""

import asyncio
import socket

import pytest

from valetkey.doors.gateway.filtered_relay import FilteredRelay, farewells
from valetkey.doors.gateway.relay import Relay
from valetkey.doors.serve.link import Driver, Link


class Stumbling:
    """A filter that passes everything, and fails over one word."""

    waits_for_server = False
    close_reason = None

    def __init__(self) -> None:
        self._to = {"client": b"", "server": b""}

    def from_client(self, data: bytes | memoryview) -> None:
        self._take("server", data)

    def from_server(self, data: bytes | memoryview) -> None:
        self._take("client", data)

    def goodbye(self, text: str) -> None:
        self._to["client"] += b"goodbye"

    def take_to_client(self) -> bytes:
        return self._given("client")

    def take_to_server(self) -> bytes:
        return self._given("server")

    def _take(self, to: str, data: bytes | memoryview) -> None:
        if b"bug" in bytes(data):
            raise LookupError
        self._to[to] += bytes(data)

    def _given(self, to: str) -> bytes:
        given, self._to[to] = self._to[to], b""
        return given


class Pair:
    """A relay between two ends that the test holds."""

    def __init__(self, *, logged_in: bool = True) -> None:
        self.driver = Driver(asyncio.get_running_loop())
        self.ended = asyncio.get_running_loop().create_future()
        (self.client, inner), (self.server, outer) = socket.socketpair(), socket.socketpair()
        for each in (self.client, inner, self.server, outer):
            each.setblocking(False)
        links = [Link(self.driver, each) for each in (inner, outer)]
        self.filter = Stumbling()
        self.relay = FilteredRelay(self.driver, *links, self._end, self.filter)
        if logged_in:
            self.release()

    def release(self) -> None:
        self.relay.client.release()
        self.relay.server.release()

    def _end(self, _: Relay, reason: str) -> None:
        self.ended.set_result(reason)

    def close(self) -> None:
        self.relay.end("over")
        self.driver.close()
        self.client.close()
        self.server.close()


@pytest.mark.parametrize("side", ["client", "server"])
async def test_a_bug_ends_the_session_and_passes_nothing_on(side: str) -> None:
    pair, loop = Pair(), asyncio.get_running_loop()
    pair.relay.start(b"", b"")
    near, far = (pair.client, pair.server) if side == "client" else (pair.server, pair.client)
    await loop.sock_sendall(near, b"well")
    assert await loop.sock_recv(far, 99) == b"well"
    await loop.sock_sendall(near, b"a bug")
    assert await asyncio.wait_for(pair.ended, 30) == "a bug"
    assert await loop.sock_recv(far, 99) == b""
    pair.close()


@pytest.mark.parametrize("first", [(b"a bug", b"hello"), (b"hello", b"a bug")])
async def test_a_bug_in_what_came_behind_the_login_ends_it_too(first: tuple[bytes, bytes]) -> None:
    pair = Pair()
    pair.relay.start(*first)
    assert await asyncio.wait_for(pair.ended, 30) == "a bug"
    pair.close()


async def test_a_relay_that_is_over_leaves_no_socket_watched() -> None:
    """The client talks while the filter still waits for the server, with the socket watched since the login.

    What stayed registered with the loop at the end would be the next connection's number, which then is never heard.
    """
    loop = asyncio.get_running_loop()
    pair = Pair(logged_in=False)
    receiving = loop.create_task(pair.relay.client.receive())
    await loop.sock_sendall(pair.client, b"login")
    assert await receiving == b"login"
    pair.release()
    pair.filter.waits_for_server = True
    pair.relay.start(b"", b"")
    await loop.sock_sendall(pair.client, b"early")
    await asyncio.sleep(0.01)  # the loop sees it, and nobody reads
    pair.filter.waits_for_server = False
    await loop.sock_sendall(pair.server, b"done")
    assert await loop.sock_recv(pair.server, 99) == b"early"
    numbers = {pair.relay.client.fd, pair.relay.server.fd}
    pair.close()
    assert not numbers & set(loop._selector.get_map())  # type: ignore[attr-defined]  # asked where nobody else can tell


async def test_goodbye_is_heard_before_the_end() -> None:
    pair, loop = Pair(), asyncio.get_running_loop()
    pair.relay.start(b"", b"well")
    pair.relay.dismiss("idle")
    assert pair.ended.result() == "idle", "the session is over at once"
    assert await loop.sock_recv(pair.client, 99) == b"wellgoodbye"
    assert await loop.sock_recv(pair.client, 99) == b""
    assert await loop.sock_recv(pair.server, 99) == b""
    await loop.sock_sendall(pair.client, b"too late")
    pair.client.close()
    await asyncio.wait_for(asyncio.gather(*farewells), 30)
    pair.close()


async def test_nothing_is_said_to_a_client_that_has_not_taken_what_came_before() -> None:
    pair, loop = Pair(), asyncio.get_running_loop()
    pair.relay.start(b"", b"")
    sending = loop.create_task(loop.sock_sendall(pair.server, b"x" * 5_000_000))
    while not pair.relay._to_client.held:
        await asyncio.sleep(0)
    pair.relay.dismiss("idle")
    assert pair.ended.result() == "idle"
    heard = b""
    while part := await loop.sock_recv(pair.client, 99_999):
        heard += part
    assert set(heard) == set(b"x")
    await asyncio.gather(sending, return_exceptions=True)
    pair.close()


async def test_nothing_is_said_before_the_login_is_answered() -> None:
    pair = Pair()
    pair.relay.dismiss("revoked")
    assert pair.ended.result() == "revoked"
    assert await asyncio.get_running_loop().sock_recv(pair.client, 99) == b""
    pair.close()
