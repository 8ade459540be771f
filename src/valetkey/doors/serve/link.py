"""One connection: a non-blocking socket, plain or with OpenSSL on it, that a coroutine reads and writes.

A link holds no buffer of its own: it reads into the worker's one shared buffer and copies out the few octets of a
dialogue. While nobody reads, the socket is not watched, so a peer that talks on is held back by TCP.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from valetkey.doors.serve.waiting import Wait

READ_SIZE = 65536
# Of a relay without TLS at the source: four times as much at a time costs little more than once.
LARGE_READ_SIZE = 262_144
# What a peer may still send while we wait for it to hear our last words.
_LINGER_OCTETS = 262_144
_LINGER_SECONDS = 1.0
_LOOK_EVERY = 0.1  # seconds; deadlines are this exact

BLOCKED = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class LinkClosed(Exception):  # noqa: N818  it is how a connection ends, not a fault
    """The connection is over. The text says why, for our log, and holds nothing that the peer sent."""


class Driver:
    """What the links of a worker share: the loop, one read buffer, and one clock for all deadlines.

    Deadlines are looked at several times a second. A timer for each would cost more than most of what it watches.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.buffer = memoryview(bytearray(LARGE_READ_SIZE))
        self._limited: set[Link] = set()
        self._stop = every(loop, _LOOK_EVERY, self._look)

    def limit(self, link: "Link") -> None:
        """Watch a link that has a deadline."""
        self._limited.add(link)

    def unlimit(self, link: "Link") -> None:
        """Watch a link no more."""
        self._limited.discard(link)

    def close(self) -> None:
        """Stop looking at deadlines."""
        self._stop()

    def _look(self) -> None:
        now = self.loop.time()
        for link in [link for link in self._limited if link.deadline <= now]:
            link.end_late()


