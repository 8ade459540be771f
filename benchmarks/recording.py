"""Recording logins: batches of events merged into a full store, with everything that is counted and kept by them.

Each batch is one transaction, as the recorder writes one each second. First every event is a new entry of its list;
then the same things happen again and only count up, as they do on most days.
"""

import asyncio
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.findings import Finding, at_least
from benchmarks.population import Population, populate
from benchmarks.settings import Effort
from sqlalchemy import select

from valetkey.adapters.store.schema import app_password
from valetkey.adapters.store.work import SqliteReader
from valetkey.core.login import Reason
from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LoginEvent

PART = "recording"
_EVENTS = 1_000  # different ones, in a batch
_BATCHES = 30
_ENOUGH = 10_000  # events per second


def measure(effort: Effort) -> list[Finding]:
    """Measure and hold against the target."""
    with tempfile.TemporaryDirectory(prefix="valetkey-bench-") as folder:
        population = populate(Path(folder), [(1, effort.app_passwords // 4), (10, effort.app_passwords // 40)], 1)
        try:
            return asyncio.run(_run(population))
        finally:
            population.store.close()


async def _run(population: Population) -> list[Finding]:
    owners = await population.store.read(_owners)
    begin = datetime.now(UTC)
    batches = [_batch(owners, number, begin) for number in range(_BATCHES)]
    again = [tuple(_later(event) for event in batch) for batch in batches]
    found = []
    for name, kind in (("new things", batches), ("the same again", again)):
        spent = [await _time(population, batch) for batch in kind]
        found += [
            Finding(PART, f"{_EVENTS:,} events in a batch, {name}, p50", median(spent) * 1000, "ms"),
            Finding(PART, f"{_EVENTS:,} events in a batch, {name}, longest", max(spent) * 1000, "ms"),
            at_least(PART, f"events per second, {name}", _EVENTS / median(spent), "/s", _ENOUGH),
        ]
    return found


def _owners(reader: SqliteReader) -> list[tuple[str, str]]:
    statement = select(app_password.c.account_id, app_password.c.id).limit(_EVENTS * _BATCHES)
    return [(row[0], row[1]) for row in reader._rows(statement)]  # noqa: SLF001  (no verb lists them all)


def _batch(owners: list[tuple[str, str]], number: int, at: datetime) -> tuple[LoginEvent, ...]:
    events = []
    for place in range(_EVENTS):
        account_id, credential_id = owners[(number * _EVENTS + place) % len(owners)]
        result = Reason.NETWORK.value if place % 50 == 0 else "allowed"
        network = f"198.51.{place % 256}.{number}"
        protocol = MailProtocol.IMAP if place % 3 else MailProtocol.SMTP
        events.append(LoginEvent(account_id, credential_id, protocol, network, "Benchmark", result, at, at))
    return tuple(events)


def _later(event: LoginEvent) -> LoginEvent:
    return replace(event, first_at=event.first_at + timedelta(minutes=1), last_at=event.last_at + timedelta(minutes=1))


async def _time(population: Population, batch: tuple[LoginEvent, ...]) -> float:
    begin = time.perf_counter()
    await population.store.add_login_events(batch)
    return time.perf_counter() - begin
