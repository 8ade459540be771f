"""Answers that go on for longer than the server gives one: each piece of them has the time anew."""

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

KEEP_OPEN = "valetkey.keep-open"  # the server's extension that renews the deadline of an answer which goes on


class LongAnswer(StreamingResponse):
    """A file that is written while it is read; a peer that takes none of it is still cut off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and have the deadline renewed before each piece."""
        keep_open = scope.get("extensions", {}).get(KEEP_OPEN)

        async def renewing(message: Message) -> None:
            if keep_open is not None:
                keep_open()
            await send(message)

        await super().__call__(scope, receive, renewing)
