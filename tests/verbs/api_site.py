"""The API on a free port of this machine, over a real store, for clients that speak real HTTP to it."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.verbs.api_client import token_for
from tests.verbs.site import House, Person

from valetkey.app.local_ca import ensure_local_certificate
from valetkey.core.role import Action
from valetkey.doors.api import ApiSettings, create_api

T = TypeVar("T")


class ApiSite:
    """A running API. Its event loop lives in a thread of its own; `do` runs a coroutine there.

    Args:
        folder: For the store, and for certificates.
        tls: Whether it speaks TLS; its authority is then `ca`.
        settings: Changes of the API's settings.
    """

    def __init__(self, folder: Path, *, tls: bool = False, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self.house: House = self.do(lambda: _house(folder))
        self.api: ASGIApp = create_api(self.house.ports, replace(ApiSettings(self.url), **settings))
        self.seen: list[Scope] = []
        files: dict[str, Any] = {}
        if tls:
            certificate = ensure_local_certificate(folder / "tls", "localhost", datetime.now(UTC))
            self.ca = certificate.ca
            files = {"ssl_certfile": str(certificate.chain), "ssl_keyfile": str(certificate.key)}
        config = uvicorn.Config(
            self._app, log_config=None, log_level="critical", interface="asgi3", lifespan="off", proxy_headers=False, server_header=False,
            timeout_graceful_shutdown=3, **files,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve([self._socket]), self._loop)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        await self.api(scope, receive, send)

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

    def token(self, person: Person, actions: Iterable[Action] | None = None, **wanted: Any) -> str:
        """Make a token; without actions, one that may do everything that its account may."""
        return self.do(lambda: token_for(self.house, person, actions, **wanted)).secret

    def paths(self) -> list[tuple[str, str]]:
        """Give method and path of each request so far."""
        return [(scope["method"], scope["path"]) for scope in self.seen]


async def _house(folder: Path) -> House:
    return House(folder)
