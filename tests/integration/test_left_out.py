"""A run that cannot do everything says so, and in CI it fails; in one process or in several."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = ("-n", "0")
SPREAD = ("-n", "2", "--dist", "loadfile")
RUNS = """
def test_here():
    pass
"""
NEEDS = """
import pytest

@pytest.mark.needs("swaks", "mbsync")
@pytest.mark.parametrize("number", range(3))
def test_there(number):
    pass

def test_here_too():
    pass
"""
SKIPS = """
import pytest

def test_not_today():
    pytest.skip("not today")
"""


def run(folder: Path, *options: str, ci: str = "", **files: str) -> subprocess.CompletedProcess[str]:
    """Run the given test files by the rules of this project's tests, on a machine that has no programs."""
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "xdist.plugin", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, *options, str(folder)]
    environment = {
        "PATH": "/nowhere",
        "CI": ci,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def closing_line(done: subprocess.CompletedProcess[str]) -> str:
    """Give what the last line of a run says of its tests; .ci/run reads it, too."""
    found = re.fullmatch(r"=+ (.+) in [0-9.]+s =+", done.stdout.splitlines()[-1])
    assert found is not None, done.stdout + done.stderr
    return found[1]


@pytest.mark.parametrize("way", [ALONE, SPREAD])
def test_what_was_left_out_is_named_with_the_package_that_brings_it(tmp_path: Path, way: tuple[str, ...]) -> None:
    done = run(tmp_path, *way, runs=RUNS, needs=NEEDS)
    assert done.returncode == 0
    assert "LEFT OUT 3 tests: this machine lacks mbsync (Debian: apt-get install isync)\n" in done.stdout
    assert "LEFT OUT 3 tests: this machine lacks swaks (Debian: apt-get install swaks)\n" in done.stdout
    assert closing_line(done) == "2 passed, 3 deselected"


@pytest.mark.parametrize("way", [ALONE, SPREAD])
def test_in_ci_a_run_that_left_something_out_fails(tmp_path: Path, way: tuple[str, ...]) -> None:
    done = run(tmp_path, *way, ci="true", runs=RUNS, needs=NEEDS)
    assert done.returncode == 1
    assert "CI: nothing may be skipped or left out" in done.stdout


@pytest.mark.parametrize("way", [ALONE, SPREAD])
def test_in_ci_a_run_that_skipped_something_fails(tmp_path: Path, way: tuple[str, ...]) -> None:
    done = run(tmp_path, *way, ci="true", runs=RUNS, skips=SKIPS)
    assert done.returncode == 1
    assert "CI: nothing may be skipped or left out" in done.stdout


@pytest.mark.parametrize("way", [ALONE, SPREAD])
def test_in_ci_a_run_that_did_everything_succeeds(tmp_path: Path, way: tuple[str, ...]) -> None:
    done = run(tmp_path, *way, ci="true", runs=RUNS)
    assert done.returncode == 0, done.stdout
    assert closing_line(done) == "1 passed"


@pytest.mark.parametrize("way", [ALONE, SPREAD])
def test_what_was_not_asked_for_is_counted(tmp_path: Path, way: tuple[str, ...]) -> None:
    done = run(tmp_path, *way, "-k", "too", runs=RUNS, needs=NEEDS)
    assert done.returncode == 0
    assert closing_line(done) == "1 passed, 4 deselected"