class Link:
    """One connection; owned by one coroutine at a time, or by a relay after `release`.

    `last_words` are said when a deadline ends the connection; empty where nothing can be said.
    """

    __slots__ = (
        "_closed_by",
        "_driver",
        "_is_watched",
        "_is_writing",
        "_late",
        "_loop",
        "_on_event",
        "_reader",
        "_writer",
        "deadline",
        "fd",
        "last_words",
        "sock",
    )

    def __init__(self, driver: Driver, sock: socket.socket) -> None:
        """Take over a non-blocking socket."""
        self._driver = driver
        self._loop = driver.loop
        self._reader: Wait[bytes] | None = None
        self._writer: Wait[None] | None = None
        self._on_event: Callable[[], None] = self._on_readable
        self._is_watched = False
        self._is_writing = False
        self._closed_by = ""
        self._late = ""
        self.deadline = float("inf")
        self.last_words = b""
        self.sock = sock
        self.fd = sock.fileno()

    @property
    def is_open(self) -> bool:
        """Whether the connection was not closed by us."""
        return not self._closed_by

    @property
    def is_tls(self) -> bool:
        """Whether TLS is on."""
        return isinstance(self.sock, ssl.SSLSocket)

    @property
    def is_reading(self) -> bool:
        """Whether a coroutine waits for the peer to say something."""
        return self._reader is not None and not self._reader.done()

    def limit(self, deadline: float, late: str) -> None:
        """Close at `deadline` (the loop's time) with this reason; takes the place of an earlier deadline."""
        self.deadline, self._late = deadline, late
        self._driver.limit(self)

    def unlimit(self) -> None:
        """Let the deadline go."""
        self._driver.unlimit(self)

    def end_late(self) -> None:
        """Close because the deadline has passed."""
        self.try_send(self.last_words)
        self.close(self._late)

    # Reading and writing

    async def receive(self) -> bytes:
        """Wait for octets; empty at the end of the stream.

        Raises:
            LinkClosed: The connection broke, or was closed by a deadline.
        """
        return await self._wait_to_read(self._on_readable)

    def _on_readable(self) -> None:
        reader = self._reader
        if reader is None:
            return
        try:
            count = self.sock.recv_into(self._driver.buffer, READ_SIZE)
        except BLOCKED:
            return
        except OSError as error:
            self._reader = None
            reader.fail(LinkClosed(describe(error)))
            return
        self._reader = None
        reader.finish(bytes(self._driver.buffer[:count]))

    async def send(self, data: bytes) -> None:
        """Send all of `data`; returns when the kernel has it.

        Raises:
            LinkClosed: The connection broke, or was closed by a deadline.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.sock.send(rest) :]
            except ssl.SSLWantReadError:
                await self._readable()
            except BLOCKED:
                await self._writable()
            except OSError as error:
                raise LinkClosed(self._closed_by or describe(error)) from None

    def try_send(self, data: bytes) -> None:
        """Send as much as the kernel takes at once: last words, when nobody may wait."""
        if data:
            with suppress(OSError):
                self.sock.send(data)

    def has_waiting_octets(self) -> bool:
        """Tell whether the peer has sent octets (or the end) that nobody has read. Only without TLS."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BLOCKED:
            return False
        except OSError:
            return True
        return True

    async def peek(self, size: int) -> bytes:
        """Wait for octets and look at them without taking them. Only without TLS.

        Raises:
            LinkClosed: The connection broke or ended.
        """
        while True:
            try:
                data = self.sock.recv(size, socket.MSG_PEEK)
            except BLOCKED:
                await self._readable()
                continue
            except OSError as error:
                raise LinkClosed(self._closed_by or describe(error)) from None
            if not data:
                raise LinkClosed("the peer closed the connection")
            return data

    def take(self, count: int) -> None:
        """Take octets that `peek` has shown."""
        self.sock.recv(count)

    # TLS

    async def serve_tls(self, context: ssl.SSLContext) -> None:
        """Do the server's handshake.

        Raises:
            LinkClosed: It failed; OpenSSL's alert is on its way to the peer.
        """
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        except OSError as error:
            raise LinkClosed(describe(error)) from None
        await self._handshake(try_now=False)

    async def start_tls(self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None) -> None:
        """Do the client's handshake with the server `name`, resuming `session` if the server agrees.

        Raises:
            LinkClosed: It failed, or the certificate is not good for the name.
        """
        try:
            self.sock = context.wrap_socket(
                self.sock, server_hostname=name, do_handshake_on_connect=False, session=session
            )
        except (OSError, ValueError) as error:
            # ValueError: a name that cannot be in a certificate.
            raise LinkClosed(describe(error)) from None
        await self._handshake(try_now=True)

    async def _handshake(self, *, try_now: bool) -> None:
        done = self._wait_to_read(self._on_handshake)
        if try_now:
            self._on_handshake()
        await done

    def _on_handshake(self) -> None:
        done, sock = self._reader, self.sock
        if done is None or not isinstance(sock, ssl.SSLSocket):
            return
        if self._is_writing:
            # Left there, it would go on with a handshake that is over, and end whatever is waited for by then.
            self._unwatch_writer()
        try:
            sock.do_handshake()
        except ssl.SSLWantWriteError:
            self._watch_writer(self._on_handshake)
            return
        except BLOCKED:
            return
        except (OSError, ValueError) as error:
            self._reader = None
            done.fail(LinkClosed(f"TLS handshake: {describe(error)}"))
            return
        self._reader = None
        done.finish(b"")

    # Closing

    def release(self) -> None:
        """Hand the socket to a relay, which puts its own callbacks in place of ours.

        A callback of ours that stayed would take itself away at the next event, and with it our knowledge that the
        socket is watched: closed while still registered with the loop, its number would be deaf for who gets it next.
        """
        self._reader = self._writer = None
        self._on_event = _nothing
        if self._is_watched:
            self._unwatch()
        self._is_watched = self._is_writing = True  # by the relay, as far as we know
        self.unlimit()

    def take_back(self) -> None:
        """Own the socket again, which a relay had; it has taken its callbacks away."""
        self._is_watched = self._is_writing = False

    def close(self, reason: str) -> None:
        """Close at once; whoever waits gets `LinkClosed(reason)`."""
        if self._closed_by:
            return
        self._closed_by = reason
        self.unlimit()
        if self._is_watched:
            self._unwatch()
        if self._is_writing:
            self._unwatch_writer()
        for waiter in (self._reader, self._writer):
            if waiter is not None and not waiter.done():
                waiter.fail(LinkClosed(reason))
        self._reader = self._writer = None
        self._on_event = _nothing  # a method of ours, kept by ourselves, would wait for the garbage collector
        close_socket(self.sock)

    async def finish(self, reason: str) -> None:
        """Close so that the peer gets what was sent last, an alert or a farewell.

        Closing a socket with unread octets would make the kernel send a reset, which throws away what the peer has not
        read yet; so the rest is read and forgotten for a moment.
        """
        if not self.is_open:
            return
        self.last_words = b""
        self.limit(self._loop.time() + _LINGER_SECONDS, reason)
        with suppress(LinkClosed, OSError):
            say_no_more(self.sock)
            forgotten = 0
            while forgotten < _LINGER_OCTETS and (count := await self._forget_some()):
                forgotten += count
        self.close(reason)

    async def _forget_some(self) -> int:
        while True:
            try:
                # Below TLS: OpenSSL has said its last, and what comes now is not for us to understand.
                return socket.socket.recv_into(self.sock, self._driver.buffer, READ_SIZE)
            except BLOCKED:
                await self._readable()

    # Waiting

    def _wait_to_read(self, on_event: Callable[[], None]) -> Wait[bytes]:
        """Have `on_event` called when there is something to read; it resolves the future."""
        if self._closed_by:
            raise LinkClosed(self._closed_by)
        self._on_event = on_event
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_reader(self.fd, self._on_any_event)
        self._reader = Wait(self._loop)
        return self._reader

    def _on_any_event(self) -> None:
        if self._reader is None or self._reader.done():
            # Nobody reads: let TCP hold the peer back.
            self._unwatch()
        else:
            self._on_event()

    def _unwatch(self) -> None:
        self._is_watched = False
        self._loop.remove_reader(self.fd)

    def _watch_writer(self, on_writable: Callable[[], None]) -> None:
        self._is_writing = True
        self._loop.add_writer(self.fd, on_writable)

    def _unwatch_writer(self) -> None:
        self._is_writing = False
        self._loop.remove_writer(self.fd)

    async def _readable(self) -> None:
        """Wait until there is something to read, without reading it."""
        await self._wait_to_read(self._wake_reader)

    def _wake_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.finish(b"")

    async def _writable(self) -> None:
        if self._closed_by:
            raise LinkClosed(self._closed_by)
        writer: Wait[None] = Wait(self._loop)
        self._writer = writer
        self._watch_writer(self._wake_writer)
        await writer

    async def connect(self, place: tuple[str, int]) -> None:
        """Connect to an address and port.

        Raises:
            LinkClosed: It failed.
        """
        code = self.sock.connect_ex(place)
        if code == errno.EINPROGRESS:
            # Asked again, a server on this machine has accepted already, and nothing need be waited for.
            code = self.sock.connect_ex(place)
        if code == errno.EALREADY:
            await self._writable()
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise LinkClosed(f"cannot connect: {errno.errorcode.get(code, code)}")

    def _wake_writer(self) -> None:
        self._unwatch_writer()
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.finish(None)


