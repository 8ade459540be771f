"""A browser without a window: keeps cookies, reads forms from pages, sends them as a browser does."""

import html
import re
from typing import Any

import httpx
from fastapi import FastAPI
from tests.browser.compiled import compile_once
from tests.browser.portal_site import settings_at
from tests.verbs.site import House, Person

from valetkey.doors.web.app import create_portal

ORIGIN = "https://portal.example.org"
BROWSER = {"Origin": "null", "Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
_INPUT = re.compile(r"<(?:input|select|textarea|button)\b[^>]*>")
_ATTRIBUTE = re.compile(r'([a-z-]+)(?:="([^"]*)")?')


class PortalClient:
    """Somebody who visits a portal."""

    def __init__(self, app: FastAPI, address: str = "198.51.100.7") -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 40_000))
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        self.page: httpx.Response | None = None

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page, without following where it sends one."""
        self.page = await self.http.get(path, headers=headers)
        return self.page

    async def post(self, path: str, fields: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        """Send a form as it is given, with the token of the last page unless the fields have one."""
        token = self.hidden("csrf") if self.page is not None else ""
        self.page = await self.http.post(path, data={"csrf": token, **fields}, headers=headers or BROWSER)
        return self.page

    def hidden(self, name: str) -> str:
        """Give the value of a field of the last page."""
        assert self.page is not None
        for tag in _INPUT.findall(self.page.text):
            attributes = dict(_ATTRIBUTE.findall(tag))
            if attributes.get("name") == name:
                return html.unescape(attributes.get("value", ""))
        return ""

    def ticked(self, name: str) -> list[str]:
        """Give the values of the ticked boxes of the last page."""
        assert self.page is not None
        tags = [dict(_ATTRIBUTE.findall(tag)) for tag in _INPUT.findall(self.page.text)]
        return [tag["value"] for tag in tags if tag.get("name") == name and "checked" in tag]

    async def give_password(self, person: Person) -> httpx.Response:
        """Sign in up to the second factor."""
        await self.get("/sign-in")
        return await self.post("/sign-in", {"name": person.account.address, "password": person.password, "next": "/"})

    async def sign_in(self, house: House, person: Person) -> httpx.Response:
        """Sign in completely."""
        sent = await self.give_password(person)
        if sent.headers["location"] != "/sign-in/code":
            return sent
        house.clock.move(seconds=30)
        await self.get("/sign-in/code")
        return await self.post("/sign-in/code", {"code": house.code(person.seed), "next": "/"})

    async def new_form(self, purpose: str = "phone", **changes: Any) -> dict[str, Any]:
        """Open the form for a new app password and give its fields as they stand, with changes."""
        await self.get(f"/app-passwords/new?purpose={purpose}")
        fields = {
            "purpose": purpose,
            "account": self.hidden("account"),
            "once": self.hidden("once"),
            "description": "Phone",
            "format": self.ticked("format")[0],
            "expires": "never",
            "idle": "never",
            "rule": "anywhere",
            "permission": self.ticked("permission"),
            "protocol": self.ticked("protocol"),
        }
        return {**fields, **changes}


def portal_of(house: House, **changes: Any) -> FastAPI:
    """Make a portal over a house. Its streams end once they have said how things are: this client waits for their end."""
    portal = create_portal(house.ports, settings_at(ORIGIN, **changes))
    portal.state.portal.streams.stop()
    compile_once(portal)
    return portal
