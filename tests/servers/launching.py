"""Starts Valetkey's command line from a process that has imported it already: half a second to a second less for each.

A test's process has one launcher (`launcher.py`), which forks. What it starts runs the very `valetkey.__main__.main`
with streams, folder, environment and arguments of its own, no handler of a signal, no thread and no logging set up, and
ends as any other program; `test_launching.py` compares them. What differs from `python -m valetkey`: everything is
imported already, the parent is the launcher, and `ps` shows its name. That a cold start works too is held by the tests that
say so: `test_serve.py` (serve, in good order and not), `test_demo.py` (demo), `test_connect_postfix.py` (connect),
`conftest.py` (the Valetkey that most tests share) and `tests/unit/app/test_late_imports.py` (help, version, most commands).
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

PROGRAM = (sys.executable, "-m", "valetkey")  # a cold start
ROOT = Path(__file__).parents[2]
_STARTS_WITHIN = 120.0  # seconds, with all imports, on a machine that does something else
_ENDS_WITHIN = 60.0


class Launched:
    """A running `valetkey`, as far as tests use what `subprocess.Popen` has."""

    def __init__(self, arguments: tuple[str, ...], status: socket.socket) -> None:
        self.args = ("valetkey", *arguments)
        self.returncode: int | None = None
        self._status = status
        self.pid = int(self._told(_STARTS_WITHIN) or 0)

    def poll(self) -> int | None:
        """Give the exit code if it has ended; the number of a signal is negative."""
        return self._ended(0)

    def wait(self, timeout: float = _ENDS_WITHIN) -> int:
        """Wait until it has ended and give the exit code; raises TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float) -> int | None:
        if self.returncode is None and (told := self._told(timeout)) is not None:
            self.returncode = int(told)
            self._status.close()
        return self.returncode

    def _told(self, timeout: float) -> bytes | None:
        waiting = select.poll()
        waiting.register(self._status, select.POLLIN)
        if not waiting.poll(timeout * 1000):
            return None
        told = self._status.recv(100)
        if not told:
            raise RuntimeError("the launcher of the tests has ended")
        return told


def start_valetkey(
    *arguments: str,
    output: IO[bytes] | int = subprocess.DEVNULL,
    errors: IO[bytes] | int = subprocess.STDOUT,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    session: bool = False,
    program: str = "valetkey.__main__:main",
) -> Launched:
    """Start a command of Valetkey's.

    Args:
        arguments: What stands behind `valetkey`.
        output: A file for its standard output.
        errors: A file for its standard errors; the other one unless told otherwise.
        stdin: A file with its standard input.
        session: Whether it leads a session of its own, so that its children can be ended with it.
        program: What it calls, as `module:function`, where that is not Valetkey's own command line.
    """
    facts = {
        "program": program,
        "arguments": arguments,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "session": session,
    }
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, Path(os.devnull).open("r+b", buffering=0) as nothing:
        given = [nothing if each == subprocess.DEVNULL else each for each in (stdin, output, errors)]
        files = [given[1] if each == subprocess.STDOUT else each for each in given]
        numbers = [each if isinstance(each, int) else each.fileno() for each in files]
        socket.send_fds(_launcher(), [json.dumps(facts).encode()], [*numbers, theirs.fileno()])
    return Launched(arguments, ours)


def run_valetkey(*arguments: str, stdin: str = "", timeout: float = _ENDS_WITHIN) -> subprocess.CompletedProcess[str]:
    """Run a command of Valetkey's to its end; raises TimeoutExpired."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        process = start_valetkey(*arguments, output=said, errors=errors, stdin=given)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = [_text(each) for each in (said, errors)]
    return subprocess.CompletedProcess(process.args, code, *texts)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@functools.cache
def _launcher() -> socket.socket:
    """Start the launcher of this process of tests; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.launcher", str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(_end, process, ours)
    return ours


def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    process.wait(_ENDS_WITHIN)