def _nothing() -> None:
    """Stand where no step is waited for."""


def describe(error: Exception) -> str:
    """Name an error of a socket for our log; OpenSSL's text holds nothing that the peer chose freely."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not good: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS error").lower().replace("_", " ")
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "socket error")
    return type(error).__name__


def say_no_more(sock: socket.socket) -> None:
    """Tell the peer that nothing follows: TLS's close_notify where there is TLS, and TCP's FIN."""
    _say_close_notify(sock)
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_WR)


def close_socket(sock: socket.socket) -> None:
    """Close a socket; with TLS say so to the peer first."""
    _say_close_notify(sock)
    sock.close()


def _say_close_notify(sock: socket.socket) -> None:
    if isinstance(sock, ssl.SSLSocket):
        with suppress(OSError, ValueError):
            # One try: it sends close_notify, and would then wait for the peer's, which is not needed.
            sock.unwrap()


def every(loop: asyncio.AbstractEventLoop, seconds: float, work: Callable[[], None]) -> Callable[[], None]:
    """Call `work` every so many seconds; answers what stops it."""
    handle: asyncio.TimerHandle

    def again() -> None:
        nonlocal handle
        handle = loop.call_later(seconds, again)
        work()

    handle = loop.call_later(seconds, again)

    def stop() -> None:
        handle.cancel()

    return stop
