"""What servers have in common that listen on TCP ports: how they start and stop, and what is told if they do not."""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from tests.servers.commands import MOMENT, end_group
from tests.servers.logs import ServerLog
from tests.servers.places import LOCALHOST, greeting, wait_until_closed, wait_until_listening
from tests.servers.unpacked import Unpacked


class Startable(Protocol):
    """What can be started and stopped."""

    def start(self) -> None:
        """Start and wait until it is ready; raises RuntimeError with its log."""

    def end(self) -> None:
        """Stop it for good; does nothing if it does not run."""


S = TypeVar("S", bound=Startable)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Run a server for a while. What a start leaves that fails is stopped, too."""
    try:
        server.start()
        yield server
    finally:
        server.end()


@dataclass
class Listening(ABC):
    """A server that stays in the foreground. `start` and `stop` may be called again and again: ports and mail stay."""

    title: ClassVar[str]
    log: ServerLog = field(init=False, repr=False)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False, repr=False)

    @property
    def logs(self) -> list[ServerLog]:
        """The logs that a failed test shows."""
        return [self.log]

    def start(self) -> None:
        """Start and wait until every port is open and the first greets; raises RuntimeError with the logs if that fails."""
        self._launch()
        ports = self._listens_on()
        closed = wait_until_listening(ports)
        if closed or not greeting(ports[0]):  # ports are open before anybody works behind them
            self.stop()
            said = "\n".join([self._output().read_text(), *(each.text() for each in self.logs)])
            raise RuntimeError(f"{self.title} does not listen on {closed}\n{said}")

    def stop(self) -> None:
        """Stop it and all its processes; sessions are closed. Does nothing if it does not run."""
        self._stop(MOMENT)

    def end(self) -> None:
        """Stop it as nobody needs it any more: at once, as some take their second or two to end politely."""
        self._stop(0)

    def _stop(self, seconds: float) -> None:
        if not self._processes:
            return
        while self._processes:
            self._end(self._processes.pop(), seconds)
        if still := wait_until_closed(self._listens_on()):
            raise RuntimeError(f"{self.title} still listens on {still}")

    @abstractmethod
    def _listens_on(self) -> list[int]:
        """Give every port of 127.0.0.1, that first on which the server speaks first."""

    @abstractmethod
    def _launch(self) -> None:
        """Start its processes and put them into `_processes`, each the leader of a group."""

    def _end(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        end_group(process, seconds)

    @abstractmethod
    def _output(self) -> Path:
        """Give the file of what its processes write to their output and errors."""


@dataclass
class InFolder(Listening):
    """One of this machine's own servers, which has its settings, and what it writes, in a folder of the test's."""

    directory: Path

    def _output(self) -> Path:
        return self.directory / "output"

    def _launch(self) -> None:
        with self._output().open("ab") as file:
            process = subprocess.Popen(self._command(), stdout=file, stderr=file, start_new_session=True)
        self._processes.append(process)

    @abstractmethod
    def _command(self) -> list[str]:
        """Give the command that starts it."""


@dataclass
class InCopy(Listening):
    """A server in a Debian of its own (see tests/servers/unpacked.py)."""

    place: Unpacked
    host: str = field(default=LOCALHOST, init=False)

    def _output(self) -> Path:
        return self.place.output

    def _end(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.place.stop(process, seconds)
