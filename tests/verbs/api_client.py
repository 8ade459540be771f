"""A machine that asks the API."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
from tests.verbs.site import House, Person

from valetkey.core.role import Action
from valetkey.doors.api.app import create_api
from valetkey.doors.api.settings import ApiSettings
from valetkey.service import api_tokens
from valetkey.service.api_tokens import Made

ORIGIN = "https://portal.example.org"


async def token_for(
    house: House, person: Person, actions: Iterable[Action] | None = None, *, account_id: str = "", **wanted: Any
) -> Made:
    """Make a token; without actions, one that may do everything that its account may."""
    wanted.setdefault("expires_at", house.clock.now() + timedelta(days=30))
    wanted.setdefault("name", "Machine")
    every = api_tokens.may_be_given(person.account)
    chosen = every if actions is None else frozenset(actions)
    owner = account_id or person.account.id
    return await api_tokens.make(house.ports, house.acting(person.account), owner, actions=chosen, **wanted)


class ApiClient:
    """A machine that asks the API, from an address."""

    def __init__(self, house: House, secret: str = "", *, address: str = "198.51.100.7", **settings: Any) -> None:
        self.house = house
        self.app = create_api(house.ports, replace(ApiSettings(ORIGIN), **settings))
        transport = httpx.ASGITransport(self.app, client=(address, 40_000))
        self.http = httpx.AsyncClient(transport=transport, base_url=f"{ORIGIN}/api/v1")
        self.use(secret)

    async def close(self) -> None:
        await self.http.aclose()

    def use(self, secret: str) -> None:
        """Show this token from now on."""
        self.http.headers.pop("authorization", None)
        if secret:
            self.http.headers["authorization"] = f"Bearer {secret}"

    async def as_person(self, person: Person, *actions: Action, **wanted: Any) -> Made:
        """Make a token of a person and show it from now on."""
        made = await token_for(self.house, person, actions or None, **wanted)
        self.use(made.secret)
        return made

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query or None)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return await self.http.post(path, headers=fields)
        return await self.http.post(path, json=body, headers=fields)
