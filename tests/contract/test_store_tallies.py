"""What mail servers asked and what limits stopped, in the store."""

from datetime import timedelta

from tests.contract.values import NOW

from valetkey.adapters.store import SqliteStore
from valetkey.core.limits import Overstep
from valetkey.service.tallies import Asked, AskedOutcome, NotSent, Tally

HTTP = Asked("http 127.0.0.1:9080", "mx1", AskedOutcome.YES)
LATER = NOW + timedelta(minutes=5)


async def test_counts_add_up_whoever_counted(store: SqliteStore) -> None:
    await store.write(lambda writer: writer.add_tallies({HTTP: Tally(3, NOW, LATER, "192.0.2.2")}))
    await store.write(lambda writer: writer.add_tallies({HTTP: Tally(2, NOW - timedelta(days=1), NOW, "192.0.2.1")}))
    other = HTTP._replace(outcome=AskedOutcome.TURNED_AWAY)
    await store.write(lambda writer: writer.add_tallies({other: Tally(1, NOW, NOW)}))
    assert await store.read(lambda reader: reader.asked()) == {
        HTTP: Tally(5, NOW - timedelta(days=1), LATER, "192.0.2.2"),
        other: Tally(1, NOW, NOW),
    }


async def test_what_limits_stopped_is_kept_by_day_and_forgotten(store: SqliteStore) -> None:
    today = NotSent("ap_one", NOW.date(), Overstep.MESSAGES_PER_DAY)
    old = today._replace(day=NOW.date() - timedelta(days=3))
    others = today._replace(credential_id="ap_other")
    tallies = {old: Tally(1, NOW, NOW), today: Tally(2, NOW, NOW), others: Tally(9, NOW, NOW)}
    await store.write(lambda writer: writer.add_tallies(tallies))
    await store.write(lambda writer: writer.add_tallies({today: Tally(1, LATER, LATER)}))
    found = await store.read(lambda reader: reader.not_sent("ap_one", old.day))
    assert list(found.items()) == [(today, Tally(3, NOW, LATER)), (old, Tally(1, NOW, NOW))]
    assert await store.write(lambda writer: writer.forget_not_sent(today.day)) == 1
    assert list(await store.read(lambda reader: reader.not_sent("ap_one", old.day))) == [today]
