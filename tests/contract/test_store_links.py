"""What the store promises about one-time links, recoveries, notice addresses and waiting notices."""

import asyncio
from datetime import timedelta

import pytest
from tests.contract.values import NOW, SECOND, add_person

from valetkey.core.errors import Conflict
from valetkey.service.store_parts import LinkPurpose, NoticeAddress, OneTimeLink, Recovery, RecoveryState

DAY = timedelta(days=1)
HASHED = bytes([1]) * 32


def a_link(number=1, **facts):
    given = {
        "hashed": bytes([number]) * 32,
        "purpose": LinkPurpose.RECOVERY,
        "account_id": "ac_alice",
        "facts": {"step": "begin"},
        "created_by": "ac_alice",
        "created_at": NOW,
        "expires_at": NOW + DAY,
    }
    return OneTimeLink(**{**given, **facts})


def a_recovery(name="first", **facts):
    given = {
        "id": f"rc_{name}",
        "account_id": "ac_alice",
        "state": RecoveryState.WAITING,
        "begun_at": NOW,
        "begun_from": "192.0.2.1",
        "opens_at": NOW + DAY,
        "closes_at": NOW + 2 * DAY,
        "noticed_at": NOW,
    }
    return Recovery(**{**given, **facts})


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    await store.write(lambda writer: add_person(writer, "bob"))
    return store


async def test_a_link_comes_back_as_it_was_stored(alice):
    link = a_link(facts={"address": "a@elsewhere.example", "step": "begin"})
    await alice.write(lambda writer: writer.add_link(link))
    assert await alice.read(lambda reader: reader.one_time_link(HASHED)) == link
    assert await alice.read(lambda reader: reader.one_time_link(bytes(32))) is None


async def test_one_of_many_parallel_uses_of_a_link_succeeds(alice):
    await alice.write(lambda writer: writer.add_link(a_link()))
    used = await asyncio.gather(*(alice.write(lambda writer: writer.use_link(HASHED, NOW)) for _ in range(20)))
    assert sum(used) == 1
    assert (await alice.read(lambda reader: reader.one_time_link(HASHED))).used_at == NOW


async def test_an_expired_or_unknown_link_is_not_used(alice):
    await alice.write(lambda writer: writer.add_link(a_link()))
    assert await alice.write(lambda writer: writer.use_link(HASHED, NOW + DAY)) is False
    assert await alice.write(lambda writer: writer.use_link(bytes(32), NOW)) is False
    assert await alice.write(lambda writer: writer.use_link(HASHED, NOW + DAY - SECOND)) is True


async def test_links_end_for_one_account_and_purpose(alice):
    mine, newer = a_link(1), a_link(2, created_at=NOW + SECOND)
    others = a_link(3, account_id="ac_bob"), a_link(4, purpose=LinkPurpose.INVITATION)
    await alice.write(lambda writer: [writer.add_link(link) for link in (mine, newer, *others)])
    assert await alice.read(lambda reader: reader.open_links("ac_alice", LinkPurpose.RECOVERY)) == (newer, mine)
    assert await alice.write(lambda writer: writer.end_links("ac_alice", LinkPurpose.RECOVERY, NOW)) == 2
    assert await alice.read(lambda reader: reader.open_links("ac_alice", LinkPurpose.RECOVERY)) == ()
    assert await alice.write(lambda writer: writer.use_link(HASHED, NOW)) is False
    for link in others:
        assert await alice.write(lambda writer, link=link: writer.use_link(link.hashed, NOW)) is True


async def test_links_are_counted_and_forgotten_by_age(alice):
    await alice.write(lambda writer: writer.add_link(a_link(1)))
    await alice.write(lambda writer: writer.add_link(a_link(2, created_at=NOW + SECOND, expires_at=NOW + 2 * DAY)))
    await alice.write(lambda writer: writer.use_link(HASHED, NOW))
    made = [
        await alice.read(lambda reader, at=at: reader.links_made("ac_alice", LinkPurpose.RECOVERY, at))
        for at in (NOW - SECOND, NOW, NOW + SECOND)
    ]
    assert made == [2, 1, 0]
    assert await alice.write(lambda writer: writer.forget_links(NOW + DAY + SECOND)) == 1
    assert await alice.read(lambda reader: reader.one_time_link(HASHED)) is None


