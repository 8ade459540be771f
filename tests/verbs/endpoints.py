"""Every endpoint that the portal's address serves, read from the routing tables, and how far each is open.

What opens to less than a complete sign-in or an API token is listed here by name. An endpoint that is added elsewhere
is taken to need the most, and the tests fail if it opens to less.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from valetkey.doors.api.operation import AnyOperation
from valetkey.doors.api.operations import OPERATIONS, PREFIX

# path → why anybody may open it. Each is the same for everybody, or shows what its one-time link is for.
PUBLIC = {
    "/static/{name}": "style and script of the sign-in page too",
    "/language": "sets a cookie of this browser and nothing else",
    "/account/notices/confirm/{token}": "puts a one-time link aside; the page behind it needs a complete sign-in",
    "/recover/link/{token}": "puts a one-time link aside; the page behind it needs the main password",
    "/recover/call-off/{token}": "puts a one-time link aside; the page behind it asks before it is used",
    "/recover/call-off": "whoever holds the link may stop a recovery, which takes nothing away",
    "/recover/called-off": "the same",
    "/welcome/{token}": "puts an invitation aside",
    "/welcome": "the invitation is the credential; gone without one",
    "/recover": "asks for the main password",
    "/.well-known/autoconfig/mail/config-v1.1.xml": "mail programs fetch it before they know a password",
    "/mail/config-v1.1.xml": "the same",
    "/AutoDiscover/AutoDiscover.xml": "the same",
    "/Autodiscover/Autodiscover.xml": "the same",
    "/autodiscover/autodiscover.xml": "the same",
    "/autodiscover/autodiscover.json/v1.0/{address}": "the same",
    "/autodiscover/autodiscover.json": "the same",
    "/mail/apple.mobileconfig": "the same",
    f"{PREFIX}/openapi.json": "describes the API",
}
# Pages to sign in with; who is signed in is led away.
SIGNING_IN = {"/sign-in", "/sign-in/passkey", "/recover/password"}
# What the main password opens before the second factor is given.
HALFWAY = {"/sign-in/code", "/sign-out", "/recover/mail", "/recover/begin", "/recover/finish"}
# What stays open to somebody whose account has no second factor yet: look, revoke, sign out, set one up.
WITHOUT_FACTOR = {
    "/", "/set-up", "/sign-out", "/prove", "/account", "/activity", "/account/sessions/end-others",
    "/account/sessions/end-all", "/account/sessions/{name}/end", "/account/sign-ins", "/account/passkeys/new",
    "/app-passwords/revoke-all", "/app-passwords/{credential_id}", "/app-passwords/{credential_id}/revoke",
    "/app-passwords/live", "/app-passwords/{credential_id}/live",
    "/app-passwords/{credential_id}/close", "/app-passwords/{credential_id}/history.{form}", "/shared",
    "/account/tokens", "/account/tokens/{token_id}/revoke",
    "/connections", "/connections/live", "/connections/{session_id}/close",
    "/.well-known/change-password",
}  # fmt: skip


class Opens(Enum):
    """What an endpoint asks for."""

    NOTHING = "nothing"
    SIGNING_IN = "being signed in not yet"
    HALF = "the main password"
    NO_SECOND_FACTOR = "a sign-in to an account that has no second factor"
    FULL = "a complete sign-in"
    TOKEN = "an API token"


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One method of one path."""

    method: str
    path: str
    opens: Opens
    operation: AnyOperation | None = None  # of the API

    @property
    def is_look(self) -> bool:
        return self.method == "GET"

    def at(self, **ids: str) -> str:
        """Fill the path in."""
        return re.sub(r"{(\w+)}", lambda found: ids.get(found[1], "none"), self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def every_endpoint(portal: FastAPI) -> list[Endpoint]:
    """Read them all, of the portal with its console and of the API."""
    found = [
        Endpoint(method, route.path, _opens(route.path))
        for route in routes_of(portal)
        for method in sorted(route.methods - {"HEAD"})  # the same function, and the same gate, as GET
    ]
    found += [Endpoint(each.method, PREFIX + each.path, Opens.TOKEN, each) for each in OPERATIONS]
    found += [Endpoint("GET", f"{PREFIX}/openapi.json", Opens.NOTHING)]
    return found


def routes_of(app: Any) -> list[APIRoute]:
    """Give all routes of an application, those of what it includes too."""
    found: list[APIRoute] = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            found += routes_of(getattr(route, "original_router", route))
    return found


def _opens(path: str) -> Opens:
    if path in PUBLIC:
        return Opens.NOTHING
    if path in SIGNING_IN:
        return Opens.SIGNING_IN
    if path in HALFWAY:
        return Opens.HALF
    return Opens.NO_SECOND_FACTOR if path in WITHOUT_FACTOR else Opens.FULL
