"""What the API says of connections that a change has closed, here and at mail servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person
from tests.verbs.told_servers import ToldServers


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path, server_sessions=ToldServers(has=2, down={"mx2"}))
    yield made
    made.close()


async def test_every_change_says_what_it_closed_and_who_could_not_be_told(
    house: House, alice: Person, ada: Person, api: ApiClient
) -> None:
    await api.as_person(ada)
    ids = [(await house.issue(alice, name)).app_password.id for name in ("One", "Two", "Three")]
    at = f"/accounts/{alice.account.id}"
    told = {"closed": 2, "servers": [{"server": "mx1", "closed": 2}], "not_told": ["mx2"]}
    for path, body in (
        (f"/app-passwords/{ids[0]}/revoke", {}),
        ("/app-passwords/revoke", {"ids": [ids[1]]}),
        (f"{at}/app-passwords/revoke", {}),
        (f"{at}/disable", None),
    ):
        answer = await api.post(path, body)
        assert answer.status_code == 200, answer.text
        assert answer.json().items() >= told.items()
