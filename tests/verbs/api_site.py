"""The API on a free port of this machine, over a real store, for clients that speak real HTTP to it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from tests.verbs.api_client import token_for
from tests.verbs.served_site import ServedSite
from tests.verbs.site import House, Person

from valetkey.app.local_ca import ensure_local_certificate
from valetkey.core.role import Action
from valetkey.doors.api.app import create_api
from valetkey.doors.api.settings import ApiSettings


class ApiSite(ServedSite):
    """A running API.

    Args:
        folder: For the store, and for certificates.
        tls: Whether it speaks TLS; its authority is then `ca`.
        settings: Changes of the API's settings.
    """

    def __init__(self, folder: Path, *, tls: bool = False, **settings: Any) -> None:
        super().__init__(lambda: _house(folder), "https" if tls else "http")
        self.api: ASGIApp = create_api(self.house.ports, replace(ApiSettings(self.url), **settings))
        self.seen: list[Scope] = []
        files: dict[str, Any] = {}
        if tls:
            certificate = ensure_local_certificate(folder / "tls", "localhost", datetime.now(UTC))
            self.ca = certificate.ca
            files = {"ssl_certfile": str(certificate.chain), "ssl_keyfile": str(certificate.key)}
        self.serve(self._app, "critical", interface="asgi3", **files)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        await self.api(scope, receive, send)

    def token(self, person: Person, actions: Iterable[Action] | None = None, **wanted: Any) -> str:
        """Make a token; without actions, one that may do everything that its account may."""
        return self.do(lambda: token_for(self.house, person, actions, **wanted)).secret

    def paths(self) -> list[tuple[str, str]]:
        """Give method and path of each request so far."""
        return [(scope["method"], scope["path"]) for scope in self.seen]


async def _house(folder: Path) -> House:
    return House(folder)
