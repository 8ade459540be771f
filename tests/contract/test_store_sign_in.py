"""What the store promises about second factors and browser sessions."""

import asyncio
from dataclasses import replace

import pytest
from tests.contract.values import NOW, SECOND, a_session, a_totp, add_person

from valetkey.core.errors import NotFound

CODES = [bytes([number]) * 32 for number in range(10)]


@pytest.fixture
async def alice(store):
    await store.write(add_person)
    await store.write(lambda writer: writer.add_totp(a_totp()))
    return store


async def totp_of(store):
    return (await store.read(lambda reader: reader.totps("ac_alice")))[0]


async def test_authenticators_come_back_oldest_first(alice):
    newer = a_totp("newer", created_at=NOW + SECOND, wrong_codes=2, wrong_at=NOW, last_used_at=NOW)
    older = a_totp("older", created_at=NOW - SECOND)
    await alice.write(lambda writer: (writer.add_totp(newer), writer.add_totp(older)))
    assert await alice.read(lambda reader: reader.totps("ac_alice")) == (older, a_totp(), newer)
    assert await alice.write(lambda writer: writer.remove_totp("to_app")) is True
    assert await alice.write(lambda writer: writer.remove_totp("to_app")) is False


async def test_an_authenticator_is_given_another_name_and_nothing_else(alice):
    await alice.write(lambda writer: writer.rename_totp("to_app", "Old phone"))
    assert await totp_of(alice) == replace(a_totp(), name="Old phone")
    with pytest.raises(NotFound):
        await alice.write(lambda writer: writer.rename_totp("to_gone", "Old phone"))


async def test_a_step_is_used_once_and_never_an_older_one(alice):
    for step, is_used in ((100, False), (101, True), (101, False), (100, False), (105, True), (104, False)):
        assert await alice.write(lambda writer, step=step: writer.use_totp_step("to_app", step, NOW)) is is_used
    totp = await totp_of(alice)
    assert (totp.last_step, totp.last_used_at) == (105, NOW)


async def test_one_of_many_parallel_uses_succeeds(alice):
    used = await asyncio.gather(
        *(alice.write(lambda writer: writer.use_totp_step("to_app", 101, NOW)) for _ in range(100))
    )
    assert sum(used) == 1


async def test_every_parallel_wrong_code_is_counted(alice):
    counts = await asyncio.gather(
        *(alice.write(lambda writer: writer.count_wrong_code("to_app", NOW)) for _ in range(100))
    )
    assert sorted(counts) == list(range(1, 101))
    totp = await totp_of(alice)
    assert (totp.wrong_codes, totp.wrong_at) == (100, NOW)


async def test_a_right_code_ends_the_run_of_wrong_ones(alice):
    await alice.write(lambda writer: writer.count_wrong_code("to_app", NOW))
    await alice.write(lambda writer: writer.use_totp_step("to_app", 101, NOW))
    assert await totp_of(alice) == a_totp(last_step=101, last_used_at=NOW)


async def test_wrong_codes_are_cleared_for_one_account(alice):
    await alice.write(lambda writer: add_person(writer, "bob"))
    await alice.write(lambda writer: writer.add_totp(a_totp("bobs", "bob", wrong_codes=3, wrong_at=NOW)))
    await alice.write(lambda writer: writer.count_wrong_code("to_app", NOW))
    await alice.write(lambda writer: writer.clear_wrong_codes("ac_alice"))
    assert await totp_of(alice) == a_totp()
    assert (await alice.read(lambda reader: reader.totps("ac_bob")))[0].wrong_codes == 3


async def test_a_wrong_code_for_nothing_counts_nothing(alice):
    assert await alice.write(lambda writer: writer.count_wrong_code("to_nothing", NOW)) == 0


async def test_a_recovery_code_works_once(alice):
    await alice.write(lambda writer: writer.set_recovery_codes("ac_alice", CODES, NOW))
    assert await alice.read(lambda reader: reader.recovery_codes_left("ac_alice")) == 10
    used = await asyncio.gather(
        *(alice.write(lambda writer: writer.use_recovery_code("ac_alice", CODES[3], NOW)) for _ in range(20))
    )
    assert sum(used) == 1
    assert await alice.read(lambda reader: reader.recovery_codes_left("ac_alice")) == 9


