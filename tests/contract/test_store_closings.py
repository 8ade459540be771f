"""What mail servers have to be told, as any store keeps it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.verbs.site import House

from valetkey.service.closing_parts import OF_MAIN_PASSWORD, Closing
from valetkey.service.ports import Writer

SECOND = timedelta(seconds=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


async def due(house: House, *, later: float = 0) -> tuple[Closing, ...]:
    now = house.clock.now() + later * SECOND
    found = [
        await house.store.read(lambda reader, name=name: reader.due_closings(now, name)) for name in ("mx1", "mx2")
    ]
    return (*found[0], *found[1])


async def add(house: House, account_id: str | None, credential_id: str | None, server: str = "mx1") -> None:
    now = house.clock.now()
    await house.store.write(
        lambda writer: writer.add_closing(server, account_id, credential_id, at=now, next_try_at=now + SECOND)
    )


async def test_they_are_due_when_they_were_put_off_to(house: House) -> None:
    alice = await house.person()
    await add(house, alice.account.id, "ap_1")
    assert await due(house) == ()
    (one,) = await due(house, later=1)
    assert (one.server, one.account_id, one.credential_id, one.tries) == ("mx1", alice.account.id, "ap_1", 0)
    then = house.clock.now() + 60 * SECOND
    await house.store.write(lambda writer: writer.put_off_closing(one, then))
    assert await due(house, later=59) == ()
    assert (await due(house, later=60))[0].tries == 1


async def test_the_same_asked_for_again_is_one_and_new(house: House) -> None:
    alice = await house.person()
    for credential_id in (None, OF_MAIN_PASSWORD, "ap_1"):
        for server in ("mx1", "mx2"):
            await add(house, alice.account.id, credential_id, server)
    await add(house, None, None)
    await add(house, None, None)
    assert len(await due(house, later=1)) == 6
    assert len(await house.store.read(lambda reader: reader.look_throughs())) == 1
    first = (await due(house, later=1))[0]
    now = house.clock.now()
    await house.store.write(lambda writer: writer.give_up_closing(first, now, now))
    house.clock.move(minutes=1)
    await add(house, first.account_id, first.credential_id, first.server)
    again = [each for each in await due(house, later=1) if each.id == first.id]
    assert [(each.given_up_at, each.made_at) for each in again] == [(None, house.clock.now())]


async def test_what_was_asked_for_anew_while_it_was_told_stays(house: House) -> None:
    alice = await house.person()
    await add(house, alice.account.id, "ap_1")
    (read_before,) = await due(house, later=1)
    house.clock.move(seconds=5)
    await add(house, alice.account.id, "ap_1")
    now = house.clock.now()

    def work(writer: Writer) -> None:
        writer.set_closing_told(read_before, now, now)
        writer.put_off_closing(read_before, now + 60 * SECOND)
        writer.give_up_closing(read_before, now, now)
        writer.remove_closing(read_before)

    await house.store.write(work)
    (left,) = await due(house, later=1)
    assert (left.made_at, left.told_at, left.tries) == (now, None, 0)


async def test_late_are_those_tried_in_vain(house: House) -> None:
    alice = await house.person()
    await add(house, alice.account.id, "ap_1")
    await add(house, alice.account.id, "ap_2")
    assert await house.store.read(lambda reader: reader.late_closings()) == ()
    one, other = await due(house, later=1)
    now = house.clock.now()

    def work(writer: Writer) -> None:
        for each in (one, other):
            writer.put_off_closing(each, now)
        writer.give_up_closing(other, now, now)

    await house.store.write(work)
    (late,) = await house.store.read(lambda reader: reader.late_closings())
    assert (late.server, late.waiting, late.since, late.given_up) == ("mx1", 1, now, 1)
    await house.store.write(lambda writer: writer.set_closing_told(one, now, now))
    (late,) = await house.store.read(lambda reader: reader.late_closings())
    assert (late.waiting, late.given_up) == (0, 1)


async def test_what_is_for_nobody_and_what_was_shown_for_long_is_forgotten(house: House) -> None:
    alice = await house.person()
    await add(house, alice.account.id, "ap_1", "mx1")
    await add(house, alice.account.id, "ap_1", "mx2")
    now = house.clock.now()
    (one, _) = await due(house, later=1)
    assert await house.store.write(lambda writer: writer.forget_closings(("mx1", "mx2"), now)) == 0
    assert await house.store.write(lambda writer: writer.forget_closings(("mx1",), now)) == 1
    await house.store.write(lambda writer: writer.give_up_closing(one, now, now))
    assert await house.store.write(lambda writer: writer.forget_closings(("mx1",), now)) == 1


async def test_those_told_in_vain_are_hastened(house: House) -> None:
    alice = await house.person()
    await add(house, alice.account.id, "ap_1")
    (one,) = await due(house, later=1)
    now = house.clock.now()
    assert await house.store.write(lambda writer: writer.hasten_closings("mx1", now)) == 0
    await house.store.write(lambda writer: writer.put_off_closing(one, now + 600 * SECOND))
    assert await house.store.write(lambda writer: writer.hasten_closings("mx2", now)) == 0
    assert await house.store.write(lambda writer: writer.hasten_closings("mx1", now)) == 1
    assert len(await due(house)) == 1
