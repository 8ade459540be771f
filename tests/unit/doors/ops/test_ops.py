"""The operator's pages: alive, ready or why not, and what is measured."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from valetkey.app.installing import install
from valetkey.app.join import opened
from valetkey.config import load
from valetkey.core.errors import Unavailable
from valetkey.doors.cli.front import InitAnswers
from valetkey.doors.ops.app import create_ops
from valetkey.doors.ops.readiness import Watched
from valetkey.service.ports import Ports
from valetkey.wire.control import Sample


class TwoWorkers:
    """Two workers that answer, or fewer."""

    answering: tuple[str, ...] = ("1", "2")

    async def ping(self) -> tuple[str, ...]:
        if not self.answering:
            raise Unavailable("nobody is there")
        return self.answering

    async def samples(self) -> Mapping[str, Sequence[Sample]]:
        return {
            worker: (
                Sample("valetkey_logins_total", "counter", "Logins.", 3.0, {"protocol": "imap", "result": "allowed"}),
                Sample(
                    "valetkey_logins_total", "counter", "Logins.", 1.0, {"result": "wrong-secret", "protocol": "imap"}
                ),
                Sample("valetkey_live_sessions", "gauge", "Live sessions.", 2.0),
            )
            for worker in self.answering
        }


class Broken:
    """A store that is gone."""

    def __getattr__(self, name: str) -> object:
        raise Unavailable("The database is locked.")


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ops")
    answers = InitAnswers(
        place / "valetkey.toml", place, "mail.example.org", "admin@example.org", "meadow-lantern-otter",
        "127.0.0.1:8080", "http://localhost:8080", "127.0.0.1", "valetkey",
    )  # fmt: skip
    install(answers)
    return answers.config


@pytest.fixture
async def ports(config_file: Path) -> AsyncIterator[Ports]:
    async with opened(load(config_file)) as ports:
        yield ports


@pytest.fixture
def watched(ports: Ports) -> Watched:
    return Watched(ports, TwoWorkers(), 2, "9.9.9")


async def ask(watched: Watched, page: str, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(create_ops(watched))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        return await client.request(method, page)


async def test_alive(watched: Watched) -> None:
    answer = await ask(replace(watched, ports=replace(watched.ports, store=Broken())), "/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready(watched: Watched) -> None:
    answer = await ask(watched, "/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")
    assert answer.headers["cache-control"] == "no-store"


async def test_every_reason_is_told(watched: Watched) -> None:
    workers = TwoWorkers()
    workers.answering = ("1",)
    answer = await ask(replace(watched, workers=workers, ports=replace(watched.ports, store=Broken())), "/readyz")
    assert answer.status_code == 503
    assert answer.text.splitlines() == ["store: The database is locked.", "workers: 1 of 2 answer"]


async def test_a_database_that_cannot_be_written_is_not_ready(watched: Watched, config_file: Path) -> None:
    writing = watched.ports.store.write

    async def read_only(_: object) -> None:
        raise Unavailable("The database is read-only.")

    watched.ports.store.write = read_only  # type: ignore[method-assign]
    try:
        answer = await ask(watched, "/readyz")
    finally:
        watched.ports.store.write = writing  # type: ignore[method-assign]
    assert answer.status_code == 503
    assert "read-only" in answer.text


def values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_workers_samples_are_summed(watched: Watched) -> None:
    found = values((await ask(watched, "/metrics")).text)
    assert found["valetkey_logins_total", (("protocol", "imap"), ("result", "allowed"))] == 6.0
    assert found["valetkey_logins_total", (("protocol", "imap"), ("result", "wrong-secret"))] == 2.0
    assert found["valetkey_live_sessions", ()] == 4.0
    assert found["valetkey_build_info", (("version", "9.9.9"),)] == 1.0
    assert found["valetkey_store_up", ()] == 1.0
    assert found["valetkey_accounts", ()] == 1.0
    assert found["valetkey_workers_answering", ()] == 2.0


async def test_metrics_say_that_all_is_down(watched: Watched) -> None:
    workers = TwoWorkers()
    workers.answering = ()
    broken = replace(watched, workers=workers, ports=replace(watched.ports, store=Broken()))
    found = values((await ask(broken, "/metrics")).text)
    assert found["valetkey_store_up", ()] == 0.0
    assert found["valetkey_workers_answering", ()] == 0.0
    assert found["valetkey_workers_expected", ()] == 2.0


@pytest.mark.parametrize("page", ["/", "/docs", "/openapi.json", "/metrics/x"])
async def test_there_is_nothing_else(watched: Watched, page: str) -> None:
    assert (await ask(watched, page)).status_code == 404


async def test_nothing_is_changed_by_a_post(watched: Watched) -> None:
    assert (await ask(watched, "/readyz", "POST")).status_code == 405
