"""A long answer has the server's time anew for each of its pieces."""

from collections.abc import AsyncIterator
from typing import Any

from valetkey.doors.http.long_answers import KEEP_OPEN, LongAnswer


async def pieces() -> AsyncIterator[str]:
    yield "one"
    yield "two"


async def sent_with(extensions: dict[str, Any]) -> list[str]:
    said: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message.get("body", b"head").decode())

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    if KEEP_OPEN in extensions:
        extensions = {KEEP_OPEN: lambda: said.append("renewed")}
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "extensions": extensions}
    await LongAnswer(pieces())(scope, receive, send)
    return said


async def test_each_piece_has_its_time() -> None:
    assert await sent_with({KEEP_OPEN: None}) == ["renewed", "head", "renewed", "one", "renewed", "two", "renewed", ""]


async def test_other_servers_are_no_harm() -> None:
    assert await sent_with({}) == ["head", "one", "two", ""]
