"""Recording in batches, the audit log, the change feed, live connections."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verbs.site import HOME, OPERATOR, START, House, attempt

from valetkey.core.errors import NotAllowed, NotFound, Unavailable
from valetkey.core.event import AccountCreated
from valetkey.core.scope import MailProtocol
from valetkey.service import accounts, activity, app_passwords, keys, live, login, upkeep
from valetkey.service.activity import BatchingRecorder
from valetkey.service.changes import Follower
from valetkey.service.ports import Change, LiveSession, LoginEvent

EVENT = LoginEvent("ac_1", "ap_1", MailProtocol.IMAP, HOME, "Thunderbird", "allowed", START, START)


class Shelf:
    """A store that keeps batches, or fails."""

    def __init__(self) -> None:
        self.batches: list[tuple[LoginEvent, ...]] = []
        self.fault: Exception | None = None
        self.written = asyncio.Event()

    async def add_login_events(self, events) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        self.batches.append(tuple(events))
        self.written.set()


async def test_the_same_thing_again_only_counts_up():
    shelf = Shelf()
    recorder = BatchingRecorder(shelf)
    for n in range(1000):
        recorder.add(replace(EVENT, last_at=START + timedelta(seconds=n)))
    recorder.add(replace(EVENT, result="expired"))
    await recorder.flush()
    await recorder.flush()
    assert shelf.batches == [
        (replace(EVENT, last_at=START + timedelta(seconds=999), count=1000), replace(EVENT, result="expired"))
    ]


async def test_when_the_store_is_away_the_oldest_are_dropped_and_counted():
    shelf = Shelf()
    recorder = BatchingRecorder(shelf, capacity=3)
    shelf.fault = Unavailable("away")
    for n in range(3):
        recorder.add(replace(EVENT, network=f"192.0.2.{n}"))
    await recorder.flush()
    recorder.add(replace(EVENT, network="192.0.2.3"))
    recorder.add(replace(EVENT, network="192.0.2.3"))
    assert recorder.dropped == 1
    shelf.fault = None
    await recorder.flush()
    assert [(one.network, one.count) for one in shelf.batches[0]] == [
        ("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.3", 2),
    ]  # fmt: skip


async def test_what_comes_during_a_failing_flush_is_not_lost():
    shelf = Shelf()
    recorder = BatchingRecorder(shelf)
    shelf.fault = Unavailable("away")
    recorder.add(EVENT)
    flushing = asyncio.create_task(recorder.flush())
    await asyncio.sleep(0)
    recorder.add(EVENT)
    await flushing
    shelf.fault = None
    await recorder.flush()
    assert [one.count for one in shelf.batches[0]] == [2]


async def test_run_flushes_by_itself_and_once_more_at_the_end(monkeypatch):
    monkeypatch.setattr(activity, "FLUSH_EVERY", 0.001)
    shelf = Shelf()
    recorder = BatchingRecorder(shelf)
    running = asyncio.create_task(recorder.run())
    recorder.add(EVENT)
    await asyncio.wait_for(shelf.written.wait(), 5)
    recorder.add(EVENT)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sum(one.count for batch in shelf.batches for one in batch) == 2


async def test_a_batch_that_the_store_cannot_take_holds_up_no_later_one():
    shelf = Shelf()
    recorder = BatchingRecorder(shelf)
    shelf.fault = RuntimeError("a bug")
    recorder.add(EVENT)
    recorder.add(EVENT)
    await recorder.flush()
    assert recorder.dropped == 2
    shelf.fault = None
    recorder.add(EVENT)
    await recorder.flush()
    assert [one.count for one in shelf.batches[0]] == [1]


async def test_activity_is_for_whom_it_concerns(house: House):
    alice, mallory = await house.person(), await house.person("mallory@example.org")
    scanner = await house.shared(owner=alice)
    await login.check(house.ports, attempt("scanner", "wrong"))
    await house.recorder.flush()
    shown = await activity.of_account(house.ports, alice.actor, scanner.id)
    assert [one.result for one in shown.logins] == ["wrong-secret"]
    assert any(isinstance(record.event, AccountCreated) for record in shown.audit)
    assert shown.dropped == 0
    with pytest.raises(NotFound):
        await activity.of_account(house.ports, mallory.actor, scanner.id)
    with pytest.raises(NotAllowed):
        await activity.audit(house.ports, alice.actor)


async def test_the_audit_log_of_all_verbs_verifies_and_every_change_has_its_record(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    await app_passwords.revoke(house.ports, alice.actor, issued.app_password.id, "lost")
    number, _ = await activity.verify_audit(house.ports)
    assert number == house.store.change_number()
    page = await activity.audit(house.ports, OPERATOR, limit=2)
    older = await activity.audit(house.ports, OPERATOR, before=page[-1].number, limit=1000)
    assert [record.number for record in (*page, *older)] == list(range(number, 0, -1))


async def test_the_follower_sees_each_change_once_and_in_order(house: House):
    alice = await house.person()
    follower = Follower(house.store)
    assert follower.poll() == ()
    issued = await house.issue(alice)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    await keys.rotated(house.ports, OPERATOR, 2)
    seen = follower.poll()
    nobody = ""  # a new key concerns no session
    assert [change.account_id for change in seen] == [alice.account.id, alice.account.id, nobody]
    assert [change.number for change in seen] == sorted(change.number for change in seen)
    assert follower.poll() == ()
    assert issued.app_password.account_id == alice.account.id


async def test_a_feed_that_went_back_says_that_anything_may_have_changed(house: House):
    follower = Follower(house.store)
    follower.position = 1000
    assert follower.poll() == (Change(0, None),)
    assert follower.poll() == ()


async def test_more_changes_than_one_page_come_in_several(house: House):
    follower = Follower(house.store)

    def many(writer):
        for n in range(1500):
            writer.record(AccountCreated(f"{n}", "person"), actor=OPERATOR, at=START, account_id=None)

    await house.store.write(many)
    first, second = follower.poll(), follower.poll()
    assert [change.number for change in first + second] == list(range(1, 1501))


async def test_connections_are_seen_and_closed_by_whom_they_concern(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    scanner = await house.shared(owner=alice)
    for name, account in (("a", alice.account), ("b", bob.account), ("s", scanner)):
        house.live.sessions.append(LiveSession(name, account.id, None, MailProtocol.IMAP, HOME, "", START, "1"))
    assert [one.id for one in await live.of_account(house.ports, alice.actor, scanner.id)] == ["s"]
    assert len(await live.of_account(house.ports, OPERATOR, None)) == 3
    with pytest.raises(NotAllowed):
        await live.of_account(house.ports, alice.actor, None)
    with pytest.raises(NotFound):
        await live.of_account(house.ports, alice.actor, bob.account.id)
    assert not await live.close(house.ports, alice.actor, "b")
    assert not await live.close(house.ports, alice.actor, "nothing")
    assert await live.close(house.ports, alice.actor, "s")
    assert await live.close(house.ports, OPERATOR, "b")
    assert [one.id for one in house.live.sessions] == ["a"]


async def test_only_the_command_line_records_a_rotation(house: House):
    alice = await house.person()
    with pytest.raises(NotAllowed):
        await keys.rotated(house.ports, alice.actor, 2)


async def test_upkeep_forgets_old_windows_and_keeps_the_running_one(house: House):
    await login.check(house.ports, attempt("alice", "wrong"))
    window = int(START.timestamp() // 600)

    async def counted() -> int:
        return (
            await house.store.read(lambda reader: reader.throttle_counts(window, "198.51.100.0/24", b"x" * 16))
        ).network

    await upkeep.every_minute(house.ports)
    assert await counted() == 1
    house.clock.move(minutes=20)
    await upkeep.every_minute(house.ports)
    assert await counted() == 0
