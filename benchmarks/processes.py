"""What a server's processes cost, read from /proc; and which core runs what."""

import os
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_STOPS_WITHIN = 5.0  # seconds
# Fields of /proc/PID/stat behind the name (proc_pid_stat(5)), the state being the first.
_PARENT, _CPU, _CPU_OF_ENDED = 1, (11, 12), (13, 14)


def cores() -> tuple[set[int], set[int]]:
    """Give the core of the servers, and the core of everything that drives them (the same where there is one)."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[-1]}


@contextmanager
def on_cores(wanted: set[int]) -> Iterator[None]:
    """Run this process, and what it starts meanwhile, on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(command: Sequence[str | Path], log: Path, cwd: Path | None = None) -> Iterator[int]:
    """Run a server on the servers' core; gives its process id. It and its children are ended at the end."""
    with log.open("ab") as output, on_cores(cores()[0]):
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=cwd, start_new_session=True)
    try:
        yield process.pid
    finally:
        children = family(process.pid)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOPS_WITHIN)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        process.wait()


def family(root: int) -> list[int]:
    """Give a process and all its descendants that live."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(_stat(int(entry.name))[_PARENT], []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """Give the CPU time, user and system, that a server's processes have taken, those that ended included."""
    ticks = sum(_stat(root)[field] for field in _CPU_OF_ENDED)
    for pid in family(root):
        with suppress(OSError):
            ticks += sum(_stat(pid)[field] for field in _CPU)
    return ticks / _TICKS


def memory_kib(root: int, *, shared: bool) -> int:
    """Give the resident memory of a server's processes.

    `shared`: pages that several processes have in common are counted once (PSS), as is fair to a server with a process
    for each session. Otherwise each process counts whole (RSS): a page that a fork stops sharing is no growth.
    """
    field = "Pss:" if shared else "Rss:"
    total = 0
    for pid in family(root):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(field))
    return total


def settle(root: int) -> None:
    """Wait until a server does next to nothing."""
    for _ in range(50):
        before = cpu_seconds(root)
        time.sleep(0.2)
        if cpu_seconds(root) - before <= 0.02:
            return


def allow_open_files(wanted: int) -> int:
    """Raise the limit of open files for this process and what it starts; gives what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(soft, wanted)
    if hard != resource.RLIM_INFINITY and hard < limit:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
        limit = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def _stat(pid: int) -> list[int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [0, *map(int, fields[1:])]
