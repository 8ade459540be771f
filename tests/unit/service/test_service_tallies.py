"""What is counted and not listed: over workers, over a store that is away, for the page of mail servers."""

from datetime import timedelta

import pytest
from tests.verbs.site import OPERATOR, START, House

from valetkey.core.errors import NotAllowed, Unavailable
from valetkey.core.role import Role
from valetkey.service import servers
from valetkey.service.activity import BatchingRecorder
from valetkey.service.server_parts import MailDoor
from valetkey.service.tallies import NOBODY_KNOWN, Asked, AskedOutcome, Tallies, Tally

DOOR = MailDoor("http", "127.0.0.1:9080", has_tls=False, peers=("mx1", "mx2"))
LATER = START + timedelta(seconds=9)
YES = Asked(DOOR.name, "mx1", AskedOutcome.YES)


def test_the_same_thing_again_only_counts_up() -> None:
    tallies = Tallies(capacity=2)
    for at in (START, LATER, START):
        tallies.count(YES, at, str(at.second))
    tallies.count(YES._replace(peer="mx2"), START)
    tallies.count(YES._replace(peer="mx3"), START)  # too many different ones
    taken = tallies.take()
    assert taken == {YES: Tally(3, START, LATER, str(LATER.second)), YES._replace(peer="mx2"): Tally(1, START, START)}
    tallies.count(YES, LATER)
    tallies.put_back(taken)
    assert tallies.take()[YES].count == 4
    assert tallies.take() == {}


async def test_all_workers_count_together_and_what_cannot_be_written_waits(house: House) -> None:
    other = BatchingRecorder(house.store)
    other.count(YES, START)
    house.recorder.count(YES, LATER)
    real = house.store.write

    async def away(_: object) -> None:
        raise Unavailable("away")

    house.store.write = away  # type: ignore[assignment, method-assign]
    await house.recorder.flush()
    house.store.write = real  # type: ignore[method-assign]
    await house.recorder.flush()
    await other.flush()
    assert await house.store.read(lambda reader: reader.asked()) == {YES: Tally(2, START, LATER)}


async def test_every_peer_of_every_door_is_listed_asked_or_not(house: House) -> None:
    ports = house.with_ports(mail_doors=(DOOR, MailDoor("sasl", "/run/vk/sasl", has_tls=False, peers=("mx1",))))
    house.recorder.count(YES, START)
    house.recorder.count(YES._replace(outcome=AskedOutcome.CANNOT_TELL), LATER)
    house.recorder.count(Asked(DOOR.name, NOBODY_KNOWN, AskedOutcome.TURNED_AWAY), LATER, "192.0.2.7")
    house.recorder.count(Asked("http 127.0.0.1:1", "mx1", AskedOutcome.NO), LATER)  # a door of before
    await house.recorder.flush()
    first, second = await servers.asking(ports, OPERATOR)
    assert [(peer.name, peer.last) for peer in first.peers] == [
        ("mx1", AskedOutcome.CANNOT_TELL),
        ("mx2", None),
        (NOBODY_KNOWN, AskedOutcome.TURNED_AWAY),
    ]
    assert [first.peers[0].count(each) for each in AskedOutcome] == [1, 0, 1, 0, 0]
    assert first.peers[2].tallies[AskedOutcome.TURNED_AWAY].place == "192.0.2.7"
    assert [(peer.name, peer.last) for peer in second.peers] == [("mx1", None)]


async def test_only_who_may_see_mail_servers_sees_who_asks(house: House) -> None:
    nobody = await house.person("alice@example.org")
    with pytest.raises(NotAllowed):
        await servers.asking(house.ports, nobody.actor)
    auditor = await house.person("audi@example.org", role=Role.AUDITOR)
    assert await servers.asking(house.ports, auditor.actor) == ()
