"""What is done every minute without being asked."""

from datetime import timedelta

from tests.verbs.site import House, attempt

from valetkey.service import login, upkeep
from valetkey.service.store_parts import Adoption


async def test_people_are_counted_once_a_day(house: House):
    await house.person()
    first = house.clock.now().date()
    await upkeep.every_minute(house.ports)
    await house.person("bob@example.org", two_factor=False)
    await upkeep.every_minute(house.ports)
    house.clock.move(days=1)
    await upkeep.every_minute(house.ports)
    kept = await house.store.read(lambda reader: reader.adoption_days(first))
    assert kept == (Adoption(first, 1, 1, 0), Adoption(first + timedelta(days=1), 2, 1, 0))


async def test_old_counts_go_and_younger_ones_stay(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    begun = house.clock.now()
    for days in (0, 350, 40):
        house.clock.move(days=days)
        await login.check(house.ports, attempt("alice", issued.secret.text))
        await house.recorder.flush()
    await upkeep.every_minute(house.ports)

    def look(reader):
        return reader.login_days(alice.account.id, issued.app_password.id, begun.date()), reader.login_hours(begun)

    days, hours = await house.store.read(look)
    assert (len(days), len(hours)) == (3, 2)
    house.clock.move(days=12)
    await upkeep.every_minute(house.ports)
    days, hours = await house.store.read(look)
    assert (len(days), len(hours)) == (2, 2)
