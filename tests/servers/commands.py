"""Programs as the tests run them: with a home of their own, no terminal or a real one, and a deadline."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MOST = 2_000_000  # characters of output that a program may write


MOMENT = 1.5  # seconds for ending politely: a Dovecot that was just started would linger for six


def end_group(process: subprocess.Popen[bytes], seconds: float = MOMENT) -> None:
    """End a process and all its children; politely first, for so long."""
    if seconds:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


class Outcome(NamedTuple):
    """How a program ended: its exit code, and what it wrote to its output and its errors together."""

    code: int
    output: str


@dataclass(slots=True)
class Running:
    """A program that runs until the test has seen enough; `output` grows while it is read."""

    process: subprocess.Popen[bytes]
    source: int
    output: str = ""
    _seen: int = 0

    def wait_for(self, token: str, seconds: float = 15) -> None:
        """Wait until the token comes in the output, behind what was waited for before.

        Raises TimeoutError, or EOFError if the program ends before.
        """
        end = time.monotonic() + seconds
        while (found := self.output.find(token, self._seen)) < 0:
            if time.monotonic() > end:
                raise TimeoutError(f"no {token!r} in {seconds} s:\n{self.output}")
            if not self._read(end):
                raise EOFError(f"the program ended without {token!r}:\n{self.output}")
        self._seen = found + len(token)

    def wait(self, seconds: float = 30) -> Outcome:
        """Wait for the program's end; raises TimeoutError with what it has written."""
        end = time.monotonic() + seconds
        while self._read(end):
            if time.monotonic() > end:
                raise TimeoutError(f"{self.process.args!r} runs on after {seconds} s:\n{self.output}")
        try:
            code = self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"{self.process.args!r} runs on after {seconds} s:\n{self.output}") from late
        return Outcome(code, self.output)

    def type(self, keys: str) -> None:
        """Type on the program's terminal."""
        os.write(self.source, keys.encode())

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self.source], [], [], max(0, min(0.2, end - time.monotonic())))
        if not ready:
            return True
        try:
            octets = os.read(self.source, 65536)
        except OSError:  # a terminal whose program has gone
            return False
        self.output += octets.decode(errors="replace")
        if len(self.output) > MOST:
            raise ValueError(f"{self.process.args!r} writes without end")
        return bool(octets)


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, ready to run. `home` becomes $HOME; `terminal` gives it a real one."""

    argv: tuple[str, ...]
    home: Path
    stdin: bytes = field(default=b"", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    terminal: bool = False

    def run(self, seconds: float = 30) -> Outcome:
        """Run to the end and give exit code and output; raises TimeoutError."""
        with self.start() as running:
            return running.wait(seconds)

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Start it; it is ended, with all its children, when the block is left."""
        standard_input = self.home / "stdin"
        standard_input.write_bytes(self.stdin)
        ours, theirs = pty.openpty() if self.terminal else os.pipe()
        with standard_input.open("rb") as file:
            process = subprocess.Popen(
                self.argv,
                stdin=theirs if self.terminal else file,
                stdout=theirs,
                stderr=theirs,
                cwd=self.home,
                env=self._environment(),
                start_new_session=True,
            )
        os.close(theirs)
        try:
            yield Running(process, ours)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            os.close(ours)

    def _environment(self) -> dict[str, str]:
        path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin"
        usual = {"HOME": str(self.home), "PATH": path, "LC_ALL": "C.UTF-8", "TERM": "vt100", "LINES": "40"}
        return {**usual, "COLUMNS": "120", **self.environment}
