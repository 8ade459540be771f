"""The control socket of a worker: what other processes of this installation ask it (`wire.control`).

A unix socket that only our own user can open, in the run directory. Nothing secret passes through it.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, assert_never

import structlog

from valetkey.core.errors import CannotStart
from valetkey.doors.gateway.live import LiveRegistry
from valetkey.doors.gateway.standing import ServerStandings
from valetkey.doors.serve import Driver, Link, LinkClosed
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.ports import LiveSession
from valetkey.wire.control import Question, QuestionReader, Verb, encode_done, encode_item, encode_sample
from valetkey.wire.machine import PeerError

_log = structlog.get_logger("valetkey.gateway")

_BACKLOG = 64
_IDLE = 60.0
_PAUSE = 0.5  # seconds without accepting when there is no descriptor left
_LONGEST_PATH = 107  # octets of sun_path, without its NUL
_PART = 65536


class ControlDoor:
    """Answers on `<run_directory>/worker-<name>.sock`."""

    def __init__(
        self,
        driver: Driver,
        directory: Path,
        name: str,
        *,
        live: LiveRegistry,
        metrics: Metrics,
        standings: ServerStandings,
    ) -> None:
        """Make the socket; an old one of the same name is replaced.

        Raises:
            CannotStart: The socket cannot be made.
        """
        self._path = directory / f"worker-{name}.sock"
        self._live = live
        self._metrics = metrics
        self._standings = standings
        self._driver = driver
        self._loop = driver.loop
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            self._sock = _bind(self._path)
        except OSError as error:
            raise CannotStart(f"The control socket {self._path} cannot be made: {error.strerror or error}.") from None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    async def close(self) -> None:
        """Answer no more, and remove the socket."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._path.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            sock, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # Asked again at once, and again, the worker would do nothing else.
            _log.error("cannot_accept", door="control", why=errno.errorcode.get(error.errno or 0, "unknown"))
            self._loop.remove_reader(self._sock.fileno())
            self._loop.call_later(_PAUSE, self._go_on)
            return
        sock.setblocking(False)
        task = self._loop.create_task(self._serve(Link(self._driver, sock)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _go_on(self) -> None:
        if self._sock.fileno() >= 0:  # else it was closed meanwhile
            self._loop.add_reader(self._sock.fileno(), self._accept)

    async def _serve(self, link: Link) -> None:
        reader = QuestionReader()
        link.limit(self._loop.time() + _IDLE, "idle")
        try:
            while data := await link.receive():
                reader.receive(data)
                while (question := reader.next_question()) is not None:
                    for part in self._answer(question):
                        await link.send(part)
        except (LinkClosed, PeerError) as error:
            _log.debug("control_connection_ended", why=str(error))
        finally:
            link.close("over")

    def _answer(self, question: Question) -> Iterator[bytes]:
        match question.verb:
            case Verb.APPLY_CHANGES:
                yield encode_done(self._live.apply(question.argument))
            case Verb.LIST:
                yield from _gathered(encode_item(_session(each)) for each in self._live.of_account(question.argument))
                yield encode_done(1)
            case Verb.CLOSE:
                yield encode_done(int(self._live.close(question.argument)))
            case Verb.METRICS:
                yield from _gathered(encode_sample(sample) for sample in self._metrics.samples())
                yield encode_done(1)
            case Verb.SERVERS:
                yield from _gathered(map(encode_item, self._standings.items()))
                yield encode_done(1)
            case Verb.PING:
                yield encode_done(1)
            case _:
                assert_never(question.verb)


def _session(session: LiveSession) -> dict[str, Any]:
    return asdict(session) | {"opened_at": session.opened_at.isoformat()}


def _gathered(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Send many short lines in few sends."""
    part = bytearray()
    for line in lines:
        part += line
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
    yield bytes(part)


def _bind(path: Path) -> socket.socket:
    """Make a listening socket of mode 0600 at `path`.

    It is moved there when it listens, so that whoever finds it can connect. A path too long for a socket's address is
    reached through its open directory.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    passing = path.with_suffix(".new")
    passing.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind_to(sock, passing)
        passing.chmod(0o600)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        passing.rename(path)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_to(sock: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        sock.bind(str(path))
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sock.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
