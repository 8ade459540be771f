"""What the API says of mail servers that ask."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.verbs.api_client import ApiClient, token_for
from tests.verbs.site import House, Person

from valetkey.core.role import Action
from valetkey.service.server_parts import MailDoor
from valetkey.service.tallies import NOBODY_KNOWN, Asked, AskedOutcome

DOOR = MailDoor("ldap", "127.0.0.1:1389", has_tls=True, peers=("mx1", "mx2"))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path, mail_doors=(DOOR,))
    yield made
    made.close()


async def test_every_door_says_who_asks_and_what_came_of_it(house: House, ada: Person, api: ApiClient) -> None:
    now = house.clock.now()
    house.recorder.count(Asked(DOOR.name, "mx1", AskedOutcome.NO), now)
    house.recorder.count(Asked(DOOR.name, NOBODY_KNOWN, AskedOutcome.TURNED_AWAY), now, "192.0.2.7")
    await house.recorder.flush()
    api.use((await token_for(house, ada, [Action.SEE_SERVERS])).secret)
    [door] = (await api.get("/doors")).json()["items"]
    assert {key: door[key] for key in ("kind", "place", "has_tls")} == {
        "kind": "ldap",
        "place": "127.0.0.1:1389",
        "has_tls": True,
    }
    at = dict.fromkeys(("first_at", "last_at"), now.isoformat().replace("+00:00", "Z"))
    assert door["servers"] == [
        {"name": "mx1", "has_asked": True, "outcomes": [{"outcome": "no", "count": 1, **at, "last_from": None}]},
        {"name": "mx2", "has_asked": False, "outcomes": []},
        {
            "name": None,
            "has_asked": True,
            "outcomes": [{"outcome": "turned-away", "count": 1, **at, "last_from": "192.0.2.7"}],
        },
    ]
    api.use((await token_for(house, ada, [Action.SEE_CONNECTIONS])).secret)
    assert (await api.get("/doors")).status_code == 403
