"""Keeps child processes running: starts them, waits until they are ready, restarts what crashed, ends all.

The supervisor has no event loop and no threads, so that forking is safe. Each child runs one function and ends with
the process; it learns by a pipe that the supervisor is gone, however that went.
"""

import asyncio
import contextlib
import gc
import os
import selectors
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from valetkey.core.errors import CannotStart

_log = structlog.get_logger()

_END_WITHIN = 10.0  # seconds, for everybody
_FIRST_BACK_OFF = 0.5
_LONGEST_BACK_OFF = 30.0
_STEADY_AFTER = 60.0  # a child that lived so long begins again with the shortest back-off
_EXIT_CANNOT_START = 3
_TICK = 1.0

Run = Callable[[asyncio.Event, Callable[[], None]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """What one child does: a name, and a coroutine that calls `ready` once and runs until `stop` is set."""

    name: str
    run: Run


@dataclass(slots=True)
class _Child:
    work: Work
    pid: int = 0
    ready_pipe: int = -1
    was_ready: bool = False
    started_at: float = 0.0
    back_off: float = _FIRST_BACK_OFF
    start_at: float | None = field(default=0.0)


class Supervisor:
    """Runs a fixed set of children until SIGTERM or SIGINT; where asked for, a closed terminal ends it too."""

    def __init__(
        self,
        works: Sequence[Work],
        *,
        on_ready: Callable[[], None] = lambda: None,
        ends_on_hang_up: bool = False,
    ) -> None:
        self._ending = {signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP,) if ends_on_hang_up else ())}
        self._children = [_Child(work) for work in works]
        self._on_ready = on_ready
        self._told_ready = False
        self._stopping = False
        self._failure: str | None = None

    def run(self) -> None:
        """Run until asked to end, or until a child cannot start.

        Raises:
            CannotStart: A child could not start; its own words are in the log.
        """
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        life_read, life_write = os.pipe()
        handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, self._heard) for number in handled}
        before_wake = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        try:
            self._loop(wake_read, (life_read, life_write))
        finally:
            self._end_all()
            signal.set_wakeup_fd(before_wake)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in (wake_read, wake_write, life_read, life_write):
                os.close(descriptor)
        if self._failure:
            raise CannotStart(self._failure)

    def _heard(self, number: int, _: object) -> None:
        if number in self._ending:
            self._stopping = True
        elif number == signal.SIGHUP:
            _log.info("reload_needs_restart", certificates="reloaded by themselves when their files change")

    def _loop(self, wake: int, life: tuple[int, int]) -> None:
        while not self._stopping:
            self._start_due(life)
            self._wait(wake)
            self._reap()
            if not self._told_ready and all(child.was_ready for child in self._children):
                self._told_ready = True
                self._on_ready()

    def _wait(self, wake: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            for child in self._children:
                if child.ready_pipe >= 0:
                    selector.register(child.ready_pipe, selectors.EVENT_READ, child)
            due = [child.start_at - time.monotonic() for child in self._children if child.start_at is not None]
            for key, _ in selector.select(max(0.0, min([_TICK, *due]))):
                if isinstance(key.data, _Child):
                    _hear_ready(key.data)
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)

    def _start_due(self, life: tuple[int, int]) -> None:
        for child in self._children:
            if child.start_at is not None and child.start_at <= time.monotonic() and not self._stopping:
                self._start(child, life)

    def _start(self, child: _Child, life: tuple[int, int]) -> None:
        ready_read, ready_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the child can hear it
        gc.freeze()  # else each child's collector walks all that it shares with us, and so copies it
        pid = os.fork()
        if pid == 0:
            os.close(life[1])
            os.close(ready_read)
            for sibling in self._children:
                if sibling.ready_pipe >= 0:
                    os.close(sibling.ready_pipe)
            _be_child(child.work, ready_write, life[0])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.close(ready_write)
        child.pid, child.ready_pipe = pid, ready_read
        child.started_at, child.start_at = time.monotonic(), None
        _log.info("process_started", process=child.work.name, pid=pid)

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: _Child, code: int) -> None:
        if child.ready_pipe >= 0:
            _hear_ready(child)
        child.pid = 0
        if self._stopping:
            return
        if code == _EXIT_CANNOT_START and not self._told_ready:
            self._failure = f"The {child.work.name} process could not start; the line above says why."
            self._stopping = True
            return
        if time.monotonic() - child.started_at > _STEADY_AFTER:
            child.back_off = _FIRST_BACK_OFF
        child.start_at = time.monotonic() + child.back_off
        _log.error("process_crashed", process=child.work.name, ended_by=_ending(code), again_in=child.back_off)
        child.back_off = min(child.back_off * 2, _LONGEST_BACK_OFF)

    def _end_all(self) -> None:
        self._stopping = True
        for child in self._children:
            _send(child, signal.SIGTERM)
        deadline = time.monotonic() + _END_WITHIN
        while any(child.pid for child in self._children) and time.monotonic() < deadline:
            time.sleep(0.02)
            self._reap()
        for child in self._children:
            if child.pid:
                _log.error("process_killed", process=child.work.name, why="it did not end in time")
                _send(child, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pid = 0
            if child.ready_pipe >= 0:
                os.close(child.ready_pipe)
                child.ready_pipe = -1


def _hear_ready(child: _Child) -> None:
    child.was_ready = os.read(child.ready_pipe, 1) == b"r" or child.was_ready
    os.close(child.ready_pipe)
    child.ready_pipe = -1


def _send(child: _Child, number: signal.Signals) -> None:
    if child.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _be_child(work: Work, ready: int, life: int) -> None:
    """Run a child's work in the forked process, and never return."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to the whole group; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    code = 1
    try:
        asyncio.run(_run(work, ready, life))
        code = 0
    except CannotStart as error:
        _log.error("cannot_start", process=work.name, why=str(error))
        code = _EXIT_CANNOT_START
    finally:
        if code == 1:
            _log.exception("process_failed", process=work.name)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _run(work: Work, ready: int, life: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    loop.add_reader(life, _orphaned, loop, life, stop)

    def tell_ready() -> None:
        os.write(ready, b"r")

    await work.run(stop, tell_ready)


def _orphaned(loop: asyncio.AbstractEventLoop, life: int, stop: asyncio.Event) -> None:
    loop.remove_reader(life)
    stop.set()
