"""Login events and the counters of failures."""

import asyncio
from datetime import timedelta

import pytest
from tests.contract.values import NOW, SECOND, a_login, add_person, add_secret

from valetkey.adapters.store import activity
from valetkey.core.app_password import LastRefusal, LastUse
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleCounts
from valetkey.service.store_parts import LoginFilter


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    await store.write(add_secret)
    return store


async def events_of(store, account_id="ac_alice", **wanted):
    return await store.read(lambda reader: reader.login_events(account_id, **wanted))


async def test_the_same_again_only_counts_up(alice):
    await alice.add_login_events([a_login(), a_login(last_at=NOW + SECOND)])
    await alice.add_login_events([a_login(first_at=NOW - SECOND, count=5)])
    assert await events_of(alice) == (a_login(first_at=NOW - SECOND, last_at=NOW + SECOND, count=7),)


@pytest.mark.parametrize(
    "other",
    [
        {"credential_id": None},
        {"protocol": MailProtocol.SMTP},
        {"network": "192.0.2.2"},
        {"client": "K-9"},
        {"result": "expired"},
    ],
)
async def test_what_differs_is_an_entry_of_its_own(alice, other):
    await alice.add_login_events([a_login(), a_login(**other)])
    assert set(await events_of(alice)) == {a_login(), a_login(**other)}


async def test_the_latest_is_first(alice):
    events = [a_login(network=f"192.0.2.{at}", last_at=NOW + at * SECOND) for at in range(5)]
    await alice.add_login_events(events)
    assert await events_of(alice) == tuple(reversed(events))
    assert await events_of(alice, limit=2) == (events[4], events[3])


async def test_names_that_nobody_has_share_one_list(alice):
    nobodys = a_login(account_id=None, credential_id=None, network="198.51.100.0/24", result="wrong-secret")
    await alice.add_login_events([nobodys])
    assert await events_of(alice, None) == (nobodys,)
    assert await events_of(alice) == ()


async def test_logins_are_found_by_what_they_are_about(alice):
    events = (
        a_login(),
        a_login(result="network", last_at=NOW + SECOND),
        a_login(credential_id=None, result="wrong-secret", last_at=NOW + 2 * SECOND),
        a_login(credential_id="ap_other", client="K-9", last_at=NOW + 3 * SECOND),
    )
    await alice.add_login_events([*events, a_login(account_id="ac_bob")])

    async def found(limit=10, **wanted):
        logins = await alice.read(lambda reader: reader.login_events_where(LoginFilter("ac_alice", **wanted), limit))
        return [events.index(login) for login in logins]

    assert await found() == [3, 2, 1, 0]
    assert await found(2) == [3, 2]
    assert await found(credential_id="ap_phone") == [1, 0]
    assert await found(refused_only=True) == [2, 1]
    assert await found(results=("network", "allowed")) == [3, 1, 0]
    assert await found(since=NOW + SECOND, until=NOW + 3 * SECOND) == [2, 1]


async def test_nothing_to_write_writes_nothing(alice):
    await alice.add_login_events([])
    assert await events_of(alice) == ()


async def test_last_use_and_last_refusal_follow_the_newest(alice):
    later = NOW + timedelta(hours=1)
    await alice.add_login_events(
        [
            a_login(last_at=later, network="2001:db8::1", client="K-9"),
            a_login(last_at=NOW, protocol=MailProtocol.SMTP),
            a_login(last_at=later, result="expired"),
            a_login(last_at=NOW, result="network", protocol=MailProtocol.POP3),
        ]
    )
    await alice.add_login_events([a_login(last_at=NOW), a_login(last_at=NOW, result="protocol")])
    _, credential = alice.find_proven("ac_alice", "ap_phone")
    assert credential.last_use == LastUse(later, "2001:db8::1", MailProtocol.IMAP, "K-9")
    assert credential.last_refusal == LastRefusal(later, "192.0.2.1", MailProtocol.IMAP, "expired")


async def test_last_use_is_no_change_of_the_account(alice):
    before = alice.change_number()
    await alice.add_login_events([a_login()])
    assert alice.change_number() == before
    assert (await alice.verify_audit())[0] == before


