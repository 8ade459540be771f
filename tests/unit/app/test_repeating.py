"""What is done again and again goes on, whatever happens to one step."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.verbs.site import House

from valetkey.app import mailing
from valetkey.app.repeating import again_and_again
from valetkey.core.errors import Unavailable
from valetkey.service.mailing import Letterhead

SECRET = "what a fault may hold"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
def lines() -> Any:
    with structlog.testing.capture_logs() as captured:
        yield captured


async def test_a_step_that_fails_is_told_and_the_next_one_is_taken(lines: list[dict[str, Any]]) -> None:
    faults = iter([Unavailable("The store is away."), ValueError(SECRET), OSError(SECRET)])
    done = asyncio.Event()

    async def step() -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        done.set()

    repeating = asyncio.create_task(again_and_again(step, 0.0, "it_failed"))
    await asyncio.wait_for(done.wait(), 30)
    repeating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await repeating
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("it_failed", "warning"),
        ("it_failed", "error"),
        ("it_failed", "error"),
    ]
    assert SECRET not in str(lines)


async def test_notices_are_looked_for_again_after_a_bug(
    house: House, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    looked, again = house.ports.store.read, asyncio.Event()

    async def failing_once(work: Any) -> Any:
        if not lines:
            raise KeyError(SECRET)
        again.set()
        return await looked(work)

    monkeypatch.setattr(mailing, "_SECONDS", 0.0)
    monkeypatch.setattr(house.ports.store, "read", failing_once)
    sending = asyncio.create_task(mailing.keep_sending(house.ports, Letterhead("https://mail.example.org", "Mail")))
    await asyncio.wait_for(again.wait(), 30)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert [line["event"] for line in lines] == ["notices_not_sent"]
