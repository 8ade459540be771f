"""After the login of a session that is parsed: octets go through a filter, which forwards what it allows."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_WR

import structlog

from valetkey.doors.gateway.goodbyes import goodbye_for
from valetkey.doors.gateway.relay import LAST_ANSWERS, UPSTREAM_CLOSED, Relay
from valetkey.doors.serve.link import BLOCKED, READ_SIZE, Driver, Link, describe
from valetkey.service.faults import place_of
from valetkey.wire.machine import SessionFilter

_log = structlog.get_logger("valetkey.gateway")


class FilteredRelay(Relay):
    """Passes on what a filter has parsed and allowed."""

    __slots__ = (
        "_buffer",
        "_filter",
        "_has_ended",
        "_has_said_goodbye",
        "_has_started",
        "_octets",
        "_reads_client",
        "_reads_server",
        "_to_client",
        "_to_server",
    )

    def __init__(
        self,
        driver: Driver,
        client: Link,
        server: Link,
        on_end: Callable[[Relay, str], None],
        session_filter: SessionFilter,
    ) -> None:
        super().__init__(driver, client, server, on_end)
        self._buffer = driver.buffer
        self._filter = session_filter
        self._to_client = _Outlet(driver.loop, client, self._move)
        self._to_server = _Outlet(driver.loop, server, self._move)
        self._reads_client = self._reads_server = False
        self._has_ended = self._has_started = self._has_said_goodbye = False
        self._octets = 0

    def start(self, from_client: bytes, from_server: bytes) -> None:
        """Begin, with what either side has sent behind the login."""
        self._has_started = True
        if self._takes(self._filter.from_server, from_server) and self._takes(self._filter.from_client, from_client):
            self._move()

    @property
    def octets(self) -> int:
        """Octets read so far, from both sides."""
        return self._octets

    @property
    def _is_stuck(self) -> bool:
        return bool(self._to_client.held or self._to_server.held or self._has_ended)

    def _let_go(self) -> None:
        self._to_client.then(_nothing)
        self._to_server.then(_nothing)

    def _on_client_readable(self) -> None:
        count = self._read(self.client)
        if count:
            if self._takes(self._filter.from_client, self._buffer[:count]):
                self._move()
        elif count == 0:
            self._end_client()

    def _on_server_readable(self) -> None:
        count = self._read(self.server)
        if count:
            if self._takes(self._filter.from_server, self._buffer[:count]):
                self._move()
        elif count == 0:
            self._end_server()

    def _takes(self, take: Callable[[bytes | memoryview], None], data: bytes | memoryview) -> bool:
        """Have the filter take octets. What it stumbled over is not gone on with: nobody knows what it has understood."""
        try:
            if data:
                take(data)
        except Exception as bug:  # noqa: BLE001  a bug costs this session and no other
            _log.error("filter_failed", bug=place_of(bug))
            self.end("a bug")
            return False
        return True

    def go_on(self) -> None:
        """Send what the filter has made meanwhile, of an answer that it waited for."""
        if self._has_started and not self._is_over:
            self._move()

    def _read(self, link: Link) -> int | None:
        """Read once; 0 at the end of the stream, None if there was nothing or all is over."""
        try:
            count = link.sock.recv_into(self._buffer, READ_SIZE)
        except BLOCKED:
            return None
        except OSError as error:
            self.end(describe(error))
            return None
        self._octets += count
        return count

    def _move(self) -> None:
        """Send what the filter has made, and read only from whom it can take more."""
        session = self._filter
        try:
            # A side that waits for a slow peer gets nothing more from the filter until that has taken it.
            if not self._to_server.held and (data := session.take_to_server()):
                self._to_server.send(data)
            if not self._to_client.held and (data := session.take_to_client()):
                self._to_client.send(data)
        except OSError as error:
            self.end(describe(error))
            return
        is_held = bool(self._to_client.held or self._to_server.held)
        reason = session.close_reason
        if reason is not None and not is_held:
            self._has_said_goodbye = True
            self.end(reason)
            return
        self._watch(
            client=not is_held and reason is None and not session.waits_for_server and not self._has_ended,
            server=not self._to_client.held and reason is None,
        )

    def _watch(self, *, client: bool, server: bool) -> None:
        if client != self._reads_client:
            self._reads_client = client
            if client:
                self._loop.add_reader(self.client.fd, self._on_client_readable)
            else:
                self._loop.remove_reader(self.client.fd)
        if server != self._reads_server:
            self._reads_server = server
            if server:
                self._loop.add_reader(self.server.fd, self._on_server_readable)
            else:
                self._loop.remove_reader(self.server.fd)

    def _end_client(self) -> None:
        """The client has said all. Its answers may still be on their way."""
        self._has_ended = True
        self._watch(client=False, server=self._reads_server)
        if self.server.is_tls:
            self._loop.call_later(LAST_ANSWERS, self.end, "closed")
        else:
            with suppress(OSError):
                self.server.sock.shutdown(SHUT_WR)

    def _end_server(self) -> None:
        if self._to_client.held:
            self._watch(client=False, server=False)
            self._to_client.then(lambda: self.end(UPSTREAM_CLOSED))
        else:
            self.end("closed" if self._has_ended else UPSTREAM_CLOSED)

    def dismiss(self, reason: str) -> None:
        """End because we want so, with a word to the client."""
        # What is held is the middle of something, and nothing may be said in there.
        if not self._is_over and self._has_started and not self._to_client.held and self._filter.close_reason is None:
            self._filter.goodbye(goodbye_for(reason))
            with suppress(OSError):
                self._to_client.send(self._filter.take_to_client())
                self._has_said_goodbye = not self._to_client.held
        self.end(reason)

    def _part_from_client(self, reason: str) -> None:
        """Close; where something was said last, so that the client hears it."""
        if not self._has_said_goodbye:
            self.client.close(reason)
            return
        self._watch(client=False, server=False)
        self.client.take_back()
        task = self._loop.create_task(self.client.finish(reason))
        # The loop itself keeps only weak references to tasks.
        farewells.add(task)
        task.add_done_callback(farewells.discard)


# Connections whose session is over, and whose client may still hear the last word; each for a moment.
farewells: set[asyncio.Task[None]] = set()


def _nothing() -> None:
    """Stand where the relay is over."""


class _Outlet:
    """What one peer of a filtered relay has not yet taken."""

    __slots__ = ("_link", "_loop", "_on_free", "held")

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link, on_free: Callable[[], None]) -> None:
        self._loop = loop
        self._link = link
        self._on_free = on_free
        self.held = b""

    def send(self, data: bytes) -> None:
        """Send; what is not taken at once is held."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._link.sock.send(rest) :]
        except BLOCKED:
            self.held = bytes(rest)
            self._loop.add_writer(self._link.fd, self._on_writable)

    def then(self, work: Callable[[], None]) -> None:
        """Do this, and nothing else, when all is taken."""
        self._on_free = work

    def _on_writable(self) -> None:
        try:
            self.held = self.held[self._link.sock.send(self.held) :]
        except BLOCKED:
            return
        except OSError:
            self.held = b""
        if not self.held:
            self._loop.remove_writer(self._link.fd)
            self._on_free()
