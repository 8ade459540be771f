"""A wait ends within the callback that ends it, and behaves towards its task as a future does."""

import asyncio
import gc
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest

from valetkey.doors.serve.waiting import Wait


class GoneError(Exception):
    """Unlike those that Python has built in, one can look whether it still is there."""


async def begun(work: Coroutine[Any, Any, str]) -> "asyncio.Task[str]":
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


async def told(wait: Wait[str], heard: list[str]) -> str:
    heard.append(await wait)
    return heard[-1]


async def test_the_task_goes_on_within_the_callback_that_ends_its_wait() -> None:
    loop = asyncio.get_running_loop()
    wait, heard, seen = Wait[str](loop), list[str](), loop.create_future()
    task = await begun(told(wait, heard))

    def end() -> None:
        wait.finish("now")
        seen.set_result(list(heard))

    loop.call_soon(end)
    assert await seen == ["now"]
    assert await task == "now"


async def test_what_has_ended_before_it_is_awaited_is_not_waited_for() -> None:
    wait = Wait[str](asyncio.get_running_loop())
    wait.finish("early")
    assert wait.done()
    assert await wait == "early"


async def test_an_error_may_come_from_another_task() -> None:
    wait, heard = Wait[str](asyncio.get_running_loop()), list[str]()
    task = await begun(told(wait, heard))
    wait.fail(ConnectionError("gone"))  # a task runs here: the other one may not go on within this call
    assert not task.done()
    with pytest.raises(ConnectionError, match="gone"):
        await task
    assert heard == []


async def test_only_the_first_end_counts() -> None:
    wait = Wait[str](asyncio.get_running_loop())
    wait.fail(ConnectionError("gone"))
    wait.finish("too late")
    with pytest.raises(ConnectionError):
        await wait


async def test_a_cancelled_task_ends_and_a_later_word_reaches_nobody() -> None:
    wait, heard = Wait[str](asyncio.get_running_loop()), list[str]()
    task = await begun(told(wait, heard))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wait.finish("too late")
    assert heard == []


async def test_a_timeout_ends_the_wait() -> None:
    wait = Wait[str](asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await wait


async def test_an_error_leaves_nothing_to_the_garbage_collector() -> None:
    wait = Wait[str](asyncio.get_running_loop())
    error = GoneError()
    left = weakref.ref(error)
    gc.collect()
    gc.disable()
    try:
        task = await begun(told(wait, []))
        wait.fail(error)
        del error, wait
        await asyncio.wait([task])
        assert isinstance(task.exception(), GoneError)
        del task
        assert left() is None
    finally:
        gc.enable()