async def test_a_recovery_code_is_one_accounts(alice):
    await alice.write(lambda writer: add_person(writer, "bob"))
    await alice.write(lambda writer: writer.set_recovery_codes("ac_alice", CODES, NOW))
    assert await alice.write(lambda writer: writer.use_recovery_code("ac_bob", CODES[0], NOW)) is False


async def test_a_new_set_of_recovery_codes_replaces_the_old(alice):
    await alice.write(lambda writer: writer.set_recovery_codes("ac_alice", CODES[:5], NOW))
    await alice.write(lambda writer: writer.set_recovery_codes("ac_alice", CODES[5:], NOW))
    assert await alice.write(lambda writer: writer.use_recovery_code("ac_alice", CODES[0], NOW)) is False
    assert await alice.write(lambda writer: writer.use_recovery_code("ac_alice", CODES[5], NOW)) is True
    await alice.write(lambda writer: writer.set_recovery_codes("ac_alice", [], NOW))
    assert await alice.read(lambda reader: reader.recovery_codes_left("ac_alice")) == 0


async def test_a_session_comes_back_as_it_was_stored(alice):
    half, full = a_session(), a_session("full", proven_at=NOW, has_second_factor=False, seen_at=NOW + SECOND)
    await alice.write(lambda writer: (writer.add_portal_session(half), writer.add_portal_session(full)))
    assert await alice.read(lambda reader: reader.portal_session(half.id_hash)) == half
    assert await alice.read(lambda reader: reader.portal_sessions("ac_alice")) == (full, half)
    assert await alice.read(lambda reader: reader.portal_session(bytes(32))) is None


async def test_a_session_is_touched(alice):
    session = a_session()
    await alice.write(lambda writer: writer.add_portal_session(session))
    await alice.write(lambda writer: writer.touch_portal_session(session.id_hash, seen_at=NOW + SECOND))
    expected = replace(session, seen_at=NOW + SECOND)
    assert await alice.read(lambda reader: reader.portal_session(session.id_hash)) == expected


async def test_a_session_that_ended_is_not_touched(alice):
    await alice.write(lambda writer: writer.touch_portal_session(bytes(32), seen_at=NOW))
    assert await alice.read(lambda reader: reader.portal_session(bytes(32))) is None


@pytest.mark.parametrize(
    ("which", "left"),
    [({}, set()), ({"only": "a"}, {"b", "c"}), ({"keep": "a"}, {"a"}), ({"only": "bobs"}, {"a", "b", "c"})],
)
async def test_sessions_end_together_or_alone(alice, which, left):
    sessions = {name: a_session(name) for name in "abc"}
    bobs = a_session("bobs", "bob")

    def fill(writer):
        add_person(writer, "bob")
        for session in (*sessions.values(), bobs):
            writer.add_portal_session(session)

    await alice.write(fill)
    wanted = {name: a_session(of).id_hash for name, of in which.items()}
    ended = await alice.write(lambda writer: writer.remove_portal_sessions("ac_alice", **wanted))
    still = await alice.read(lambda reader: reader.portal_sessions("ac_alice"))
    assert {each.csrf.removeprefix("csrf of ") for each in still} == left
    assert ended == 3 - len(left)
    assert await alice.read(lambda reader: reader.portal_session(bobs.id_hash)) == bobs


async def test_stale_sessions_end(alice):
    def fill(writer):
        writer.add_portal_session(a_session("fresh"))
        writer.add_portal_session(a_session("old", created_at=NOW - 10 * SECOND))
        writer.add_portal_session(a_session("idle", seen_at=NOW - 5 * SECOND))

    await alice.write(fill)
    before = {"created_before": NOW - 9 * SECOND, "seen_before": NOW - 4 * SECOND}
    assert await alice.write(lambda writer: writer.remove_stale_portal_sessions(**before)) == 2
    assert len(await alice.read(lambda reader: reader.portal_sessions("ac_alice"))) == 1
