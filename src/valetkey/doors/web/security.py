"""What every answer carries, and how a forged form is told from ours."""

import hmac
import re

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing is loaded, framed, sent or run but what this origin serves; no inline script or style at all.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",  # server-sent events, passkeys
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types valetkey-live",  # the one of portal.js
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), clipboard-read=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
}
_NO_STORE = "no-store"
_LOCAL_PATH = re.compile(r"/[a-zA-Z0-9/_=&?-]{0,199}")  # none of ours is longer
_STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"  # one year


class SecurityHeaders:
    """Adds the security headers to every answer, errors included. What says nothing of caching is not stored."""

    def __init__(self, app: ASGIApp, *, strict_transport: bool) -> None:
        self._app = app
        self._strict_transport = strict_transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _add(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers[name] = value
        headers.setdefault("Cache-Control", _NO_STORE)
        if self._strict_transport:
            headers["Strict-Transport-Security"] = _STRICT_TRANSPORT


def check_origin(request: Request, origins: frozenset[str]) -> None:
    """Refuse a form that another site had the browser send.

    Browsers say where a form came from in Sec-Fetch-Site and Origin. `null` is what they say in Origin under our own
    Referrer-Policy, so it counts only beside Sec-Fetch-Site. A program that says neither is held by the token alone.

    Raises:
        HTTPException: 403, the form came from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin"):
        raise HTTPException(403, "This form came from another site. Open the page here and try again.")
    known = origin is None or origin.lower() in origins or (origin == "null" and site == "same-origin")
    if not known:
        raise HTTPException(403, "This form came from another address than the portal’s own. Open the portal there.")


def check_token(sent: str, expected: str | None) -> None:
    """Refuse a form without the token that its page gave it.

    Raises:
        HTTPException: 403, missing or wrong.
    """
    if not expected or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise HTTPException(403, "This form is out of date. Open the page again and repeat what you did.")


def local_path(text: str, otherwise: str = "/") -> str:
    """Give a return path if it leads to a page of this portal, else another.

    Only plain characters pass, so neither //host, a backslash, a scheme nor a control character leads elsewhere.
    """
    is_ours = _LOCAL_PATH.fullmatch(text) is not None and "//" not in text
    return text if is_ours else otherwise
