from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient, portal_of
from tests.verbs.site import House, Person


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
