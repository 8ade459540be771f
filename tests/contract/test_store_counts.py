"""Counts over time: logins by day and hour, and how many people have a second factor."""

from datetime import date, timedelta

import pytest
from tests.contract.values import NOW, a_login, a_totp, add_person, add_secret

from valetkey.core.account import AccountKind, AccountState
from valetkey.core.scope import MailProtocol
from valetkey.service.store_parts import Adoption, DayCount, HourCount

TODAY = NOW.date()
DAY = timedelta(days=1)
IMAP, SMTP = MailProtocol.IMAP, MailProtocol.SMTP


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    await store.write(add_secret)
    return store


async def days(store, credential_id="ap_phone", account_id="ac_alice", since=TODAY - 400 * DAY):
    return await store.read(lambda reader: reader.login_days(account_id, credential_id, since))


async def hours(store, since=NOW - 400 * DAY):
    return await store.read(lambda reader: reader.login_hours(since))


async def test_logins_are_counted_by_day_protocol_and_outcome(alice):
    await alice.add_login_events([a_login(count=3), a_login(client="K-9"), a_login(protocol=SMTP, result="network")])
    await alice.add_login_events([a_login()])
    await alice.add_login_events([a_login(first_at=NOW + DAY, last_at=NOW + DAY)])
    assert await days(alice) == (
        DayCount(TODAY, IMAP, "allowed", 5),
        DayCount(TODAY, SMTP, "network", 1),
        DayCount(TODAY + DAY, IMAP, "allowed", 1),
    )
    assert await days(alice, since=TODAY + DAY) == (DayCount(TODAY + DAY, IMAP, "allowed", 1),)


async def test_an_account_s_days_are_those_of_all_its_credentials(alice):
    await alice.add_login_events([a_login(), a_login(credential_id="ap_other"), a_login(credential_id=None)])
    assert await days(alice, None) == (DayCount(TODAY, IMAP, "allowed", 3),)
    assert await days(alice, "ap_other") == (DayCount(TODAY, IMAP, "allowed", 1),)
    assert await days(alice, None, "ac_bob") == ()


async def test_hours_are_of_the_whole_site(alice):
    guess = a_login(account_id=None, credential_id=None, result="wrong-secret", count=9)
    await alice.add_login_events([a_login(), a_login(account_id="ac_bob", credential_id=None), guess])
    begin = NOW.replace(minute=0, second=0, microsecond=0)
    assert await hours(alice) == (
        HourCount(begin, IMAP, "allowed", 2),
        HourCount(begin, IMAP, "wrong-secret", 9),
    )
    assert await hours(alice, NOW + timedelta(hours=1)) == ()


async def test_a_stranger_s_guesses_add_no_rows_of_their_own(alice):
    guesses = [
        a_login(account_id=account, credential_id=None, network=f"192.0.2.{at}", client=str(at), result="wrong-secret")
        for at in range(50)
        for account in (None, "ac_alice")
    ]
    await alice.add_login_events(guesses)
    assert await days(alice, None) == (DayCount(TODAY, IMAP, "wrong-secret", 50),)
    assert await days(alice, None, "") == ()
    assert [count.count for count in await hours(alice)] == [100]


async def test_old_counts_are_forgotten_each_at_its_own_age(alice):
    old = NOW - 100 * DAY
    await alice.add_login_events([a_login(), a_login(client="old", first_at=old, last_at=old)])

    def forget(before_days, before_hours):
        return alice.write(lambda writer: writer.forget_counts(days_before=before_days, hours_before=before_hours))

    assert await forget(TODAY - 400 * DAY, NOW - 90 * DAY) == 1
    assert (len(await days(alice)), len(await hours(alice))) == (2, 1)
    assert await forget(TODAY - 50 * DAY, NOW - 90 * DAY) == 1
    assert (len(await days(alice)), len(await hours(alice))) == (1, 1)


async def test_adoption_counts_active_people_only(store):
    def fill(writer):
        for name in ("alice", "bob", "carol"):
            add_person(writer, name)
        add_person(writer, "gone", state=AccountState.DISABLED)
        add_person(writer, "scanner", kind=AccountKind.SHARED)
        for name in ("alice", "gone"):
            writer.add_totp(a_totp(f"app of {name}", name))

    await store.write(fill)
    assert await store.read(lambda reader: reader.adoption_now(TODAY)) == Adoption(TODAY, 3, 1, 0)


async def test_adoption_is_kept_by_day_and_the_last_word_counts(store):
    wanted = [Adoption(date(2026, 3, day), 10, day, 1) for day in (1, 2, 3)]
    for one in (Adoption(date(2026, 3, 2), 1, 1, 1), *reversed(wanted)):
        await store.write(lambda writer, one=one: writer.set_adoption(one))
    assert await store.read(lambda reader: reader.adoption_days(date(2026, 3, 2))) == tuple(wanted[1:])
