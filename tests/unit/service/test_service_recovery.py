"""Recovery of a lost second factor: what it needs, what it takes away, and that it cannot be talked round."""

from datetime import timedelta

import pytest
from tests.verbs.outbox import Outbox, send_all, token_in
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House

from valetkey.core.errors import Conflict, NotAllowed, NotFound, PolicyForbids, Refused
from valetkey.core.policy import Policy
from valetkey.core.recovery import Phase
from valetkey.core.role import Action
from valetkey.service import accounts, api_tokens, app_passwords, calling_off, recovery, second_factors, sign_in
from valetkey.service.ports import Actor, ActorKind
from valetkey.service.store_parts import RecoveryState
from valetkey.service.upkeep import every_minute

OUTSIDE = "alice@elsewhere.example"
LINK = "/recover/link/"
CALL_OFF = "/recover/call-off/"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, mailer=Outbox())
    yield house
    house.close()


@pytest.fixture
async def alice(house):
    person = await house.person()
    await confirm(house, person, OUTSIDE)
    await send_all(house)
    return person


async def confirm(house, person, address):
    now = house.clock.now()
    await house.store.write(lambda writer: writer.set_notice_address(person.account.id, address, now))


async def half(house, person):
    started = await sign_in.start(house.ports, person.account.address, PASSWORD, address=HOME, client="Firefox")
    return started.token


async def mailed(house, token, to=OUTSIDE):
    await recovery.mail_link(house.ports, token, address=HOME)
    return token_in((await send_all(house)).to(to)[-1], LINK)


async def begun(house, person):
    token = await half(house, person)
    return await recovery.begin(house.ports, token, await mailed(house, token), address=HOME)


async def open_recovery(house, person):
    return await house.store.read(lambda reader: reader.open_recovery(person.account.id))


async def finish(house, person):
    token = await half(house, person)
    link = await mailed(house, token)
    return await recovery.finish(house.ports, token, link, address=HOME, client="Firefox")


async def events(house, person):
    records = await house.store.read(lambda reader: reader.audit(account_id=person.account.id))
    return [record.kind for record in records]


async def test_two_proofs_begin_a_waiting_time_and_two_more_end_the_second_factors(house, alice):
    app_password = await house.issue(alice)
    made = await api_tokens.make(
        house.ports,
        house.acting(alice.account),
        alice.account.id,
        name="Script",
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now() + timedelta(days=30),
    )
    under_way = await begun(house, alice)
    assert under_way.opens_at == house.clock.now() + timedelta(hours=72)
    house.clock.move(hours=72)
    token, session = await finish(house, alice)
    assert (session.has_second_factor, session.proven_at) == (False, house.clock.now())
    signed_in = await sign_in.current(house.ports, token)
    assert signed_in.is_complete
    assert not signed_in.account.has_second_factor
    details = await accounts.details(house.ports, OPERATOR, alice.account.id)
    assert (details.totps, details.recovery_codes_left) == ((), 0)
    assert await open_recovery(house, alice) is None
    assert set((await events(house, alice))[:2]) == {"RecoveryDone", "ApiTokenRevoked"}
    token = await house.store.read(lambda reader: reader.api_token(made.token.id))
    assert token.revoked_at == house.clock.now()
    kept = await house.store.read(lambda reader: reader.app_password(app_password.app_password.id))
    assert kept.revoked_at is None  # what is connected stays connected
    with pytest.raises(PolicyForbids):  # and nothing new is, before there is a second factor
        await app_passwords.issue(
            house.ports,
            sign_in.actor_of(signed_in, HOME),
            alice.account.id,
            app_passwords.Wanted("New", kept.scope, None),
        )


async def test_other_sessions_end_with_a_recovery(house, alice):
    other = await house.signed_in(alice)
    await begun(house, alice)
    house.clock.move(hours=72)
    await finish(house, alice)
    assert await sign_in.current(house.ports, other.token) is None


