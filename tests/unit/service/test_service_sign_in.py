"""Signing in, proving again, and the sessions between."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House

from valetkey.adapters.keys import KeyFile
from valetkey.core.app_password import SecretFormat
from valetkey.core.errors import NotAllowed, ProveAgain, Refused, Unavailable
from valetkey.core.event import (
    CodeEntryDisabled,
    RecoveryCodeUsed,
    SecondFactorReset,
    SignedIn,
    SignedOut,
    SignInRefused,
)
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import (
    accounts,
    activity,
    app_passwords,
    portal_sessions,
    proving,
    second_factors,
    sign_in,
    upkeep,
)
from valetkey.service.app_passwords import Wanted, issue
from valetkey.service.ports import Hasher
from valetkey.service.proving import Proof
from valetkey.service.sign_in import NextStep

WRONG = "The address or the password is not right."


async def start(house: House, name: str = "alice", password: str = PASSWORD, *, address: str = HOME, old=None):
    return await sign_in.start(house.ports, name, password, address=address, client="Firefox", old_token=old)


async def prove_again(house: House, token: str, *, password: str, code: str, address: str):
    return await proving.prove_again(house.ports, token, Proof(password, code), address=address)


async def kinds(house: House, account_id: str) -> list[type]:
    records = await activity.audit(house.ports, OPERATOR, account_id=account_id, limit=1000)
    return [type(record.event) for record in records]


async def test_password_then_code_then_in(house: House):
    alice = await house.person()
    half = await start(house, " ALICE@example.org")
    assert half.next is NextStep.SECOND_FACTOR
    signed_in = await sign_in.current(house.ports, half.token)
    assert not signed_in.is_complete
    with pytest.raises(NotAllowed):
        sign_in.actor_of(signed_in, HOME)
    done = await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)
    assert done.next is NextStep.DONE
    assert await sign_in.current(house.ports, half.token) is None
    signed_in = await sign_in.current(house.ports, done.token)
    assert signed_in.is_complete
    actor = sign_in.actor_of(signed_in, HOME)
    assert await issue(
        house.ports, actor, alice.account.id, Wanted("Phone", (await house.issue(alice)).app_password.scope)
    )
    assert (await kinds(house, alice.account.id)).count(SignedIn) == 1


async def test_tokens_are_new_at_each_step_and_kept_nowhere(house: House, tmp_path):
    alice = await house.person()
    half = await start(house)
    done = await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)
    house.clock.move(seconds=30)
    again = await prove_again(house, done.token, password=PASSWORD, code=house.code(alice.seed), address=HOME)
    tokens = [half.token, done.token, again.token]
    assert len(set(tokens)) == 3
    assert len({one.session.csrf for one in (half, done, again)}) == 3
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("valetkey.db"))
    assert not any(token.encode() in raw for token in tokens)
    assert not any(token in repr((half, done, again)) for token in tokens)
    assert [await sign_in.current(house.ports, token) is not None for token in tokens] == [False, False, True]


async def test_the_old_token_of_a_browser_ends(house: House):
    await house.person()
    first = await start(house)
    second = await start(house, old=first.token)
    assert await sign_in.current(house.ports, first.token) is None
    assert await sign_in.current(house.ports, second.token) is not None
    await start(house, old="rubbish")


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wrong"), ("nobody", PASSWORD), ("", ""), ("a@b@c", PASSWORD), ("scanner", PASSWORD), ("gone", PASSWORD),
     ("alice", "x" * 100_000), ("alice", PASSWORD + "\0"), ("alice", "\udcff"), ("x" * 9999, "y")],
)  # fmt: skip
async def test_whatever_is_wrong_one_sentence_is_said_and_one_hash_worked_out(house: House, name: str, password: str):
    await house.person()
    await house.shared()
    gone = await house.person("gone@example.org", two_factor=False)
    await accounts.disable(house.ports, OPERATOR, gone.account.id)
    store, hasher = house.count_calls()
    with pytest.raises(Refused) as refusal:
        await start(house, name, password)
    assert str(refusal.value) == WRONG
    assert hasher == {"verify": 1}
    assert store == {"read": 1, "write": 1}


async def test_an_app_password_is_recognised_without_any_look_up(house: House):
    alice = await house.person()
    secret = (await house.issue(alice)).secret
    store, hasher = house.count_calls()
    for typed in (secret.shown, secret.text.upper(), "vkey-" + "a" * 24):
        with pytest.raises(Refused, match="App passwords open mail only"):
            await start(house, "alice", typed)
    assert not store
    assert not hasher


async def test_an_app_password_of_the_device_format_does_not_sign_in_either(house: House):
    alice = await house.person()
    device = await house.issue(alice, format=SecretFormat.DEVICE)
    with pytest.raises(Refused, match="not right"):
        await start(house, "alice", device.secret.text)


async def test_sign_in_is_throttled_behind_no_hash(house: House):
    house.with_ports(throttle=ThrottleLimits(per_network=3))
    await house.person()
    for n in range(3):
        with pytest.raises(Refused, match="not right"):
            await start(house, "alice", f"wrong {n}")
    _, hasher = house.count_calls()
    with pytest.raises(Refused, match=r"Try again in 10 minutes\."):
        await start(house)
    assert not hasher
    assert (await start(house, address="192.0.2.9")).next is NextStep.SECOND_FACTOR
    house.clock.move(minutes=9, seconds=15)
    with pytest.raises(Refused, match=r"Try again in 1 minute\."):
        await start(house)
    house.clock.move(minutes=1)
    assert (await start(house)).next is NextStep.SECOND_FACTOR


async def test_an_account_without_a_second_factor_may_only_set_one_up(house: House):
    bob = await house.person("bob@example.org", two_factor=False)
    started = await start(house, "bob")
    assert started.next is NextStep.SET_UP_SECOND_FACTOR
    signed_in = await sign_in.current(house.ports, started.token)
    assert signed_in.is_complete
    actor = sign_in.actor_of(signed_in, HOME)
    offer = second_factors.offer_totp(house.ports, actor, bob.account.address)
    seed, _ = second_factors._open_offer(house.ports, actor, offer.sealed)
    other = await start(house, "bob")
    confirmed = await second_factors.confirm_totp(house.ports, actor, offer.sealed, house.code(seed), "Phone")
    assert len(set(confirmed.recovery_codes)) == 10
    # This session goes on under another token, with a second factor; one of the password alone does not.
    assert await sign_in.current(house.ports, started.token) is None
    signed_in = await sign_in.current(house.ports, confirmed.token)
    assert signed_in.is_complete
    assert signed_in.session.has_second_factor
    assert await sign_in.current(house.ports, other.token) is None
    assert (await start(house, "bob")).next is NextStep.SECOND_FACTOR


async def test_a_session_from_before_the_second_factor_is_incomplete(house: House):
    bob = await house.person("bob@example.org", two_factor=False)
    started = await start(house, "bob")
    session = started.session
    await house.set_up_authenticator(bob)  # elsewhere; ends the others
    await house.store.write(lambda writer: writer.add_portal_session(session))
    assert not (await sign_in.current(house.ports, started.token)).is_complete
    with pytest.raises(NotAllowed):
        await prove_again(house, started.token, password=PASSWORD, code=house.code(bob.seed), address=HOME)


async def test_sessions_end_idle_old_or_half_finished(house: House):
    alice = await house.person()
    half = await start(house)
    house.clock.move(minutes=10)
    assert await sign_in.current(house.ports, half.token) is None
    with pytest.raises(NotAllowed):
        await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)
    idle = await house.signed_in(alice)
    house.clock.move(minutes=61)
    assert await sign_in.current(house.ports, idle.token) is None
    busy = await house.signed_in(alice)
    for _ in range(23 * 2 + 1):
        house.clock.move(minutes=30)
        assert await sign_in.current(house.ports, busy.token) is not None
    assert len(await portal_sessions.sessions(house.ports, alice.actor)) == 1
    house.clock.move(minutes=30)
    assert await portal_sessions.sessions(house.ports, alice.actor) == ()
    house.clock.move(seconds=1)
    await upkeep.every_minute(house.ports)
    assert await house.store.read(lambda reader: reader.portal_sessions(alice.account.id)) == ()
    assert await sign_in.current(house.ports, busy.token) is None


async def test_a_session_is_touched_at_most_once_a_minute(house: House):
    alice = await house.person()
    token = (await house.signed_in(alice)).token
    store, _ = house.count_calls()
    for _ in range(12):
        house.clock.move(seconds=10)
        await sign_in.current(house.ports, token)
    assert store["write"] == 2


async def test_a_store_that_cannot_be_written_keeps_sessions_open(house: House):
    alice = await house.person()
    token = (await house.signed_in(alice)).token
    house.clock.move(minutes=5)

    async def full(work):
        raise Unavailable("The disk of the database is full.")

    store, _ = house.count_calls()
    house.ports.store.write = full
    assert (await sign_in.current(house.ports, token)).is_complete
    assert store["read"] == 1


@pytest.mark.parametrize("token", ["", "x", "x" * 9999, "\udcff", "é", "A" * 43])
async def test_rubbish_is_no_session(house: House, token: str):
    assert await sign_in.current(house.ports, token) is None
    await portal_sessions.sign_out(house.ports, token)
    for verb in (
        sign_in.prove_code(house.ports, token, "123456", address=HOME),
        sign_in.prove_recovery_code(house.ports, token, "x", address=HOME),
        prove_again(house, token, password=PASSWORD, code="123456", address=HOME),
    ):
        with pytest.raises(NotAllowed):
            await verb


async def test_a_rotation_of_the_key_signs_nobody_out(house: House):
    alice = await house.person()
    token = (await house.signed_in(alice)).token
    KeyFile.rotate(house.keys.path)
    assert (await sign_in.current(house.ports, token)).is_complete
    half = await start(house)
    code = alice.recovery_codes[0]
    assert (await sign_in.prove_recovery_code(house.ports, half.token, code, address=HOME)).next is NextStep.DONE


async def test_a_full_session_cannot_be_proven_as_if_it_were_half(house: House):
    alice = await house.person()
    token = (await house.signed_in(alice)).token
    house.clock.move(seconds=30)
    with pytest.raises(NotAllowed):
        await sign_in.prove_code(house.ports, token, house.code(alice.seed), address=HOME)


@pytest.mark.parametrize("rewritten", [lambda c: c, lambda c: f"{c[:3]} {c[3:]}", lambda c: f" {c[:2]}-{c[2:]}\u00a0"])
async def test_no_code_is_taken_twice_however_it_is_written(house: House, rewritten):
    alice = await house.person()
    code = house.code(alice.seed)
    first, second = await start(house), await start(house)
    await sign_in.prove_code(house.ports, first.token, code, address=HOME)
    with pytest.raises(Refused):
        await sign_in.prove_code(house.ports, second.token, rewritten(code), address=HOME)
    with pytest.raises(Refused):  # the code before the one that was used
        await sign_in.prove_code(house.ports, second.token, house.code(alice.seed, steps=-1), address=HOME)
    assert (await kinds(house, alice.account.id)).count(SignInRefused) == 2


async def test_of_a_hundred_parallel_posts_of_one_code_exactly_one_signs_in(house: House):
    alice = await house.person()
    halves = [await start(house) for _ in range(4)]
    code = house.code(alice.seed)
    results = await asyncio.gather(
        *(sign_in.prove_code(house.ports, halves[n % 4].token, code, address=HOME) for n in range(100)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, sign_in.Started) for one in results) == 1
    assert all(isinstance(one, sign_in.Started | Refused) for one in results)
    complete = [one for one in await portal_sessions.sessions(house.ports, alice.actor) if one.proven_at is not None]
    assert len(complete) == 1


async def test_two_hundred_wrong_codes_disable_code_entry_and_a_recovery_code_opens_it(house: House):
    alice = await house.person()
    taken = 0
    for _ in range(200):
        house.clock.move(seconds=13)
        half = await start(house)
        with pytest.raises(Refused) as refusal:
            await sign_in.prove_code(house.ports, half.token, "000000", address=HOME)
        taken += "not right" in str(refusal.value)
    assert taken == 50
    half = await start(house)
    with pytest.raises(Refused, match="disabled"):
        await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)
    assert (await kinds(house, alice.account.id)).count(CodeEntryDisabled) == 1
    await sign_in.prove_recovery_code(house.ports, half.token, alice.recovery_codes[3], address=HOME)
    assert (await house.signed_in(alice)).next is NextStep.DONE


async def test_wrong_codes_pause_for_a_minute_and_parallel_ones_do_not_outrun_that(house: House):
    alice = await house.person()
    half = await start(house)
    results = await asyncio.gather(
        *(sign_in.prove_code(house.ports, half.token, f"{n:06}", address=HOME) for n in range(100)),
        return_exceptions=True,
    )
    assert sum("not right" in str(one) for one in results) == 5
    assert sum("Wait a minute" in str(one) for one in results) == 95
    totp = (await accounts.details(house.ports, OPERATOR, alice.account.id)).totps[0]
    assert totp.wrong_codes == 5
    with pytest.raises(Refused, match="Wait a minute"):
        await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)
    house.clock.move(minutes=1)
    await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)
    assert (await accounts.details(house.ports, OPERATOR, alice.account.id)).totps[0].wrong_codes == 0


async def test_what_is_no_code_counts_as_no_guess(house: House):
    alice = await house.person()
    half = await start(house)
    for typed in ("", "12345", "１２３４５６", "abcdef", "x" * 9999):
        with pytest.raises(Refused):
            await sign_in.prove_code(house.ports, half.token, typed, address=HOME)
    assert (await accounts.details(house.ports, OPERATOR, alice.account.id)).totps[0].wrong_codes == 0


async def test_a_recovery_code_works_once_even_in_a_race(house: House):
    alice = await house.person()
    code = alice.recovery_codes[0]
    halves = [await start(house) for _ in range(10)]
    results = await asyncio.gather(
        *(sign_in.prove_recovery_code(house.ports, half.token, code.upper(), address=HOME) for half in halves),
        return_exceptions=True,
    )
    assert sum(isinstance(one, sign_in.Started) for one in results) == 1
    assert (await accounts.details(house.ports, OPERATOR, alice.account.id)).recovery_codes_left == 9
    assert (await kinds(house, alice.account.id)).count(RecoveryCodeUsed) == 1


async def test_recovery_codes_have_a_counter_of_their_own(house: House):
    house.with_ports(throttle=ThrottleLimits(per_network=4))
    alice = await house.person()
    half = await start(house)
    for n in range(4):
        with pytest.raises(Refused, match="not right"):
            await sign_in.prove_recovery_code(house.ports, half.token, f"aaaaa-bbbbb-cccc{'defg'[n]}", address=HOME)
    with pytest.raises(Refused, match="Too many"):
        await sign_in.prove_recovery_code(house.ports, half.token, alice.recovery_codes[0], address=HOME)
    await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)


async def test_a_new_set_ends_the_old_one(house: House):
    alice = await house.person()
    fresh = await second_factors.draw_recovery_codes(house.ports, house.acting(alice.account))
    half = await start(house)
    with pytest.raises(Refused):
        await sign_in.prove_recovery_code(house.ports, half.token, alice.recovery_codes[0], address=HOME)
    assert (await sign_in.prove_recovery_code(house.ports, half.token, fresh[0], address=HOME)).next is NextStep.DONE


async def test_proving_again_needs_both_and_tells_not_which_was_wrong(house: House):
    alice = await house.person()
    token = (await house.signed_in(alice)).token
    house.clock.move(minutes=6)
    actor = sign_in.actor_of(await sign_in.current(house.ports, token), HOME)
    with pytest.raises(ProveAgain):
        await second_factors.draw_recovery_codes(house.ports, actor)
    said = set()
    for password, code in (
        ("wrong", house.code(alice.seed)),
        (PASSWORD, "000000"),
        ("wrong", "000000"),
        (PASSWORD, ""),
    ):
        with pytest.raises(Refused) as refusal:
            await prove_again(house, token, password=password, code=code, address=HOME)
        said.add(str(refusal.value))
    assert said == {"The password or the code is not right."}
    # A wrong password uses up no code.
    again = await prove_again(house, token, password=PASSWORD, code=house.code(alice.seed), address=HOME)
    actor = sign_in.actor_of(await sign_in.current(house.ports, again.token), HOME)
    assert len(await second_factors.draw_recovery_codes(house.ports, actor)) == 10
    by_recovery = await prove_again(
        house,
        again.token,
        password=PASSWORD,
        code=(await second_factors.draw_recovery_codes(house.ports, actor))[0],
        address=HOME,
    )
    assert by_recovery.next is NextStep.DONE


async def test_a_session_that_was_ended_does_nothing_even_for_a_request_that_began_before(house: House):
    alice = await house.person()
    half = await start(house)
    token = (await sign_in.prove_code(house.ports, half.token, house.code(alice.seed), address=HOME)).token
    held = sign_in.actor_of(await sign_in.current(house.ports, token), HOME)  # such as by a form that trickles in
    assert len(await second_factors.draw_recovery_codes(house.ports, held)) == 10
    assert await portal_sessions.sign_out_others(house.ports, house.acting(alice.account), "another") == 1
    made = (await house.issue(alice)).app_password
    offer = second_factors.offer_totp(house.ports, held, alice.account.address)
    seed = base64.b32decode(offer.seed_text.replace(" ", ""))
    for verb in (
        second_factors.draw_recovery_codes(house.ports, held),
        second_factors.confirm_totp(house.ports, held, offer.sealed, house.code(seed), "Another"),
        accounts.set_main_password(house.ports, held, alice.account.id, PASSWORD[::-1]),
        issue(house.ports, held, alice.account.id, Wanted("Phone", made.scope)),
        app_passwords.revoke(house.ports, held, made.id),
        portal_sessions.sign_out_others(house.ports, held, token),
        app_passwords.of_account(house.ports, held, alice.account.id),
    ):
        with pytest.raises(NotAllowed, match="has ended"):
            await verb


@dataclass
class Slow:
    """A hasher that another transaction overtakes while it compares."""

    inner: Hasher
    meanwhile: Callable[[], Awaitable[object]]

    async def verify(self, hashed: str | None, password: str) -> bool:
        is_right = await self.inner.verify(hashed, password)
        await self.meanwhile()
        return is_right


async def test_a_password_that_is_set_anew_while_it_is_compared_opens_nothing(house: House):
    bob = await house.person("bob@example.org", two_factor=False)
    hasher, number = house.ports.hasher, iter(range(10))

    async def set_anew() -> None:
        house.with_ports(hasher=hasher)
        await accounts.set_main_password(house.ports, OPERATOR, bob.account.id, f"{PASSWORD[::-1]} {next(number)}")

    house.with_ports(hasher=Slow(hasher, set_anew))
    with pytest.raises(Refused, match=WRONG):
        await start(house, "bob")
    await accounts.set_main_password(house.ports, house.acting(bob.account), bob.account.id, PASSWORD)
    token = (await start(house, "bob")).token

    async def set_anew_here() -> None:
        house.with_ports(hasher=hasher)
        actor = sign_in.actor_of(await sign_in.current(house.ports, token), HOME)  # its own session stays
        await accounts.set_main_password(house.ports, actor, bob.account.id, f"{PASSWORD[::-1]} {next(number)}")

    house.with_ports(hasher=Slow(hasher, set_anew_here))
    with pytest.raises(Refused, match="is not right"):
        await prove_again(house, token, password=PASSWORD, code="", address=HOME)


async def test_failures_to_prove_again_count_where_they_come_from(house: House):
    """A session that was carried off throttles no sign-in from the network where it began."""
    house.with_ports(throttle=ThrottleLimits(per_network=3))
    await house.person("bob@example.org", two_factor=False)
    carried_off = await start(house, "bob")
    for guess in range(4):
        with pytest.raises(Refused) as refusal:
            await prove_again(house, carried_off.token, password=f"wrong {guess}", code="", address="203.0.113.9")
    assert "Too many tries from your network" in str(refusal.value)
    assert (await start(house, "bob")).next is NextStep.SET_UP_SECOND_FACTOR


async def test_proving_again_without_a_second_factor_takes_the_password(house: House):
    await house.person("bob@example.org", two_factor=False)
    started = await start(house, "bob")
    house.clock.move(minutes=6)
    again = await prove_again(house, started.token, password=PASSWORD, code="", address=HOME)
    assert again.next is NextStep.SET_UP_SECOND_FACTOR
    assert again.session.proven_at == house.clock.now()


async def test_signing_out_ends_one_or_all_others(house: House):
    alice = await house.person()
    tokens = [(await house.signed_in(alice)).token for _ in range(3)]
    actor = sign_in.actor_of(await sign_in.current(house.ports, tokens[0]), HOME)
    await portal_sessions.sign_out(house.ports, tokens[1])
    assert await portal_sessions.sign_out_others(house.ports, actor, tokens[0]) == 1
    assert await portal_sessions.sign_out_others(house.ports, actor, tokens[0]) == 0
    found = [await sign_in.current(house.ports, token) is not None for token in tokens]
    assert found == [True, False, False]
    assert (await kinds(house, alice.account.id)).count(SignedOut) == 2


async def test_a_reset_takes_every_factor_and_session(house: House):
    alice = await house.person()
    token = (await house.signed_in(alice)).token
    with pytest.raises(NotAllowed):
        await second_factors.reset(house.ports, house.acting(alice.account), alice.account.id)
    await second_factors.reset(house.ports, OPERATOR, alice.account.id)
    assert await sign_in.current(house.ports, token) is None
    details = await accounts.details(house.ports, OPERATOR, alice.account.id)
    assert (details.totps, details.recovery_codes_left) == ((), 0)
    assert not details.account.has_second_factor
    assert (await start(house)).next is NextStep.SET_UP_SECOND_FACTOR
    assert SecondFactorReset in await kinds(house, alice.account.id)


async def test_a_store_that_fails_is_not_a_wrong_password(house: House, tmp_path):
    await house.person()
    (tmp_path / "valetkey.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(Unavailable):
        await start(house)


async def test_a_clock_set_back_neither_ends_nor_prolongs_a_proof(house: House):
    alice = await house.person()
    done = await house.signed_in(alice)
    house.clock.move(hours=-2)
    signed_in = await sign_in.current(house.ports, done.token)
    actor = sign_in.actor_of(signed_in, HOME)
    with pytest.raises(ProveAgain):
        await second_factors.draw_recovery_codes(house.ports, actor)
    assert replace(signed_in.session, seen_at=house.clock.now()) == signed_in.session
    house.clock.move(hours=3, minutes=30)
    assert await sign_in.current(house.ports, done.token) is None
