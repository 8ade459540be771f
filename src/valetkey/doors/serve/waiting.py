"""Waiting for a callback of the event loop without a turn of the loop in between."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class Wait(Generic[_T]):
    """What one task awaits until `finish` or `fail`.

    With asyncio's own future a task goes on in the loop's next turn. A login waits half a dozen times, and those turns,
    in which nothing else happens, are a good part of what it costs; here the task goes on within `finish`. To asyncio
    whatever has `_asyncio_future_blocking` is a future (`asyncio.isfuture`); the rest is what a task asks of one.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_is_done", "_loop", "_value", "_wake")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._context: Context | None = None
        self._error: BaseException | None = None
        self._is_done = False
        self._loop = loop
        self._value: _T | None = None
        self._wake: Callable[[Wait[_T]], object] | None = None

    def finish(self, value: _T) -> None:
        """End the wait, and let the task go on now. Only from a callback of the loop: no other task may be running."""
        if not self._is_done:
            self._is_done = True
            self._value = value
            wake, self._wake = self._wake, None
            if wake is not None and self._context is not None:
                self._context.run(wake, self)

    def fail(self, error: BaseException) -> None:
        """End the wait with an error, which the task gets in the loop's next turn. From anywhere."""
        if not self._is_done:
            self._is_done = True
            self._error = error
            wake, self._wake = self._wake, None
            if wake is not None:
                self._loop.call_soon(wake, self, context=self._context)

    def done(self) -> bool:
        """Tell whether the wait is over."""
        return self._is_done

    def __await__(self) -> Generator[Any, None, _T]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    # What a task asks of a future.

    def result(self) -> _T:
        """Give the value, or raise the error."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback leads back here, and would leave both to the garbage collector
        return self._value  # type: ignore[return-value]  # done, and without an error

    def cancel(self, msg: object = None) -> bool:
        """End the wait because the task is cancelled."""
        was_done = self._is_done
        self.fail(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return not was_done

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give the loop."""
        return self._loop

    def add_done_callback(self, wake: Callable[["Wait[_T]"], object], *, context: Context) -> None:
        """Have the task woken at the end."""
        self._wake, self._context = wake, context
