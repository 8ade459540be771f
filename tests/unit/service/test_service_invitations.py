"""Invitations by a one-time link: who may make one, for whom, and that it opens once."""

from datetime import timedelta

import pytest
from tests.verbs.outbox import Outbox, send_all, token_in
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House

from valetkey.core.errors import InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain, Refused
from valetkey.core.role import Role
from valetkey.service import accounts, invitations, sign_in
from valetkey.service.sign_in import NextStep

NEW = "violet ladder nineteen spoons"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, mailer=Outbox())
    yield house
    house.close()


@pytest.fixture
async def admin(house):
    person = await house.person("admin@example.org")
    await house.store.write(lambda writer: writer.set_role(person.account.id, Role.ADMIN))
    person.actor = house.acting(person.account)
    return person


@pytest.fixture
async def newcomer(house):
    return await accounts.create(house.ports, OPERATOR, "new@example.org")


async def invite(house, by, account):
    return await invitations.invite(house.ports, by, account.id)


async def accept(house, token, password=NEW):
    return await invitations.accept(house.ports, token, password, address=HOME, client="Firefox")


async def test_an_invited_person_sets_a_password_and_goes_on_to_the_second_factor(house, admin, newcomer):
    made = await invite(house, admin.actor, newcomer)
    assert made.expires_at == house.clock.now() + timedelta(hours=72)
    assert (made.address, made.mailed_to) == ("new@example.org", "")
    assert made.token not in repr(made)
    started = await accept(house, made.token)
    assert started.next is NextStep.SET_UP_SECOND_FACTOR
    assert (await sign_in.current(house.ports, started.token)).is_complete
    again = await sign_in.start(house.ports, "new@example.org", NEW, address=HOME, client="")
    assert again.next is NextStep.SET_UP_SECOND_FACTOR
    records = await house.store.read(lambda reader: reader.audit(account_id=newcomer.id))
    kinds = [record.kind for record in reversed(records)]
    assert kinds[1:5] == ["Invited", "InvitationUsed", "MainPasswordSet", "SignedIn"]
    assert "INVITATION" not in str(records)
    assert (await send_all(house)).subjects("new@example.org") == ["new@example.org is set up"]


@pytest.mark.parametrize("how", ["used", "late", "replaced", "wrong", "empty", "long", "disabled"])
async def test_links_that_are_no_longer_good_look_alike_and_change_nothing(house, admin, newcomer, how):
    token = (await invite(house, admin.actor, newcomer)).token
    match how:
        case "used":
            await accept(house, token)
        case "late":
            house.clock.move(hours=72)
        case "replaced":
            await invite(house, admin.actor, newcomer)
        case "disabled":
            await accounts.disable(house.ports, OPERATOR, newcomer.id)
        case _:
            token = {"wrong": "x" * 43, "empty": "", "long": "x" * 4000}[how]
    for attempt in (invitations.invited(house.ports, token), accept(house, token, "another good one 42")):
        with pytest.raises(NotFound, match="This link is not right"):
            await attempt


async def test_looking_at_a_link_does_not_use_it_up(house, admin, newcomer):
    token = (await invite(house, admin.actor, newcomer)).token
    for _ in range(5):
        assert (await invitations.invited(house.ports, token)).address == "new@example.org"
    await accept(house, token)


async def test_a_password_that_is_not_good_does_not_use_it_up(house, admin, newcomer):
    token = (await invite(house, admin.actor, newcomer)).token
    for password in ("short", "new@example.org", "passwordpassword"):
        with pytest.raises(InvalidInput):
            await accept(house, token, password)
    await accept(house, token)


async def test_who_is_set_up_is_not_invited_by_one_administrator(house, admin):
    alice = await house.person()
    half = await house.person("bob@example.org", two_factor=False)
    for person in (alice, half):
        with pytest.raises(PolicyForbids, match="two administrators"):
            await invite(house, admin.actor, person.account)


@pytest.mark.parametrize("role", [None, Role.AUDITOR])
async def test_others_do_not_invite(house, newcomer, role):
    mallory = await house.person("mallory@example.org")
    await house.store.write(lambda writer: writer.set_role(mallory.account.id, role))
    for account_id in (newcomer.id, "ac_nothing"):
        with pytest.raises(NotAllowed):
            await invitations.invite(house.ports, house.acting(mallory.account), account_id)


async def test_only_administrators_invite_whoever_has_a_role(house, admin, newcomer):
    helper = await house.person("helper@example.org")
    await house.store.write(lambda writer: writer.set_role(helper.account.id, Role.HELPDESK))
    await invite(house, house.acting(helper.account), newcomer)
    await house.store.write(lambda writer: writer.set_role(newcomer.id, Role.ADMIN))
    with pytest.raises(NotAllowed):
        await invite(house, house.acting(helper.account), newcomer)
    await invite(house, admin.actor, newcomer)


async def test_it_needs_a_recent_proof(house, admin, newcomer):
    house.clock.move(minutes=6)
    with pytest.raises(ProveAgain):
        await invite(house, admin.actor, newcomer)


async def test_shared_and_disabled_accounts_are_not_invited(house, admin, newcomer):
    with pytest.raises(InvalidInput):
        await invite(house, admin.actor, await house.shared())
    await accounts.disable(house.ports, OPERATOR, newcomer.id)
    with pytest.raises(NotAllowed):
        await invite(house, admin.actor, newcomer)


async def countersigned(house, actor, account):
    now = house.clock.now()
    return await house.store.write(
        lambda writer: invitations.invite_countersigned(house.ports, writer, actor, account.id, now)
    )


async def test_invited_again_a_person_is_told_and_keeps_the_second_factor(house, admin):
    alice = await house.person()
    before = await house.signed_in(alice)
    now = house.clock.now()
    await house.store.write(lambda writer: writer.set_notice_address(alice.account.id, "a@elsewhere.example", now))
    await house.store.write(lambda writer: writer.remove_notices())
    made = await countersigned(house, admin.actor, alice.account)
    assert made.mailed_to == "a@elsewhere.example"
    outbox = await send_all(house)
    assert outbox.subjects("alice@example.org") == ["alice@example.org was invited again"]
    assert token_in(outbox.to("a@elsewhere.example")[-1], invitations.PATH) == made.token
    started = await accept(house, made.token)
    assert started.next is NextStep.SECOND_FACTOR
    assert not (await sign_in.current(house.ports, started.token)).is_complete
    assert await sign_in.current(house.ports, before.token) is None
    with pytest.raises(Refused):
        await sign_in.start(house.ports, "alice@example.org", PASSWORD, address=HOME, client="")


async def test_wrong_links_are_throttled_and_right_ones_pass(house, admin, newcomer):
    token = (await invite(house, admin.actor, newcomer)).token
    for number in range(house.ports.throttle.per_network):
        with pytest.raises(NotFound):
            await accept(house, f"wrong-{number}")
    with pytest.raises(Refused, match="Too many"):
        await accept(house, "wrong-again")
    assert (await invitations.invited(house.ports, token)).id == newcomer.id