async def test_the_waiting_time_is_kept_to_the_second(house, alice):
    await begun(house, alice)
    house.clock.move(hours=71, minutes=59, seconds=59)
    token = await half(house, alice)
    with pytest.raises(Refused, match="waiting time"):
        await recovery.mail_link(house.ports, token, address=HOME)
    assert (await recovery.standing(house.ports, token)).phase is Phase.WAITING
    house.clock.move(seconds=1)
    assert (await recovery.standing(house.ports, token)).phase is Phase.OPEN
    await finish(house, alice)


async def test_the_waiting_time_is_fixed_when_it_begins(house, alice):
    """Nobody shortens it, by no policy either."""
    under_way = await begun(house, alice)
    house.with_ports(policy=Policy(recovery_wait=timedelta(seconds=1)))
    assert (await open_recovery(house, alice)).opens_at == under_way.opens_at
    house.clock.move(hours=24)
    with pytest.raises(Refused, match="waiting time"):
        await recovery.mail_link(house.ports, await half(house, alice), address=HOME)


async def test_a_policy_never_makes_it_shorter_than_a_day(house, alice):
    house.with_ports(policy=Policy(recovery_wait=timedelta(seconds=1)))
    under_way = await begun(house, alice)
    assert under_way.opens_at - under_way.begun_at == timedelta(hours=24)


async def test_the_link_goes_to_the_notice_address_alone(house, alice):
    token = await half(house, alice)
    told = await recovery.mail_link(house.ports, token, address=HOME)
    assert told == "a…@elsewhere.example"
    assert [mail.recipient for mail in (await send_all(house)).mails] == [OUTSIDE]


async def test_without_a_confirmed_notice_address_or_mail_nothing_begins(house):
    bob = await house.person("bob@example.org")
    token = await half(house, bob)
    await house.store.write(lambda writer: writer.set_notice_address(bob.account.id, "bob@elsewhere.example", None))
    with pytest.raises(Refused, match="administrators"):
        await recovery.mail_link(house.ports, token, address=HOME)
    await confirm(house, bob, "bob@elsewhere.example")
    house.with_ports(mailer=None)
    assert (await recovery.standing(house.ports, token)).address == ""
    with pytest.raises(Refused, match="administrators"):
        await recovery.mail_link(house.ports, token, address=HOME)


@pytest.mark.parametrize("what", ["nobody", "full", "late", "none"])
async def test_nobody_gets_anything_without_the_main_password(house, alice, what):
    match what:
        case "nobody":
            token = "x" * 43
        case "full":
            token = (await house.signed_in(alice)).token
        case "late":
            token = await half(house, alice)
            house.clock.move(minutes=10)
        case _:
            bob = await house.person("bob@example.org", two_factor=False)
            token = await half(house, bob)  # complete, since there is no second factor to lose
    for attempt in (
        recovery.standing(house.ports, token),
        recovery.mail_link(house.ports, token, address=HOME),
    ):
        with pytest.raises(NotAllowed):
            await attempt
    assert (await send_all(house)).mails == []


async def test_a_link_is_used_once(house, alice):
    token = await half(house, alice)
    link = await mailed(house, token)
    await recovery.begin(house.ports, token, link, address=HOME)
    await calling_off.cancel(house.ports, OPERATOR, alice.account.id)
    with pytest.raises(NotFound):
        await recovery.begin(house.ports, token, link, address=HOME)


async def test_an_old_link_opens_nothing(house, alice):
    link = await mailed(house, await half(house, alice))
    house.clock.move(minutes=15)
    with pytest.raises(NotFound):
        await recovery.begin(house.ports, await half(house, alice), link, address=HOME)


async def test_a_link_of_another_account_opens_nothing_and_is_not_used_up(house, alice):
    bob = await house.person("bob@example.org")
    await confirm(house, bob, "bob@elsewhere.example")
    bobs_token = await half(house, bob)
    await send_all(house)
    bobs = await mailed(house, bobs_token, "bob@elsewhere.example")
    with pytest.raises(NotFound):
        await recovery.begin(house.ports, await half(house, alice), bobs, address=HOME)
    await recovery.begin(house.ports, bobs_token, bobs, address=HOME)


async def test_a_link_to_an_address_that_is_no_longer_the_notice_address_opens_nothing(house, alice):
    token = await half(house, alice)
    link = await mailed(house, token)
    await confirm(house, alice, "alice@another.example")
    with pytest.raises(NotFound):
        await recovery.begin(house.ports, token, link, address=HOME)


