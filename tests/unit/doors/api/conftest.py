from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person

from valetkey.core.role import Role


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


@pytest.fixture
async def ada(house: House) -> Person:
    """Give an administrator."""
    return await house.person("ada@example.org", role=Role.ADMIN)


@pytest.fixture
async def api(house: House) -> AsyncIterator[ApiClient]:
    """Give a client without a token."""
    client = ApiClient(house)
    yield client
    await client.close()
