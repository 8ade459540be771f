"""Live updates by server-sent events (HTML Living Standard, section 9.2): bounded in number, in time, by the session.

A page asks `look` again and again for a fragment of HTML and is sent what has changed. It needs no JavaScript to be
complete: whoever has none loads the page again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from valetkey.core.errors import Refused, Unavailable
from valetkey.doors.http.long_answers import KEEP_OPEN
from valetkey.doors.web.gate import Visit

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would keep the events to itself
_RETRY = "retry: 5000\n\n"  # milliseconds until a browser connects again
_HEARTBEAT = ": still here\n\n"
_OVER = "event: end\ndata: over\n\n"
_LATE = "event: end\ndata: late\n\n"  # nothing was wrong: it only went on for long


@dataclass(frozen=True, slots=True)
class Update:
    """What a part of a page shows now; nothing is asked again after the last one."""

    html: str
    is_last: bool = False


def events(visit: Visit, look: Callable[[], Awaitable[Update]], *, every: float = 2.0) -> Response:
    """Answer with a stream of what `look` gives, each time it has changed.

    It ends with the last update, with the visitor's session, when what is looked at is gone, when the portal stops, and
    after fifteen minutes. While the store cannot be asked it only says that it is still there.

    Args:
        visit: Whose page it is.
        look: Gives the fragment as it is now, by verbs: they refuse an actor whose session has ended.
        every: Seconds from one look to the next.
    """
    return _EventStream(visit, look, every)


class _EventStream(Response):
    media_type = "text/event-stream"

    def __init__(self, visit: Visit, look: Callable[[], Awaitable[Update]], every: float) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._visit = visit
        self._look = look
        self._every = every
        self._streams = visit.portal.streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.place(self._visit.account.id) as has_place:
            if not has_place:
                full = PlainTextResponse("Too many pages are open.", 429, {"Retry-After": "60"})
                await full(scope, receive, send)
                return
            sending = asyncio.create_task(self._send_all(scope, send))
            gone = asyncio.create_task(_until_gone(receive))
            try:
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    await sending
            finally:
                for task in (sending, gone):
                    task.cancel()
                await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send_all(self, scope: Scope, send: Send) -> None:
        keep_open = scope.get("extensions", {}).get(KEEP_OPEN)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._pieces():
            if keep_open is not None:
                keep_open()
            await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self) -> AsyncIterator[str]:
        clock, bounds = asyncio.get_running_loop().time, self._streams.bounds
        ends, spoke, shown = clock() + bounds.lasts, clock(), ""
        yield _RETRY
        while True:
            try:
                update = await self._look_again()
            except Refused:  # signed out, or it is gone, or no longer theirs
                yield _OVER
                return
            if update is not None and update.html != shown:
                shown, spoke = update.html, clock()
                yield _event(shown)
            elif clock() - spoke >= bounds.heartbeat:
                spoke = clock()
                yield _HEARTBEAT
            if clock() >= ends or (update is not None and update.is_last):
                yield _OVER if update is not None and update.is_last else _LATE
                return
            if await self._streams.stopped_within(self._every):
                return

    async def _look_again(self) -> Update | None:
        try:
            return await self._look()
        except Unavailable:
            return None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(html: str) -> str:
    # splitlines knows more line ends than a stream does; none of them means anything in HTML
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
