"""The rules of every test run: what cannot run here is named, and in CI nothing may be left out or skipped.

A run may be spread over several processes (pytest-xdist). Each worker collects all tests and tells at its end what it
has left out; the process that started them names it, counts it and judges by it, as a run in one process does.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import pytest
import structlog
from hypothesis import settings
from tests.servers.logs import ServerLog
from tests.servers.presence import BY_FIXTURE, BY_MARK, missing

LEFT_OUT = pytest.StashKey[Counter[str]]()  # what this machine lacks → how many tests need it
DESELECTED = pytest.StashKey[list[str]]()  # the names of all tests that were collected and will not run
NEEDS = "needs(program, ...): programs of the machine without which the test cannot run"
MOST_WORKERS = 8  # each starts mail servers of its own
# Whole files go to the workers in the order they stand in. What takes longest begins first, so that none is left with it
# alone at the end; what is not named comes behind, as it is.
FIRST = (
    "tests/browser/test_portal_accessible.py",
    "tests/unit/doors/test_hostile_doors.py",
    "tests/browser/",
    "tests/unit/doors/test_scope_matrix.py",
    "tests/integration/",
    "tests/contract/test_store_kill.py",
    "tests/unit/doors/test_every_endpoint.py",
    "tests/unit/doors/web/",
    "tests/unit/service/test_service_closing.py",
    "tests/unit/doors/cli/",
)

# Deadlines in milliseconds fail where machines are shared; the tests' claims are not about speed.
settings.register_profile("valetkey", deadline=None, print_blob=True)
settings.load_profile("valetkey")


@pytest.fixture(autouse=True, scope="module")
def _logging_of_this_file() -> Iterator[None]:
    """Let no file decide where the log lines of the next one go, and which are written at all."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Let no test decide where the log lines of the next one go; what a fixture of its module has set up stays."""
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    if before is not None:
        structlog.configure(**before)
    elif structlog.is_configured():
        structlog.reset_defaults()


@dataclass
class Deselected:
    """A test of a worker that did not run, as the closing line counts it."""

    nodeid: str


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark `needs` known, and let the programs that tests start keep their bytecode."""
    # Where it may not be written, every start of `valetkey` compiles all of Valetkey anew: half a second, hundreds of times.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False  # nor is each file of tests rewritten anew by each worker of each run
    structlog.configure = _uncached(structlog.configure)
    config.addinivalue_line("markers", NEEDS)
    config.stash[LEFT_OUT] = Counter()
    config.stash[DESELECTED] = []


def _uncached(configure: Callable[..., None]) -> Callable[..., None]:
    """Configure loggers that do not keep what they were configured with: in one process many tests log."""

    @wraps(configure)
    def configured(*args: Any, **settings: Any) -> None:
        configure(*args, **(settings | {"cache_logger_on_first_use": False}))

    return configured


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Take one worker more than there are cores for `-n auto`: much of the run is waiting for servers."""
    return min(len(os.sched_getaffinity(0)) + 1, MOST_WORKERS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests for which this machine lacks something, and remember what; put the others in order."""
    absent = {item: words for item in items if (words := _absent(item))}
    config.stash[LEFT_OUT].update(words for each in absent.values() for words in each)
    if absent:
        config.hook.pytest_deselected(items=list(absent))
        items[:] = [item for item in items if item not in absent]
    items.sort(key=lambda item: _turn(item.nodeid))


def _turn(name: str) -> int:
    """Say how early a test comes."""
    return next((turn for turn, beginning in enumerate(FIRST) if name.startswith(beginning)), len(FIRST))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember what will not run, whoever decided so: this file, `-k` or `-m`."""
    for item in items:
        item.config.stash[DESELECTED].append(item.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over from a worker that ends what it has left out. Each has collected the same tests, so each says the same."""
    told = getattr(node, "workeroutput", {})  # one that has crashed tells nothing, and the run fails anyhow
    node.config.stash[LEFT_OUT] |= Counter(told.get("left_out", {}))
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and told.get("deselected"):
        reporter.stats["deselected"] = [Deselected(name) for name in told["deselected"]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped a test or left one out. A worker tells what it has left out, and judges nothing."""
    if (tells := getattr(session.config, "workeroutput", None)) is not None:
        tells["left_out"] = dict(session.config.stash[LEFT_OUT])
        tells["deselected"] = session.config.stash[DESELECTED]
    elif session.exitstatus == pytest.ExitCode.OK and _in_ci() and (_left_out(session.config) or _skipped(session)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was left out, and why."""
    for words, count in sorted(config.stash[LEFT_OUT].items()):
        tests = "1 test" if count == 1 else f"{count} tests"
        terminalreporter.write_line(f"LEFT OUT {tests}: this machine lacks {words}", yellow=True)
    if _in_ci() and (_left_out(config) or terminalreporter.stats.get("skipped")):
        terminalreporter.write_line("CI: nothing may be skipped or left out, so this run has failed", red=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the servers that it used have logged meanwhile."""
    report = yield
    for log in _logs(item):
        if report.when == "setup":
            log.mark()
        elif report.failed:
            report.sections.append((f"{log.name}'s log", log.since_mark()))
    return report


def _absent(item: pytest.Item) -> list[str]:
    return [words for need in sorted(_needs(item)) if (words := missing(need))]


def _needs(item: pytest.Item) -> set[str]:
    needs = {str(need) for mark in item.iter_markers("needs") for need in mark.args}
    for mark in item.iter_markers():
        needs.update(BY_MARK.get(mark.name, ()))
    for fixture in getattr(item, "fixturenames", ()):
        needs.update(BY_FIXTURE.get(fixture, ()))
    return needs


def _logs(item: pytest.Item) -> Iterator[ServerLog]:
    for value in getattr(item, "funcargs", {}).values():
        logs = getattr(value, "logs", None)
        yield from (log for log in logs if isinstance(log, ServerLog)) if isinstance(logs, list) else ()


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


def _left_out(config: pytest.Config) -> int:
    return config.stash[LEFT_OUT].total()


def _skipped(session: pytest.Session) -> bool:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    return reporter is not None and any(reporter.stats.get(kind) for kind in ("skipped", "xfailed"))
