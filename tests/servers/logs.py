"""Servers' logs, so that a failed test can show what the servers said meanwhile."""

import time
from dataclasses import dataclass
from pathlib import Path

MOST = 60_000  # octets of a log shown after a failure


@dataclass(slots=True)
class ServerLog:
    """One server's log file; `mark` says where a test began."""

    name: str
    path: Path
    _mark: int = 0

    def mark(self) -> None:
        """Let `since_mark` begin here."""
        self._mark = self.path.stat().st_size if self.path.exists() else 0

    def since_mark(self) -> str:
        """Read what was written since the mark, its end if it is long."""
        return self._read(self._mark)

    def text(self) -> str:
        """Read the whole log, its end if it is long."""
        return self._read(0)

    def wait_for(self, token: str, seconds: float = 30) -> str:
        """Wait for a line since the mark that holds the token and give it; raises TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.since_mark().splitlines():
                if token in line:
                    return line
            time.sleep(0.02)  # a log file tells nobody that it grew
        raise TimeoutError(f"{self.name} logged nothing with {token!r} in {seconds} s:\n{self.since_mark()}")

    def _read(self, start: int) -> str:
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(max(start, self.path.stat().st_size - MOST))
            return file.read(MOST).decode(errors="replace")
