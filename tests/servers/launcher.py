"""The process behind `launching.py`: has all of Valetkey imported, and becomes a `valetkey` for each that is asked for.

Run as `python -m tests.servers.launcher DESCRIPTOR`, with a socket for the requests. It has one thread and forks; what
a request becomes runs `valetkey.__main__.main` from here, at the top of a program, and ends as every program does.
"""

import gc
import io
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import valetkey

LONGEST_REQUEST = 200_000  # octets
_ERRORS = 2
_GIVEN = 4  # descriptors with a request: standard input, output and errors, and where to tell the end
# What Alembic loads, and what runs in a process of its own.
_NOT_HERE = ("valetkey.adapters.store.migrations.", "valetkey.demo.mailbox")


@dataclass(frozen=True)
class Request:
    """What to become: `facts` as JSON (program, arguments, folder, environment, session), and the descriptors."""

    facts: dict[str, Any]
    descriptors: list[int]

    @property
    def status(self) -> socket.socket:
        """Where to tell the process id, and then the exit code."""
        return socket.socket(fileno=self.descriptors[-1])


class Launcher:
    """Forks for each request, and tells how each child ended."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._running: dict[int, socket.socket] = {}
        self._interrupt = signal.getsignal(signal.SIGINT)

    def wait_for_what_to_become(self) -> Request | None:
        """Fork for all that is asked: gives the request in each child, and None here when nobody is left to ask."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the children as well
        waiting = select.poll()
        waiting.register(self._requests, select.POLLIN)
        waiting.register(woken, select.POLLIN)
        while True:
            for descriptor, _ in waiting.poll():
                if descriptor == woken:
                    os.read(woken, 4096)
                    self._tell_ends()
                elif (request := self._next()) is None:
                    return None
                elif self._forked(request, (woken, wake)):
                    return request

    def _next(self) -> Request | None:
        text, descriptors, _, _ = socket.recv_fds(self._requests, LONGEST_REQUEST, _GIVEN)
        return Request(json.loads(text), descriptors) if text else None

    def _forked(self, request: Request, ours: tuple[int, int]) -> bool:
        status = request.status
        pid = os.fork()
        if pid:
            self._running[pid] = status
            for descriptor in request.descriptors[:-1]:
                os.close(descriptor)
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self._interrupt)
        for descriptor in ours:
            os.close(descriptor)
        for each in (self._requests, *self._running.values()):
            each.close()
        if request.facts["session"]:
            os.setsid()
        status.send(str(os.getpid()).encode())
        status.close()
        return True

    def _tell_ends(self) -> None:
        while self._running:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._running.pop(pid) as status:
                _tell(status, str(os.waitstatus_to_exitcode(ended)))


def _tell(status: socket.socket, text: str) -> None:
    try:
        status.send(text.encode(), socket.MSG_NOSIGNAL)
    except (BrokenPipeError, ConnectionResetError):
        return  # whoever asked has gone


def import_everything() -> None:
    """Import all of Valetkey, as late as it otherwise is."""
    for name in _modules(valetkey):
        if not name.startswith(_NOT_HERE) and not name.endswith(".__main__"):  # some programs do not ask who runs them
            import_module(name)
    import_module("valetkey.__main__")


def _modules(package: Any) -> Iterator[str]:
    for found in iter_modules(package.__path__, f"{package.__name__}."):
        yield found.name
        if found.ispkg and not found.name.startswith(_NOT_HERE):
            yield from _modules(import_module(found.name))


def become(request: Request) -> Callable[[], object]:
    """Put on what a process is given at its start: streams, folder, environment and arguments; give what it calls."""
    for number, descriptor in enumerate(request.descriptors[:-1]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = _stream(sys.stdin, 0, "rb")
    sys.stdout = sys.__stdout__ = _stream(sys.stdout, 1, "wb")
    sys.stderr = sys.__stderr__ = _stream(sys.stderr, 2, "wb")
    os.environ.clear()
    os.environ.update(request.facts["environment"])
    os.chdir(request.facts["folder"])
    sys.path[0] = request.facts["folder"]
    module, _, name = request.facts["program"].partition(":")
    program = import_module(module)
    sys.argv = [program.__file__ or "", *request.facts["arguments"]]
    called: Callable[[], object] = getattr(program, name)
    return called


def _stream(before: Any, number: int, mode: str) -> io.TextIOWrapper:
    """Open a standard stream as Python does at its start, also where PYTHONUNBUFFERED is set."""
    is_at_once = before.write_through
    opened: Callable[..., Any] = open
    stream = opened(number, mode, buffering=0 if is_at_once and number else -1, closefd=False)
    return io.TextIOWrapper(
        stream,
        before.encoding,
        before.errors,
        newline="\n" if number else None,
        line_buffering=not is_at_once and (number == _ERRORS or stream.isatty()),
        write_through=is_at_once,
    )


if __name__ == "__main__":
    import_everything()
    gc.collect()
    gc.freeze()  # else each child's collector walks all that was imported, and so copies it
    asked = Launcher(socket.socket(fileno=int(sys.argv[1]))).wait_for_what_to_become()
    if asked is not None:
        become(asked)()
