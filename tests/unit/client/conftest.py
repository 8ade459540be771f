from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.verbs.api_site import ApiSite
from tests.verbs.site import Person

from valetkey.client import Client
from valetkey.core.role import Role


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ApiSite]:
    running = ApiSite(tmp_path)
    yield running
    running.close()


@pytest.fixture
def alice(site: ApiSite) -> Person:
    return site.person()


@pytest.fixture
def mine(site: ApiSite, alice: Person) -> Iterator[Client]:
    """A client of alice's."""
    with Client(site.url, site.token(alice), pause=lambda _: None) as client:
        yield client


@pytest.fixture
def admins(site: ApiSite) -> Iterator[Client]:
    """A client of an administrator's."""
    with Client(site.url, site.token(site.person("ada@example.org", role=Role.ADMIN)), pause=lambda _: None) as client:
        yield client
