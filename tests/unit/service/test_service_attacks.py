"""Ways around the rules that somebody with a right of their own might try; each was open once, or looked so."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person

from valetkey.core.account import Account
from valetkey.core.errors import Conflict, NotAllowed, NotFound, Refused
from valetkey.core.network import canonical_address
from valetkey.core.role import OWN_ACTIONS, Action, Role
from valetkey.service import (
    accounts,
    api_tokens,
    app_passwords,
    invitations,
    policy,
    proposals,
    second_factors,
    sign_in,
)
from valetkey.service.api_tokens import Made
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import Actor

DAY = timedelta(days=1)
NEW = "violet ladder nineteen spoons"
PLACE = canonical_address("203.0.113.9")


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


@pytest.fixture
async def root(house: House) -> Person:
    return await house.person("root@example.org", role=Role.ADMIN)


def now(house: House, person: Person) -> Actor:
    return house.acting(person.account)


async def token_of(house: House, person: Person, account_id: str) -> Made:
    return await api_tokens.make(
        house.ports,
        now(house, person),
        account_id,
        name="Machine",
        actions=OWN_ACTIONS,
        expires_at=house.clock.now() + 30 * DAY,
    )


async def accept(house: House, token: str) -> sign_in.Started:
    return await invitations.accept(house.ports, token, NEW, address=HOME, client="Firefox")


# API tokens of shared accounts


async def no_longer_owns(house: House, shared: Account, alice: Person) -> None:
    await accounts.remove_owner(house.ports, OPERATOR, shared.id, alice.account.id)


async def is_disabled(house: House, _: Account, alice: Person) -> None:
    await accounts.disable(house.ports, OPERATOR, alice.account.id)


async def lost_the_factor(house: House, _: Account, alice: Person) -> None:
    await second_factors.reset(house.ports, OPERATOR, alice.account.id)


@pytest.mark.parametrize("end", [no_longer_owns, is_disabled, lost_the_factor])
async def test_a_token_of_a_shared_account_ends_with_the_right_of_who_made_it(house: House, alice: Person, end) -> None:
    shared = await house.shared(owner=alice)
    made = await token_of(house, alice, shared.id)
    actor = await api_tokens.authenticate(house.ports, made.secret, PLACE)
    scope = (await house.issue(alice)).app_password.scope
    await app_passwords.issue(house.ports, actor, shared.id, Wanted("Scanner", scope))
    await end(house, shared, alice)
    with pytest.raises(NotAllowed):
        await api_tokens.authenticate(house.ports, made.secret, PLACE)
    with pytest.raises(NotAllowed):  # a request that passed the door just before
        await app_passwords.issue(house.ports, actor, shared.id, Wanted("Back door", scope))


async def test_taking_second_factors_away_revokes_tokens_for_good(house: House, alice: Person) -> None:
    shared = await house.shared(owner=alice)
    made = [await token_of(house, alice, each) for each in (alice.account.id, shared.id)]
    other = await house.person("bob@example.org")
    await accounts.add_owner(house.ports, OPERATOR, shared.id, other.account.id)
    kept = await token_of(house, other, shared.id)
    await second_factors.reset(house.ports, OPERATOR, alice.account.id)
    await house.set_up_authenticator(alice)  # the thief's tokens do not come back with the owner
    for each in made:
        with pytest.raises(NotAllowed):
            await api_tokens.authenticate(house.ports, each.secret, PLACE)
    assert (await api_tokens.authenticate(house.ports, kept.secret, PLACE)).account_id == shared.id


# Invitations


async def test_an_old_invitation_does_not_overwrite_a_main_password(house: House, root: Person) -> None:
    helpdesk = await house.person("helpdesk@example.org", role=Role.HELPDESK)
    new = await accounts.create(house.ports, OPERATOR, "new@example.org")
    link = (await invitations.invite(house.ports, now(house, helpdesk), new.id)).token
    await accounts.set_main_password(house.ports, OPERATOR, new.id, "otter lamp bicycle seven")
    with pytest.raises(NotFound):
        await accept(house, link)


async def test_an_invitation_ends_when_its_account_is_disabled(house: House, root: Person) -> None:
    new = await accounts.create(house.ports, OPERATOR, "new@example.org")
    link = (await invitations.invite(house.ports, now(house, root), new.id)).token
    await accounts.disable(house.ports, OPERATOR, new.id)
    await accounts.enable(house.ports, OPERATOR, new.id)
    with pytest.raises(NotFound):
        await accept(house, link)


# Two administrators


async def set_up_by_link(house: House, account: Account, link: str) -> Person:
    started = await accept(house, link)
    assert started.next is sign_in.NextStep.SET_UP_SECOND_FACTOR
    person = Person(account, house.acting(account))
    await house.set_up_authenticator(person)
    return person


async def test_one_administrator_does_not_become_the_second_by_inviting_them(house: House, root: Person) -> None:
    third = await house.person("third@example.org", role=Role.ADMIN)
    second = await accounts.create(house.ports, OPERATOR, "second@example.org", role=Role.ADMIN)
    house.clock.move(days=30)
    link = (await invitations.invite(house.ports, now(house, root), second.id)).token
    puppet = await set_up_by_link(house, second, link)
    wanted = await proposals.propose_export(house.ports, now(house, root), "For the auditors")
    shown = await proposals.find(house.ports, now(house, puppet), wanted.id)
    assert not shown.may_countersign
    with pytest.raises(NotAllowed, match="24 hours"):
        await proposals.countersign(house.ports, now(house, puppet), wanted.id)
    house.clock.move(hours=23)
    await proposals.countersign(house.ports, now(house, third), wanted.id)


async def test_an_administrator_whom_the_operator_invited_countersigns_at_once(house: House, root: Person) -> None:
    second = await accounts.create(house.ports, OPERATOR, "second@example.org", role=Role.ADMIN)
    link = (await invitations.invite(house.ports, OPERATOR, second.id)).token
    person = await set_up_by_link(house, second, link)
    wanted = await proposals.propose_export(house.ports, now(house, root), "For the auditors")
    assert (await proposals.countersign(house.ports, now(house, person), wanted.id)).proposal.decided_by == second.id


async def test_what_the_helpdesk_proposed_about_somebody_does_not_reach_an_administrator(
    house: House, root: Person, alice: Person
) -> None:
    helpdesk = await house.person("helpdesk@example.org", role=Role.HELPDESK)
    house.clock.move(minutes=1)
    wanted = await proposals.propose_reset(house.ports, now(house, helpdesk), alice.account.id, "Lost the phone")
    await accounts.set_role(house.ports, OPERATOR, alice.account.id, Role.ADMIN)
    with pytest.raises(Conflict, match="no longer"):
        await proposals.countersign(house.ports, now(house, root), wanted.id)
    assert (await accounts.find(house.ports, OPERATOR, alice.account.id)).has_second_factor


async def test_a_token_has_no_more_than_its_person(house: House, root: Person) -> None:
    made = await api_tokens.make(
        house.ports,
        now(house, root),
        root.account.id,
        name="Console",
        actions=api_tokens.may_be_given(root.account),
        expires_at=house.clock.now() + DAY,
    )
    actor = await api_tokens.authenticate(house.ports, made.secret, PLACE)
    await accounts.create(house.ports, actor, "x@example.org")
    with pytest.raises(NotAllowed):
        await accounts.create(house.ports, actor, "y@example.org", role=Role.AUDITOR)
    await house.store.write(lambda writer: writer.set_role(root.account.id, Role.AUDITOR))
    with pytest.raises(NotAllowed):
        await accounts.create(house.ports, actor, "z@example.org")
    assert Action.COUNTERSIGN not in made.token.actions


async def test_a_token_does_not_become_an_administrator_by_inviting_one(house: House, root: Person) -> None:
    """A token is never given what an administrator in person may do; an invitation would hand all of it over."""
    second = await accounts.create(house.ports, OPERATOR, "second@example.org", role=Role.ADMIN)
    plain = await accounts.create(house.ports, OPERATOR, "plain@example.org")
    made = await api_tokens.make(
        house.ports,
        now(house, root),
        root.account.id,
        name="Joiner",
        actions=frozenset({Action.INVITE}),
        expires_at=house.clock.now() + DAY,
    )
    actor = await api_tokens.authenticate(house.ports, made.secret, PLACE)
    with pytest.raises(NotAllowed, match="in person"):
        await invitations.invite(house.ports, actor, second.id)
    assert (await invitations.invite(house.ports, actor, plain.id)).address == "plain@example.org"


async def a_puppet(house: House, root: Person, role: Role) -> Person:
    """Have one administrator alone make somebody with a role, and be that."""
    made = await accounts.create(house.ports, now(house, root), f"{role}@example.org", role=role)
    link = (await invitations.invite(house.ports, now(house, root), made.id)).token
    return await set_up_by_link(house, made, link)


async def test_one_administrator_does_not_propose_through_somebody_made_today(
    house: House, root: Person, alice: Person
) -> None:
    """Or that one's proposals could be countersigned by who made them."""
    await house.person("other@example.org", role=Role.ADMIN)
    helpdesk = await a_puppet(house, root, Role.HELPDESK)
    auditor = await a_puppet(house, root, Role.AUDITOR)
    admin = await a_puppet(house, root, Role.ADMIN)
    looser = replace(house.ports.policy, min_password_length=8)
    for attempt in (
        proposals.propose_reset(house.ports, now(house, helpdesk), alice.account.id, "Lost"),
        proposals.propose_reinvite(house.ports, now(house, helpdesk), alice.account.id, "Lost"),
        proposals.propose_export(house.ports, now(house, auditor), "Move"),
        policy.save(house.ports, now(house, admin), looser, reason="Too long"),
    ):
        with pytest.raises(Refused, match="24 hours"):
            await attempt
    house.clock.move(hours=25)
    wanted = await proposals.propose_reset(house.ports, now(house, helpdesk), alice.account.id, "Lost")
    await proposals.countersign(house.ports, now(house, root), wanted.id)