async def test_one_recovery_waits_per_account(alice):
    await alice.write(lambda writer: writer.add_recovery(a_recovery()))
    with pytest.raises(Conflict):
        await alice.write(lambda writer: writer.add_recovery(a_recovery("second")))
    await alice.write(lambda writer: writer.add_recovery(a_recovery("bobs", account_id="ac_bob", opens_at=NOW)))
    assert await alice.read(lambda reader: reader.open_recovery("ac_alice")) == a_recovery()
    waiting = await alice.read(lambda reader: reader.open_recoveries())
    assert [one.id for one in waiting] == ["rc_bobs", "rc_first"]
    assert await alice.read(lambda reader: reader.open_recoveries(limit=1)) == waiting[:1]
    place = (waiting[0].opens_at, waiting[0].id)
    assert await alice.read(lambda reader: reader.open_recoveries(after=place)) == waiting[1:]
    assert await alice.read(lambda reader: reader.open_recovery_count()) == 2


@pytest.mark.parametrize("state", [RecoveryState.CANCELLED, RecoveryState.DONE, RecoveryState.LAPSED])
async def test_a_recovery_ends_once_and_another_may_follow(alice, state):
    await alice.write(lambda writer: writer.add_recovery(a_recovery()))
    assert await alice.write(lambda writer: writer.set_recovery("rc_first", state=state, at=NOW)) is True
    assert await alice.write(lambda writer: writer.set_recovery("rc_first", state=state, at=NOW)) is False
    assert await alice.read(lambda reader: reader.open_recovery("ac_alice")) is None
    await alice.write(lambda writer: writer.add_recovery(a_recovery("second", begun_at=NOW + SECOND)))
    begun = [
        await alice.read(lambda reader, at=at: reader.recoveries_begun("ac_alice", at)) for at in (NOW - SECOND, NOW)
    ]
    assert begun == [2, 1]


async def test_when_the_owner_was_last_told_is_kept(alice):
    await alice.write(lambda writer: writer.add_recovery(a_recovery()))
    await alice.write(lambda writer: writer.set_recovery_noticed("rc_first", NOW + DAY))
    assert (await alice.read(lambda reader: reader.open_recovery("ac_alice"))).noticed_at == NOW + DAY


async def test_a_notice_address_is_set_confirmed_and_removed(alice):
    for address, confirmed_at in (("a@one.example", None), ("a@two.example", NOW)):
        await alice.write(lambda writer, a=address, c=confirmed_at: writer.set_notice_address("ac_alice", a, c))
        kept = await alice.read(lambda reader: reader.notice_address("ac_alice"))
        assert kept == NoticeAddress("ac_alice", address, confirmed_at)
    assert await alice.read(lambda reader: reader.notice_address("ac_bob")) is None
    await alice.write(lambda writer: writer.set_notice_address("ac_alice", None, None))
    assert await alice.read(lambda reader: reader.notice_address("ac_alice")) is None


async def test_a_served_domain_is_known_as_one(alice):
    await alice.write(lambda writer: writer.add_alias("ac_alice", "alice@alias.example"))
    asked = ("example.org", "alias.example", "elsewhere.example", "ample.org", "xample_org", "%")
    served = [await alice.read(lambda reader, d=domain: reader.is_domain_served(d)) for domain in asked]
    assert served == [True, True, False, False, False, False]


async def test_notices_are_due_in_order_and_put_off(alice):
    def queue(writer):
        for number in range(3):
            writer.queue_notice(
                "ac_alice", f"{number}@example.org", "kind", {"n": number}, at=NOW + number * SECOND, sealed=b"s"
            )

    await alice.write(queue)
    assert await alice.read(lambda reader: reader.due_notices(NOW - SECOND)) == ()
    first, second = await alice.read(lambda reader: reader.due_notices(NOW + SECOND))
    assert (first.recipient, first.kind, first.facts, first.sealed) == ("0@example.org", "kind", {"n": 0}, b"s")
    assert (first.made_at, first.next_try_at, first.tries) == (NOW, NOW, 0)
    await alice.write(lambda writer: writer.put_off_notice(first.id, NOW + DAY))
    await alice.write(lambda writer: writer.remove_notice(second.id))
    assert [one.recipient for one in await alice.read(lambda reader: reader.due_notices(NOW + DAY))] == [
        "2@example.org",
        "0@example.org",
    ]
    (limited,) = await alice.read(lambda reader: reader.due_notices(NOW + DAY, limit=1))
    assert limited.recipient == "2@example.org"
    assert await alice.write(lambda writer: writer.remove_notices()) == 2
