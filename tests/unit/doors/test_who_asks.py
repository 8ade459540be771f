"""Who asks, and what came of it: counted at every door, by every way in, for the page of the console and the API."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from tests.doors.asking_by_http import certificate_logins
from tests.doors.door_site import door, open_doors, peer
from tests.doors.every_door import WAYS, EveryDoor, open_every_door
from tests.doors.ways_in import PEER, Asker, Login, Shown, Way
from tests.verbs.site import House

from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import DoorKind
from valetkey.service.tallies import NOBODY_KNOWN, AskedOutcome

KINDS = tuple(kind for kind in DoorKind if kind is not DoorKind.SOCKETMAP)
# Tokens are looked at for nobody, so nobody is counted for them; the gateway's clients are no mail servers.
COUNTED = [way for way in WAYS if not way.door.startswith("gateway") and "introspect" not in way.door]
ALICE = "alice@example.org"


class World:
    """All doors, and one person with an app password."""

    def __init__(self, doors: EveryDoor, right: Login) -> None:
        self.doors = doors
        self.right = right

    async def counted(self) -> Counter[tuple[str, AskedOutcome]]:
        """Give the counts over all doors, by peer and outcome."""
        await self.doors.house.recorder.flush()
        found: Counter[tuple[str, AskedOutcome]] = Counter()
        for asked, tally in (await self.doors.house.store.read(lambda reader: reader.asked())).items():
            found[asked.peer, asked.outcome] += tally.count
        return found

    async def came_of(self, way: Way, asker: Asker, login: Login) -> set[tuple[str, AskedOutcome]]:
        """Ask, and tell what was counted."""
        before = await self.counted()
        await way.ask(self.doors, asker, login)
        return set(await self.counted() - before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("asks")
    house = House(folder)
    issued = await house.issue(await house.person(ALICE))
    one = issued.app_password.id
    right = Login(ALICE, issued.secret.shown, MailProtocol.IMAP, app_password=one)
    async with open_every_door(
        folder, house, kinds=KINDS, certificate_logins=certificate_logins([(ALICE, one)])
    ) as doors:
        yield World(doors, right)


@pytest.mark.parametrize("way", COUNTED, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_question_is_counted_as_its_peers(world: World, way: Way) -> None:
    login = replace(world.right, protocol=way.protocols[0])
    yes, no = (PEER, AskedOutcome.YES), (PEER, AskedOutcome.NO)
    came = await world.came_of(way, Asker.HOLDING, login)
    assert came == {yes} if way.opens else came and yes not in came
    wrong = replace(login, name="nobody@example.org", secret="wrong", app_password="ap_" + "a" * 16)
    came = await world.came_of(way, Asker.HOLDING, wrong)
    assert came in ({no}, {(PEER, AskedOutcome.MISUNDERSTOOD)}) or way.shown is Shown.NAME


@pytest.mark.parametrize("way", [way for way in COUNTED if way.is_for_listed], ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_who_is_no_peer_is_turned_away(world: World, way: Way) -> None:
    login = replace(world.right, protocol=way.protocols[0])
    turned_away = {(NOBODY_KNOWN, AskedOutcome.TURNED_AWAY)}
    assert await world.came_of(way, Asker.STRANGER, login) == turned_away
    if way.has_peer_secret:
        assert turned_away <= await world.came_of(way, Asker.HOLDING, replace(login, peer_secret="another"))
    asked = await world.doors.house.store.read(lambda reader: reader.asked())
    places = {tally.place for what, tally in asked.items() if what.outcome is AskedOutcome.TURNED_AWAY}
    assert places == {"127.0.0.1"}


async def test_what_breaks_the_protocol_is_not_understood(tmp_path) -> None:
    kinds = (DoorKind.HTTP, DoorKind.SASL, DoorKind.POLICY, DoorKind.SOCKETMAP, DoorKind.SASLAUTHD, DoorKind.LDAP)
    async with open_doors(tmp_path, *(door(kind, peer()) for kind in kinds)) as site:
        for number in range(len(kinds)):
            talk = await site.connect(number)
            await talk.say(b"\xff\xff nonsense\r\n\r\n" * 500)
            await talk.reader.read()
        await site.house.recorder.flush()
        asked = await site.house.store.read(lambda reader: reader.asked())
    found = {what.door.partition(" ")[0] for what in asked if what.outcome is AskedOutcome.MISUNDERSTOOD}
    assert found == {kind.value for kind in kinds}
    assert {what.peer for what in asked} == {"mx1"}
