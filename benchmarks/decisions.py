"""Decisions in process: `service.login.check` on the real SQLite store with real keys, its events being recorded.

Each call is timed by itself on the event loop on which the gateway calls it: elapsed, which the targets are about, and
the thread's CPU, which other programs on the machine disturb less. The recorder writes once a second meanwhile, in the
store's thread, as in production. The groups take turns, so that a slower moment of the machine meets them all.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles

from benchmarks import hashes
from benchmarks.findings import Finding, at_least, at_most
from benchmarks.population import Login, Population, populate
from benchmarks.settings import Effort

from valetkey.adapters.clock import SystemClock
from valetkey.adapters.entropy import SystemEntropy
from valetkey.adapters.hashing import Argon2Hasher
from valetkey.adapters.passkeys import WebAuthn
from valetkey.adapters.password_gauge import ZxcvbnGauge
from valetkey.adapters.rules import StoredRules
from valetkey.core.limits import EVERYTHING_HELD
from valetkey.core.login import Allowed, LoginAttempt, Refused
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleLimits
from valetkey.service.activity import BatchingRecorder
from valetkey.service.login import check
from valetkey.service.ports import LiveSession, LiveSurvey, Ports

PART = "decision"
_DRAWN = 2_000  # different logins of each group: equally many rows are touched, whatever the accounts look like
_TURNS = 20
_Time = tuple[float, float]  # elapsed and CPU, microseconds
_WRONG = Login("person0.of1@example.org", "vkey-zzzz-zzzz-zzzz-zzzz-zzzz-zzzz")


class _NoSessions:
    """There is no gateway here."""

    async def apply_changes(self, account_id: str | None) -> int:
        """Close nothing."""
        del account_id
        return 0

    async def list(self, account_id: str | None) -> tuple[LiveSession, ...]:
        """List nothing."""
        del account_id
        return ()

    async def survey(self, account_id: str | None) -> LiveSurvey:
        """List nothing, and miss nobody."""
        del account_id
        return LiveSurvey(())

    async def close(self, session_id: str) -> bool:
        """Close nothing."""
        del session_id
        return False


def measure(effort: Effort) -> list[Finding]:
    """Measure and hold against the targets."""
    with tempfile.TemporaryDirectory(prefix="valetkey-bench-") as folder:
        population = populate(Path(folder), _shape(effort.app_passwords), _DRAWN)
        try:
            times, refused, lost = asyncio.run(_run(population, effort.decisions))
        finally:
            population.store.close()
    return _findings(population, times, refused, lost)


def _shape(total: int) -> list[tuple[int, int]]:
    """Spread the app passwords: most accounts have one, many have ten, and a few have 10,000."""
    crowded = max(2, total * 6 // 10 // 10_000)
    rest = max(total - crowded * 10_000, 10_000)
    return [(1, rest // 2), (10, rest // 20), (10_000, crowded)]


async def _run(population: Population, count: int) -> tuple[list[list[_Time]], list[_Time], int]:
    recorder = BatchingRecorder(population.store)
    async with _joined(population, recorder) as ports:
        streams = [cycle(group.logins) for group in population.groups]
        per_turn = count // len(streams) // _TURNS
        for stream, group in zip(streams, population.groups, strict=True):
            await _time(ports, list(islice(stream, len(group.logins))))  # warm what a running worker has warm
        times: list[list[_Time]] = [[] for _ in streams]
        for turn in range(_TURNS):
            for place in range(len(streams)):
                which = (turn + place) % len(streams)
                times[which] += await _time(ports, list(islice(streams[which], per_turn)))
        refused = await _time(ports, [_WRONG] * 50, wanted=Refused)
    return times, refused, recorder.dropped


@contextlib.asynccontextmanager
async def _joined(population: Population, recorder: BatchingRecorder) -> AsyncIterator[Ports]:
    hasher, gauge = Argon2Hasher(), ZxcvbnGauge()
    ports = Ports(
        store=population.store,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        hasher=hasher,
        keys=population.keys,
        live_sessions=_NoSessions(),
        recorder=recorder,
        rules=StoredRules(population.store, Policy(), NamedNetworks({})),
        throttle=ThrottleLimits(),
        passkeys=WebAuthn(),
        gauge=gauge,
    )
    running = asyncio.create_task(recorder.run())
    try:
        yield ports
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        hasher.close()
        gauge.close()


async def _time(ports: Ports, logins: Sequence[Login], wanted: type = Allowed) -> list[_Time]:
    """Give the times of each decision."""
    address = ip_address("198.51.100.7")
    spent = []
    for login in logins:
        attempt = LoginAttempt(
            login.name, login.secret, MailProtocol.IMAP, address, True, "gateway", "Benchmark", EVERYTHING_HELD
        )
        cpu, begin = time.thread_time_ns(), time.perf_counter_ns()
        verdict = await check(ports, attempt)
        end, cpu_end = time.perf_counter_ns(), time.thread_time_ns()
        spent.append(((end - begin) / 1000, (cpu_end - cpu) / 1000))
        if not isinstance(verdict, wanted):
            raise RuntimeError(f"the decision was {verdict}")  # noqa: TRY004  it is not about types
        await asyncio.sleep(0)  # the recorder's turn
    return spent


def _findings(population: Population, times: Sequence[list[_Time]], refused: list[_Time], lost: int) -> list[Finding]:
    found = []
    halves = [median(elapsed for elapsed, _ in group) for group in times]
    for group, spent, half in zip(population.groups, times, halves, strict=True):
        name = f"{group.each:,} per account, {population.total:,} in all"
        elapsed, cpu = zip(*spent, strict=True)
        found += [
            at_most(PART, f"p50, {name}", half, "µs", 60),
            at_most(PART, f"p99, {name}", quantiles(elapsed, n=100)[98], "µs", 200),
            Finding(PART, f"p50 of CPU, {name}", median(cpu), "µs"),
            Finding(PART, f"p99 of CPU, {name}", quantiles(cpu, n=100)[98], "µs"),
            Finding(PART, f"per second of one core, {name}", 1e6 * len(cpu) / sum(cpu), "/s"),
        ]
    flat = max(abs(half / halves[0] - 1) for half in halves) * 100
    found += [
        at_most(PART, "most difference of p50 from one per account", flat, "%", 10),
        Finding(PART, "refused and durably counted, p50", median(elapsed for elapsed, _ in refused), "µs"),
        at_most(PART, "login events lost", lost, "", 0),
    ]
    return found + _beside_hashes(max(halves))


def _beside_hashes(half: float) -> list[Finding]:
    argon, bcrypt, sha = hashes.argon2id(), hashes.crypt_bcrypt(), hashes.crypt_sha512()
    found = [
        Finding(PART, "one Argon2id, 19 MiB, two passes", argon, "µs"),
        at_least(PART, "one Argon2id ÷ decision", argon / half, "×", 250),
    ]
    if bcrypt is not None:
        found += [
            Finding(PART, "one bcrypt, cost 10", bcrypt, "µs"),
            at_least(PART, "ten bcrypts ÷ decision", 10 * bcrypt / half, "×", 5000),
        ]
    if sha is not None:
        found.append(Finding(PART, "one SHA512-CRYPT ÷ decision", sha / half, "×"))
    return found
