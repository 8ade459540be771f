"""Portal and API at one address: whatever lies below /api is the API's, errors too."""

from starlette.types import ASGIApp, Receive, Scope, Send

_API = "/api"


class OneSite:
    """An ASGI application that is two. Neither sees a request of the other."""

    def __init__(self, portal: ASGIApp, api: ASGIApp) -> None:
        self._portal = portal
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the one that it is for."""
        path = scope.get("path", "")
        is_api = path == _API or path.startswith(f"{_API}/")
        await (self._api if is_api else self._portal)(scope, receive, send)