async def test_a_list_keeps_the_newest_and_counts_what_it_dropped(alice, monkeypatch):
    monkeypatch.setattr(activity, "ACCOUNT_ENTRIES", 10)
    monkeypatch.setattr(activity, "NOBODY_ENTRIES", 3)
    events = [a_login(client=f"client {at}", last_at=NOW + at * SECOND) for at in range(25)]
    for start in range(0, 25, 5):
        await alice.add_login_events(events[start : start + 5])
    assert await events_of(alice) == tuple(reversed(events[15:]))
    assert await alice.read(lambda reader: reader.login_events_dropped("ac_alice")) == 15
    nobodys = [a_login(account_id=None, credential_id=None, client=f"client {at}") for at in range(5)]
    await alice.add_login_events(nobodys)
    assert len(await events_of(alice, None)) == 3
    assert await alice.read(lambda reader: reader.login_events_dropped(None)) == 2
    assert await alice.read(lambda reader: reader.login_events_dropped("ac_alice")) == 15
    assert await alice.read(lambda reader: reader.login_events_dropped("ac_new")) == 0


async def test_what_proved_nothing_drives_nothing_else_out_of_a_list(alice, monkeypatch):
    monkeypatch.setattr(activity, "ACCOUNT_ENTRIES", 5)
    kept = {a_login(), a_login(result="expired"), a_login(credential_id=None)}
    await alice.add_login_events(kept)
    flood = [
        a_login(credential_id=None, client=f"client {at}", result="wrong-secret", last_at=NOW + at * SECOND)
        for at in range(1, 30)
    ]
    await alice.add_login_events(flood)
    assert set(await events_of(alice)) == {*kept, *flood[-2:]}


async def test_the_bounds_are_the_stated_ones(alice):
    assert (activity.ACCOUNT_ENTRIES, activity.NOBODY_ENTRIES) == (1_000, 10_000)
    await alice.add_login_events([a_login(client=str(at)) for at in range(1_100)])
    assert len(await events_of(alice, limit=2_000)) == 1_000


@pytest.mark.parametrize("client", ["x" * 100_000, "half \ud800 pair", "nul \0 octet", "line\r\nbreak", "💌" * 150])
async def test_what_a_client_calls_itself_harms_nothing(alice, client):
    await alice.add_login_events([a_login(client=client), a_login(network="192.0.2.9")])
    stored = {event.network: event.client for event in await events_of(alice)}
    assert len(stored) == 2
    assert len(stored["192.0.2.1"]) <= 200
    assert stored["192.0.2.1"][:4] == client[:4]


WINDOW = 7


async def test_failures_count_distinct_secrets(store):
    def fail(writer):
        for network, secret in (("a", b"1"), ("a", b"1"), ("a", b"1"), ("a", b"2"), ("b", b"1")):
            writer.count_failure(WINDOW, network, secret)

    await store.write(fail)

    async def counts(network, secret, window=WINDOW):
        return await store.read(lambda reader: reader.throttle_counts(window, network, secret))

    assert await counts("a", b"1") == ThrottleCounts(network=2, secret=3, overall=3)
    assert await counts("a", b"9") == ThrottleCounts(network=2, secret=0, overall=3)
    assert await counts("b", b"1") == ThrottleCounts(network=1, secret=1, overall=3)
    assert await counts("c", b"1") == ThrottleCounts(network=0, secret=0, overall=3)
    assert await counts("a", b"1", WINDOW + 1) == ThrottleCounts(network=0, secret=0, overall=0)


async def test_every_parallel_failure_is_counted(store):
    await asyncio.gather(
        *(store.write(lambda writer, n=n: writer.count_failure(WINDOW, "a", b"%d" % (n % 50))) for n in range(100))
    )
    counted = await store.read(lambda reader: reader.throttle_counts(WINDOW, "a", b"0"))
    assert counted == ThrottleCounts(network=50, secret=2, overall=50)


async def test_windows_that_are_over_are_forgotten(store):
    await store.write(lambda writer: [writer.count_failure(window, "a", b"1") for window in (5, 6, 7)])
    await store.write(lambda writer: writer.forget_failures(7))
    counted = [
        await store.read(lambda reader, window=window: reader.throttle_counts(window, "a", b"1").overall)
        for window in (5, 6, 7)
    ]
    assert counted == [0, 0, 1]