async def test_a_link_to_begin_does_not_finish_nor_does_one_to_call_off(house, alice):
    token = await half(house, alice)
    begin_link = await mailed(house, token)
    spare = await mailed(house, token)
    await recovery.begin(house.ports, token, begin_link, address=HOME)
    call_off = token_in((await send_all(house)).to(OUTSIDE)[0], CALL_OFF)
    house.clock.move(hours=72)
    for link in (begin_link, spare, call_off, "", "x" * 43, "ä" * 43, "x" * 5000):
        with pytest.raises(NotFound):
            await recovery.finish(house.ports, await half(house, alice), link, address=HOME, client="")
    assert (await accounts.details(house.ports, OPERATOR, alice.account.id)).totps


async def test_each_complete_sign_in_with_a_second_factor_calls_it_off(house, alice):
    await begun(house, alice)
    await send_all(house)
    await house.signed_in(alice)
    assert await open_recovery(house, alice) is None
    outbox = await send_all(house)
    assert (
        outbox.subjects(OUTSIDE) == outbox.subjects("alice@example.org") == ["Recovery of alice@example.org called off"]
    )


async def test_a_sign_in_with_a_recovery_code_calls_it_off(house, alice):
    await begun(house, alice)
    await sign_in.prove_recovery_code(house.ports, await half(house, alice), alice.recovery_codes[0], address=HOME)
    assert await open_recovery(house, alice) is None


async def test_half_a_sign_in_does_not_call_it_off(house, alice):
    """Whoever knows the password alone cannot keep its owner from recovering."""
    await begun(house, alice)
    await half(house, alice)
    assert await open_recovery(house, alice) is not None


async def test_a_session_from_before_calls_it_off_with_one_click(house, alice):
    session = (await house.signed_in(alice)).session
    await begun(house, alice)
    actor = Actor(ActorKind.ACCOUNT, alice.account.id, HOME, session.proven_at, session.id_hash)
    assert await calling_off.call_off(house.ports, actor) is True
    assert await calling_off.call_off(house.ports, actor) is False
    assert await open_recovery(house, alice) is None


async def test_a_token_does_not_call_it_off(house, alice):
    await begun(house, alice)
    with pytest.raises(NotAllowed):
        await calling_off.call_off(house.ports, Actor(ActorKind.TOKEN, alice.account.id, HOME, token_id="tk_nothing"))
    assert await open_recovery(house, alice) is not None


async def test_both_addresses_are_told_with_a_link_that_calls_it_off(house, alice):
    await begun(house, alice)
    outbox = await send_all(house)
    for address in (OUTSIDE, "alice@example.org"):
        (mail,) = outbox.to(address)
        assert mail.subject == "Somebody wants to take away the second factor of alice@example.org"
        assert "192" not in mail.text.split("From:")[0] and HOME in mail.text
    link = token_in(outbox.to("alice@example.org")[0], CALL_OFF)
    house.clock.move(hours=40)
    looked = await calling_off.look_at_link(house.ports, link)
    assert looked.state is RecoveryState.WAITING
    assert await open_recovery(house, alice) is not None  # looking changes nothing
    await calling_off.call_off_by_link(house.ports, link, address=HOME)
    assert await open_recovery(house, alice) is None
    with pytest.raises(NotFound):
        await calling_off.call_off_by_link(house.ports, link, address=HOME)


async def test_a_recovery_link_does_not_call_off(house, alice):
    await begun(house, alice)
    house.clock.move(hours=72)
    link = await mailed(house, await half(house, alice))
    with pytest.raises(NotFound):
        await calling_off.call_off_by_link(house.ports, link, address=HOME)


async def test_the_owner_is_told_every_day_and_when_it_opens_and_when_it_lapses(house, alice):
    await begun(house, alice)
    await send_all(house)
    told = []
    for _ in range(24 * 8):
        house.clock.move(hours=1)
        await every_minute(house.ports)
        told.extend(
            mail.subject.removesuffix("alice@example.org").strip() for mail in (await send_all(house)).to(OUTSIDE)
        )
    assert told == [
        "The second factor of alice@example.org will be taken away",
        "The second factor of alice@example.org will be taken away",
        "The second factor of alice@example.org can now be taken away",
        "The second factor of alice@example.org can now be taken away",
        "The second factor of alice@example.org can now be taken away",
        "Recovery of alice@example.org has run out",
    ]
    assert await open_recovery(house, alice) is None


