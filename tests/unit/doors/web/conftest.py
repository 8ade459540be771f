from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient, portal_of
from tests.verbs.site import House, Person

from valetkey.core.role import Role


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def portal(house: House) -> FastAPI:
    return portal_of(house)


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


@pytest.fixture
async def visitor(portal: FastAPI) -> AsyncIterator[PortalClient]:
    client = PortalClient(portal)
    yield client
    await client.http.aclose()


@pytest.fixture
async def admin(house: House, visitor: PortalClient) -> Person:
    """Give an administrator, whose browser `visitor` is."""
    ada = await house.person("ada@example.org", role=Role.ADMIN)
    await visitor.sign_in(house, ada)
    return ada
