"""The supervisor: starts children, tells when all are ready, restarts what crashed, ends all, leaves none."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HEAD = """\
import asyncio, os, sys, signal
from pathlib import Path
from valetkey.app.logs import set_up_logging
from valetkey.app.supervisor import Supervisor, Work
from valetkey.core.errors import CannotStart

set_up_logging("text", "info")
place = Path(sys.argv[1])

def steady(name):
    async def run(stop, ready):
        (place / f"{name}.{os.getpid()}").touch()
        ready()
        await stop.wait()
        (place / f"{name}.{os.getpid()}.ended").touch()
    return Work(name, run)
"""


@contextmanager
def supervising(tmp_path: Path, program: str) -> Iterator[subprocess.Popen[str]]:
    source = HEAD + textwrap.dedent(program)
    process = subprocess.Popen([sys.executable, "-c", source, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(is_so: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def started(place: Path, name: str) -> list[int]:
    return [int(path.name.split(".")[1]) for path in place.glob(f"{name}.*") if not path.name.endswith("ended")]


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


TWO = """
Supervisor([steady("a"), steady("b")], on_ready=(place / "ready").touch).run()
(place / "over").touch()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_are_ready_and_all_end_when_asked(tmp_path: Path, number: signal.Signals) -> None:
    with supervising(tmp_path, TWO) as process:
        wait_until((tmp_path / "ready").exists)
        process.send_signal(number)
        assert process.wait(10) == 0
    for name in ("a", "b"):
        (pid,) = started(tmp_path, name)
        assert (tmp_path / f"{name}.{pid}.ended").exists()
    assert (tmp_path / "over").exists()


def test_what_a_child_shares_is_left_alone_by_its_collector(tmp_path: Path) -> None:
    program = """
    import gc

    async def run(stop, ready):
        (place / "frozen").write_text(str(gc.get_freeze_count()))
        ready()
        await stop.wait()

    Supervisor([Work("a", run)], on_ready=(place / "ready").touch).run()
    """
    with supervising(tmp_path, program):
        wait_until((tmp_path / "ready").exists)
        assert int((tmp_path / "frozen").read_text()) > 10_000


def test_a_killed_child_is_started_again_and_the_other_goes_on(tmp_path: Path) -> None:
    with supervising(tmp_path, TWO) as process:
        wait_until((tmp_path / "ready").exists)
        (first,), (other,) = started(tmp_path, "a"), started(tmp_path, "b")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(started(tmp_path, "a")) == 2)
        assert started(tmp_path, "b") == [other]
        assert not is_gone(other)
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert "SIGKILL" in process.stderr.read()


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with supervising(tmp_path, TWO) as process:
        wait_until((tmp_path / "ready").exists)
        process.kill()
        process.wait(10)
        wait_until(lambda: all(is_gone(pid) for name in "ab" for pid in started(tmp_path, name)))
        assert len(list(tmp_path.glob("*.ended"))) == 2


def test_a_child_that_cannot_start_ends_all_with_its_sentence(tmp_path: Path) -> None:
    program = """
    async def cannot(stop, ready):
        raise CannotStart("The certificate is missing.")
    try:
        Supervisor([steady("a"), Work("worker-1", cannot)]).run()
    except CannotStart as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    """
    with supervising(tmp_path, program) as process:
        assert process.wait(10) == 3
        assert process.stderr is not None
        said = process.stderr.read()
    assert "The certificate is missing." in said
    assert "The worker-1 process could not start" in said
    assert all(is_gone(pid) for pid in started(tmp_path, "a"))


def test_crashes_are_tried_again_after_longer_and_longer_pauses(tmp_path: Path) -> None:
    program = """
    async def crash(stop, ready):
        with (place / "times").open("a") as file:
            file.write(f"{asyncio.get_running_loop().time()}\\n")
        raise RuntimeError("a bug")
    Supervisor([Work("crashing", crash)]).run()
    """
    with supervising(tmp_path, program) as process:
        times = tmp_path / "times"
        wait_until(lambda: times.exists() and len(times.read_text().split()) >= 3)
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert "a bug" in process.stderr.read()
    first, second, third = [float(line) for line in times.read_text().split()][:3]
    assert second - first >= 0.5
    assert third - second >= 1.0


def test_a_hang_up_is_no_end(tmp_path: Path) -> None:
    with supervising(tmp_path, TWO) as process:
        wait_until((tmp_path / "ready").exists)
        process.send_signal(signal.SIGHUP)
        for name in ("a", "b"):
            os.kill(started(tmp_path, name)[0], signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert [len(started(tmp_path, name)) for name in ("a", "b")] == [1, 1]
        process.terminate()
        assert process.wait(10) == 0


def test_a_closed_terminal_ends_it_where_that_was_asked_for(tmp_path: Path) -> None:
    with supervising(tmp_path, TWO.replace(").run()", ", ends_on_hang_up=True).run()")) as process:
        wait_until((tmp_path / "ready").exists)
        process.send_signal(signal.SIGHUP)
        assert process.wait(10) == 0
    assert len(list(tmp_path.glob("*.ended"))) == 2
