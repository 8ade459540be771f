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

READ_SIZE = 65536
# What a peer may still send while we wait for it to hear our last words.
_LINGER_OCTETS = 262_144
_LINGER_SECONDS = 1.0

BLOCKED = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class LinkClosed(Exception):  # noqa: N818  it is how a connection ends, not a fault
    """The connection is over. The text says why, for our log, and holds nothing that the peer sent."""


class Link:
    """One connection; owned by one coroutine at a time, or by a relay after `release`."""

    __slots__ = ("_buffer", "_closed_by", "_is_watched", "_loop", "_reader", "_writer", "fd", "sock")

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, buffer: memoryview) -> None:
        """Take over a non-blocking socket; `buffer` is shared by all links of the worker, READ_SIZE octets."""
        self._loop = loop
        self._buffer = buffer
        self._reader: asyncio.Future[bytes] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._is_watched = False
        self._closed_by = ""
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

    # Reading and writing

    async def receive(self) -> bytes:
        """Wait for octets; empty at the end of the stream.

        Raises:
            LinkClosed: The connection broke, or was closed by a deadline.
        """
        reader = self._wait_to_read()
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_reader(self.fd, self._on_readable)
        return await reader

    def _on_readable(self) -> None:
        reader = self._reader
        if reader is None:
            # Nobody reads: let TCP hold the peer back.
            self._unwatch()
            return
        try:
            count = self.sock.recv_into(self._buffer, READ_SIZE)
        except BLOCKED:
            return
        except OSError as error:
            self._reader = None
            reader.set_exception(LinkClosed(describe(error)))
            return
        self._reader = None
        reader.set_result(bytes(self._buffer[:count]))

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
        done: asyncio.Future[bytes] = self._wait_to_read()
        self._is_watched = True
        self._loop.add_reader(self.fd, self._on_handshake)
        if try_now:
            self._on_handshake()
        try:
            await done
        finally:
            if self.is_open:
                self._loop.add_reader(self.fd, self._on_readable)

    def _on_handshake(self) -> None:
        done, sock = self._reader, self.sock
        if done is None or not isinstance(sock, ssl.SSLSocket):
            return
        try:
            sock.do_handshake()
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self.fd, self._go_on_with_handshake)
            return
        except BLOCKED:
            return
        except (OSError, ValueError) as error:
            self._reader = None
            done.set_exception(LinkClosed(f"TLS handshake: {describe(error)}"))
            return
        self._reader = None
        done.set_result(b"")

    def _go_on_with_handshake(self) -> None:
        self._loop.remove_writer(self.fd)
        self._on_handshake()

    # Closing

    def release(self) -> None:
        """Hand the socket to a relay, which puts its own callbacks in place of ours."""
        self._reader = self._writer = None

    def close(self, reason: str) -> None:
        """Close at once; whoever waits gets `LinkClosed(reason)`."""
        if self._closed_by:
            return
        self._closed_by = reason
        self._loop.remove_reader(self.fd)
        self._loop.remove_writer(self.fd)
        for waiter in (self._reader, self._writer):
            if waiter is not None and not waiter.done():
                waiter.set_exception(LinkClosed(reason))
        self._reader = self._writer = None
        close_socket(self.sock)

    async def finish(self, reason: str) -> None:
        """Close so that the peer gets what was sent last, an alert or a farewell.

        Closing a socket with unread octets would make the kernel send a reset, which throws away what the peer has not
        read yet; so the rest is read and forgotten for a moment.
        """
        if not self.is_open:
            return
        timer = self._loop.call_later(_LINGER_SECONDS, self.close, reason)
        with suppress(LinkClosed, OSError):
            say_no_more(self.sock)
            forgotten = 0
            while forgotten < _LINGER_OCTETS and (count := await self._forget_some()):
                forgotten += count
        timer.cancel()
        self.close(reason)

    async def _forget_some(self) -> int:
        while True:
            try:
                # Below TLS: OpenSSL has said its last, and what comes now is not for us to understand.
                return socket.socket.recv_into(self.sock, self._buffer, READ_SIZE)
            except BLOCKED:
                await self._readable()

    # Waiting

    def _wait_to_read(self) -> asyncio.Future[bytes]:
        if self._closed_by:
            raise LinkClosed(self._closed_by)
        self._reader = reader = self._loop.create_future()
        return reader

    def _unwatch(self) -> None:
        self._is_watched = False
        self._loop.remove_reader(self.fd)

    async def _readable(self) -> None:
        """Wait until there is something to read, without reading it."""
        waiter = self._wait_to_read()
        self._is_watched = False
        self._loop.add_reader(self.fd, self._wake_reader)
        await waiter

    def _wake_reader(self) -> None:
        self._unwatch()
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(b"")

    async def _writable(self) -> None:
        if self._closed_by:
            raise LinkClosed(self._closed_by)
        self._writer = writer = self._loop.create_future()
        self._loop.add_writer(self.fd, self._wake_writer)
        await writer

    async def connected(self) -> None:
        """Wait for the end of a non-blocking connect.

        Raises:
            LinkClosed: It failed.
        """
        await self._writable()
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise LinkClosed(f"cannot connect: {errno.errorcode.get(code, code)}")

    def _wake_writer(self) -> None:
        self._loop.remove_writer(self.fd)
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)


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
