"""An ASGI application on a free port of this machine, over a real store, in an event loop of its own."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp
from tests.verbs.site import House, Person

T = TypeVar("T")


class ServedSite:
    """What the running sites of tests share. The event loop lives in a thread of its own; `do` runs a coroutine there.

    Args:
        make: Makes the house, in that loop.
        scheme: How its address begins; https needs the certificate files in `serve`.
    """

    def __init__(self, make: Callable[[], Awaitable[House]], scheme: str = "http") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{scheme}://localhost:{self.port}"
        self.house: House = self.do(make)

    def serve(self, app: ASGIApp, log_level: str = "warning", **settings: Any) -> None:
        """Begin to serve an application."""
        # Without log_config=None uvicorn would set up the logging of the whole test process.
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level=log_level,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=3,  # a page of a failed test may still wait for what happens
            **settings,
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve([self._socket]), self._loop)

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine in the site's loop and give what it gives."""

        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def close(self) -> None:
        """Stop serving and close the store."""
        self._server.should_exit = True
        self._serving.result(30)
        self._loop.call_soon_threadsafe(self.house.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def person(self, address: str = "alice@example.org", **wanted: Any) -> Person:
        """Make a person."""
        return self.do(lambda: self.house.person(address, **wanted))
