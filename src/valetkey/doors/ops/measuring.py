"""The metrics in Prometheus' format: what all workers counted, summed, and what the store says of itself."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from valetkey.core.errors import Unavailable
from valetkey.doors.ops.readiness import Watched
from valetkey.service.ports import Reader
from valetkey.wire.control import Sample

_ASK_WITHIN = 3.0  # seconds

_Series = dict[tuple[tuple[str, str], ...], float]


@dataclass(frozen=True, slots=True)
class _StoreFacts:
    change_number: int
    accounts: int
    keys: dict[int, int]


async def exposition(watched: Watched) -> bytes:
    """Give everything that is measured, as Prometheus reads it."""
    samples, facts, answering = await asyncio.gather(_samples(watched), _store_facts(watched), _answering(watched))
    registry = CollectorRegistry()
    registry.register(_Collected([*_summed(samples), *_own(watched, facts, answering)]))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _summed(samples: Sequence[Sample]) -> Iterator[Metric]:
    """Add up the workers' samples by name and labels."""
    series: dict[str, _Series] = defaultdict(lambda: defaultdict(float))
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.name, sample)
        series[sample.name][tuple(sorted(sample.labels.items()))] += sample.value
    for name, values in series.items():
        labels = sorted({label for key in values for label, _ in key})
        family = CounterMetricFamily if first[name].kind == "counter" else GaugeMetricFamily
        metric = family(name, first[name].help, labels=labels)
        for key, value in values.items():
            found = dict(key)
            metric.add_metric([found.get(label, "") for label in labels], value)
        yield metric


def _own(watched: Watched, facts: _StoreFacts | None, answering: int) -> Iterator[Metric]:
    build = GaugeMetricFamily("valetkey_build_info", "The version that runs.", labels=["version"])
    build.add_metric([watched.version], 1)
    yield build
    yield GaugeMetricFamily("valetkey_workers_expected", "Gateway workers configured.", watched.expected_workers)
    yield GaugeMetricFamily("valetkey_workers_answering", "Gateway workers that answer.", answering)
    yield GaugeMetricFamily("valetkey_store_up", "Whether the store can be read.", 0 if facts is None else 1)
    if facts is None:
        return
    yield GaugeMetricFamily(
        "valetkey_change_number", "The number of the newest change and audit record.", facts.change_number
    )
    yield GaugeMetricFamily("valetkey_accounts", "Accounts.", facts.accounts)
    by_key = GaugeMetricFamily(
        "valetkey_app_passwords", "App passwords in use, by the key they are under.", labels=["key"]
    )
    for number, count in sorted(facts.keys.items()):
        by_key.add_metric([str(number)], count)
    yield by_key


async def _samples(watched: Watched) -> Sequence[Sample]:
    try:
        async with asyncio.timeout(_ASK_WITHIN):
            found = await watched.workers.samples()
            return [sample for samples in found.values() for sample in samples]
    except (Unavailable, OSError, TimeoutError):
        return ()


async def _answering(watched: Watched) -> int:
    try:
        async with asyncio.timeout(_ASK_WITHIN):
            return len(await watched.workers.ping())
    except (Unavailable, OSError, TimeoutError):
        return 0


async def _store_facts(watched: Watched) -> _StoreFacts | None:
    store = watched.ports.store

    def look(reader: Reader) -> tuple[int, dict[int, int]]:
        return reader.account_count(), reader.key_usage()

    try:
        async with asyncio.timeout(_ASK_WITHIN):
            accounts, keys = await store.read(look)
            return _StoreFacts(store.change_number(), accounts, keys)
    except (Unavailable, TimeoutError):
        return None