async def test_it_lapses_after_three_days(house, alice):
    await begun(house, alice)
    house.clock.move(hours=144)
    token = await half(house, alice)
    assert (await recovery.standing(house.ports, token)).phase is Phase.OVER
    with pytest.raises(Refused):
        await recovery.mail_link(house.ports, token, address=HOME)
    await every_minute(house.ports)
    await recovery.mail_link(house.ports, token, address=HOME)  # and may begin anew


async def test_links_and_beginnings_are_bounded(house, alice):
    for _ in range(3):
        await begun(house, alice)
        await calling_off.cancel(house.ports, OPERATOR, alice.account.id)
        house.clock.move(hours=2)
    with pytest.raises(Refused, match="too often"):
        await recovery.mail_link(house.ports, await half(house, alice), address=HOME)
    house.clock.move(days=7)
    token = await half(house, alice)
    for _ in range(4):
        await recovery.mail_link(house.ports, token, address=HOME)
    with pytest.raises(Refused, match="Several links"):
        await recovery.mail_link(house.ports, token, address=HOME)


async def test_one_recovery_at_a_time(house, alice):
    token = await half(house, alice)
    first, second = await mailed(house, token), await mailed(house, token)
    await recovery.begin(house.ports, token, first, address=HOME)
    with pytest.raises((Conflict, NotFound)):
        await recovery.begin(house.ports, token, second, address=HOME)


async def test_a_new_main_password_ends_the_half_sign_in(house, alice):
    token = await half(house, alice)
    link = await mailed(house, token)
    await accounts.set_main_password(house.ports, OPERATOR, alice.account.id, "turnip cathedral nine lamps")
    with pytest.raises(NotAllowed):
        await recovery.begin(house.ports, token, link, address=HOME)


async def test_a_disabled_account_does_not_recover(house, alice):
    await begun(house, alice)
    house.clock.move(hours=72)
    token = await half(house, alice)
    link = await mailed(house, token)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    with pytest.raises(NotAllowed):
        await recovery.finish(house.ports, token, link, address=HOME, client="")


async def test_the_command_line_lists_and_calls_off(house, alice):
    await begun(house, alice)
    ((under_way, address),) = await calling_off.under_way(house.ports, OPERATOR)
    assert (under_way.account_id, address) == (alice.account.id, "alice@example.org")
    for verb in (calling_off.under_way(house.ports, alice.actor), calling_off.cancel(house.ports, alice.actor, "")):
        with pytest.raises(NotAllowed):
            await verb
    await calling_off.cancel(house.ports, OPERATOR, alice.account.id)
    with pytest.raises(NotFound):
        await calling_off.cancel(house.ports, OPERATOR, alice.account.id)


async def test_wrong_links_are_throttled_and_right_ones_pass(house, alice):
    token = await half(house, alice)
    link = await mailed(house, token)
    for number in range(house.ports.throttle.per_network):
        with pytest.raises(NotFound):
            await recovery.begin(house.ports, token, f"wrong-{number}", address=HOME)
    with pytest.raises(Refused, match="Too many"):
        await recovery.begin(house.ports, token, "wrong-again", address=HOME)
    await recovery.begin(house.ports, token, link, address=HOME)


async def test_a_reset_by_administrators_ends_it_so_that_it_takes_no_new_factor_away(house, alice):
    await begun(house, alice)
    await second_factors.reset(house.ports, OPERATOR, alice.account.id)
    assert await open_recovery(house, alice) is None
    await house.set_up_authenticator(alice)
    house.clock.move(hours=72)
    token = await half(house, alice)
    assert (await recovery.standing(house.ports, token)).phase is Phase.NONE


async def test_a_factor_that_is_added_ends_it(house, alice):
    await begun(house, alice)
    await house.set_up_authenticator(alice)
    assert await open_recovery(house, alice) is None
