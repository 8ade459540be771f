"""A few threads behind a bounded queue."""

import asyncio
import threading

import pytest

from valetkey.adapters.lane import Lane
from valetkey.core.errors import Conflict, Unavailable


@pytest.fixture
def gate():
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def lane(gate):
    made = Lane("test", threads=1, waiting=2)
    yield made
    gate.set()
    made.close()


def run(lane, work, timeout=10.0):
    return asyncio.create_task(lane.run(work, timeout=timeout, what="The thing"))


async def begun(lane, gate):
    """Occupy the one thread until the gate is opened."""
    has_begun = threading.Event()
    holding = run(lane, lambda: (has_begun.set(), gate.wait(10)))
    await asyncio.to_thread(has_begun.wait, 10)
    return holding


async def test_what_work_gives_and_raises_comes_back(lane):
    assert await run(lane, lambda: 7) == 7

    def fail():
        raise Conflict("no")

    with pytest.raises(Conflict, match="no"):
        await run(lane, fail)


async def test_whoever_comes_when_the_queue_is_full_is_turned_away(lane, gate):
    holding = await begun(lane, gate)
    waiting = [run(lane, lambda: 1), run(lane, lambda: 2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="The thing is too busy"):
        await run(lane, lambda: 3)
    gate.set()
    await holding
    assert await asyncio.gather(*waiting) == [1, 2]
    assert await run(lane, lambda: 3) == 3


async def test_waiting_ends_in_time_and_the_work_is_left_undone(lane, gate):
    holding = await begun(lane, gate)
    done = []
    with pytest.raises(Unavailable, match="The thing took too long"):
        await run(lane, lambda: done.append(1), timeout=0.01)
    gate.set()
    await holding
    await run(lane, lambda: None)
    assert done == []


async def test_who_gave_up_keeps_the_place_until_its_turn(lane, gate):
    """However often callers give up, the queue is never longer than stated."""
    holding = await begun(lane, gate)
    for _ in range(2):
        with pytest.raises(Unavailable, match="too long"):
            await run(lane, lambda: None, timeout=0.01)
    with pytest.raises(Unavailable, match="too busy"):
        await run(lane, lambda: None, timeout=0.01)
    gate.set()
    await holding
    assert await run(lane, lambda: 1) == 1


async def test_a_cancelled_caller_leaves_no_work_behind(lane, gate):
    holding = await begun(lane, gate)
    done = []
    waiting = run(lane, lambda: done.append(1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await holding
    await run(lane, lambda: None)
    assert done == []


async def test_a_closed_lane_says_so(lane):
    lane.close()
    with pytest.raises(Unavailable, match="The thing is closed"):
        await run(lane, lambda: 1)
