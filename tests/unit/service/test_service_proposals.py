"""Two administrators means two: proposing, countersigning, and what must not get around it."""

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person

from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, ProveAgain, Refused
from valetkey.core.event import Exported, ProposalDecided, SecondFactorReset
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.proposal import EXPORT_LASTS, LASTS, Proposal, ProposalKind, ProposalState
from valetkey.core.restriction import NetworkRule
from valetkey.core.role import Action, Role
from valetkey.service import accounts, api_tokens, exporting, policy, proposals, sign_in
from valetkey.service.ports import SYSTEM, Actor

DAY = timedelta(days=1)


@pytest.fixture
async def root(house: House) -> Person:
    return await house.person("root@example.org", role=Role.ADMIN)


@pytest.fixture
async def second(house: House, root: Person) -> Person:
    made = await house.person("second@example.org", role=Role.ADMIN)
    house.clock.move(minutes=10)
    return made


def now(house: House, person: Person) -> Actor:
    return house.acting(person.account)


async def newest(house: House, count: int = 1) -> list[Any]:
    return [record.event for record in await house.store.read(lambda reader: reader.audit(limit=count))]


async def a_reset(house: House, proposer: Person, about: Person) -> Proposal:
    return await proposals.propose_reset(house.ports, now(house, proposer), about.account.id, "Lost the phone")


async def test_a_reset_takes_effect_when_a_second_administrator_countersigns(
    house: House, root: Person, second: Person
) -> None:
    alice = await house.person()
    started = await house.signed_in(alice)
    token = await api_tokens.make(
        house.ports,
        now(house, alice),
        alice.account.id,
        name="Backup",
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now() + DAY,
    )
    issued = await house.issue(alice)
    proposal = await a_reset(house, root, alice)
    assert (await house.store.read(lambda reader: reader.account(alice.account.id))).has_second_factor  # type: ignore[union-attr]
    done = await proposals.countersign(house.ports, now(house, second), proposal.id)
    assert done.proposal.state is ProposalState.COUNTERSIGNED
    details = await accounts.details(house.ports, OPERATOR, alice.account.id)
    assert (details.account.has_second_factor, details.recovery_codes_left) == (False, 0)
    assert await sign_in.current(house.ports, started.token) is None
    with pytest.raises(NotAllowed):
        await api_tokens.authenticate(house.ports, token.secret, ip_address(HOME))
    kept = await house.store.read(lambda reader: reader.app_password(issued.app_password.id))
    assert kept is not None and kept.is_live
    events = await newest(house, 4)
    assert any(isinstance(event, SecondFactorReset) for event in events)
    assert ProposalDecided(proposal.id, "reset-second-factors", "countersigned") in events
    with pytest.raises(Conflict):
        await proposals.countersign(house.ports, now(house, second), proposal.id)


async def test_who_cannot_countersign(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    helper = await house.person("help@example.org", role=Role.HELPDESK)
    auditor = await house.person("audit@example.org", role=Role.AUDITOR)
    proposal = await a_reset(house, root, alice)
    token = await api_tokens.make(
        house.ports,
        now(house, second),
        second.account.id,
        name="All",
        actions=api_tokens.may_be_given(second.account),
        expires_at=house.clock.now() + DAY,
    )
    by_token = await api_tokens.authenticate(house.ports, token.secret, ip_address(HOME))
    for actor in (now(house, root), now(house, alice), now(house, helper), now(house, auditor), by_token, OPERATOR):
        with pytest.raises(NotAllowed):
            await proposals.countersign(house.ports, actor, proposal.id)
    for actor in (SYSTEM, replace(now(house, second), proven_at=house.clock.now() - timedelta(minutes=6))):
        with pytest.raises(ProveAgain):
            await proposals.countersign(house.ports, actor, proposal.id)
    assert (await house.store.read(lambda reader: reader.proposal(proposal.id))) == proposal


async def test_nobody_countersigns_what_the_own_token_proposed(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    token = await api_tokens.make(
        house.ports,
        now(house, root),
        root.account.id,
        name="All",
        actions=api_tokens.may_be_given(root.account),
        expires_at=house.clock.now() + DAY,
    )
    by_token = await api_tokens.authenticate(house.ports, token.secret, ip_address(HOME))
    proposal = await proposals.propose_reset(house.ports, by_token, alice.account.id, "Lost")
    with pytest.raises(NotAllowed, match="yourself"):
        await proposals.countersign(house.ports, now(house, root), proposal.id)
    await proposals.countersign(house.ports, now(house, second), proposal.id)


async def test_nobody_countersigns_what_is_about_the_same_person(house: House, root: Person, second: Person) -> None:
    proposal = await a_reset(house, root, second)
    with pytest.raises(NotAllowed, match="yourself"):
        await proposals.countersign(house.ports, now(house, second), proposal.id)


async def test_an_administrator_cannot_make_the_second_one_at_once(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    proposal = await a_reset(house, root, alice)
    helper = await house.person("new@example.org")
    await accounts.set_role(house.ports, now(house, root), helper.account.id, Role.ADMIN)
    with pytest.raises(NotAllowed, match="24 hours"):
        await proposals.countersign(house.ports, now(house, helper), proposal.id)
    shown = await proposals.find(house.ports, now(house, helper), proposal.id)
    assert not shown.may_countersign
    house.clock.move(hours=23, minutes=50)
    proposal = await proposals.propose_reinvite(house.ports, now(house, root), alice.account.id, "Lost all")
    house.clock.move(minutes=11)
    await proposals.countersign(house.ports, now(house, helper), proposal.id)


async def test_a_site_with_one_administrator_is_told_what_to_do(house: House, root: Person) -> None:
    alice = await house.person()
    for verb in (
        proposals.propose_reset(house.ports, now(house, root), alice.account.id, "Lost"),
        proposals.propose_export(house.ports, now(house, root), "Move"),
    ):
        with pytest.raises(Refused, match="command line on the server"):
            await verb
    await house.person("without@example.org", role=Role.ADMIN, two_factor=False)  # cannot act, and so does not count
    with pytest.raises(Refused, match="command line on the server"):
        await a_reset(house, root, alice)


async def test_the_proposer_must_still_be_permitted(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    proposal = await a_reset(house, root, alice)
    await accounts.set_role(house.ports, now(house, second), root.account.id, None)
    with pytest.raises(Conflict, match="no longer"):
        await proposals.countersign(house.ports, now(house, second), proposal.id)
    await proposals.decline(house.ports, now(house, second), proposal.id)


async def test_a_proposal_lapses(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    proposal = await a_reset(house, root, alice)
    house.clock.move(seconds=LASTS.total_seconds())
    assert await proposals.listed(house.ports, now(house, second)) == ((), None)
    (shown,), _ = await proposals.listed(house.ports, now(house, second), open_only=False)
    assert shown.proposal.state is ProposalState.LAPSED
    for verb in (proposals.countersign, proposals.decline):
        with pytest.raises(Conflict, match="lapsed"):
            await verb(house.ports, now(house, second), proposal.id)
    at = house.clock.now()
    assert await house.store.write(lambda writer: proposals.lapse_in(writer, at)) == 1
    assert await house.store.write(lambda writer: proposals.lapse_in(writer, at)) == 0
    assert await newest(house) == [ProposalDecided(proposal.id, "reset-second-factors", "lapsed")]
    await a_reset(house, root, alice)


async def test_a_proposal_is_withdrawn_by_its_proposer_alone(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    proposal = await a_reset(house, root, alice)
    with pytest.raises(Conflict, match="already"):
        await a_reset(house, second, alice)
    with pytest.raises(NotFound):
        await proposals.withdraw(house.ports, now(house, second), proposal.id)
    assert (await proposals.withdraw(house.ports, now(house, root), proposal.id)).state is ProposalState.WITHDRAWN
    with pytest.raises(Conflict):
        await proposals.countersign(house.ports, now(house, second), proposal.id)


async def test_helpers_propose_for_people_and_not_for_who_has_a_role(
    house: House, root: Person, second: Person
) -> None:
    alice = await house.person()
    helper = await house.person("help@example.org", role=Role.HELPDESK)
    proposal = await a_reset(house, helper, alice)
    with pytest.raises(NotAllowed):
        await a_reset(house, helper, root)
    await proposals.countersign(house.ports, now(house, root), proposal.id)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\u202eb"])
async def test_a_reason_is_needed(house: House, root: Person, second: Person, reason: str) -> None:
    alice = await house.person()
    with pytest.raises(InvalidInput) as caught:
        await proposals.propose_reset(house.ports, now(house, root), alice.account.id, reason)
    assert caught.value.field == "reason"


async def test_a_weaker_policy_holds_when_it_is_countersigned(house: House, root: Person, second: Person) -> None:
    weaker = Policy(max_app_passwords=100, min_password_length=8)
    saved = await policy.save(house.ports, now(house, root), weaker, reason="Asked for")
    assert saved.proposal is not None
    (shown,), _ = await proposals.listed(house.ports, now(house, second))
    assert [(each.name, each.before, each.after) for each in shown.differences] == [
        ("max_app_passwords", 50, 100),
        ("min_password_length", 12, 8),
    ]
    assert (shown.may_countersign, shown.why_not) == (True, None)
    # What else was changed in the meantime stays.
    await policy.save(house.ports, now(house, second), Policy(strict_hash=True))
    await proposals.countersign(house.ports, now(house, second), saved.proposal.id)
    assert house.ports.policy == replace(weaker, strict_hash=True)


async def test_a_proposal_on_what_has_changed_since_takes_no_effect(house: House, root: Person, second: Person) -> None:
    saved = await policy.save(house.ports, now(house, root), Policy(max_app_passwords=100), reason="Asked for")
    assert saved.proposal is not None
    await policy.save(house.ports, now(house, second), Policy(max_app_passwords=5))
    with pytest.raises(Conflict, match="Propose it anew"):
        await proposals.countersign(house.ports, now(house, second), saved.proposal.id)
    assert house.ports.policy == Policy(max_app_passwords=5)
    shown = await proposals.find(house.ports, now(house, second), saved.proposal.id)
    assert shown.proposal.state is ProposalState.OPEN


async def test_wider_networks_hold_when_they_are_countersigned(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    await house.issue(alice, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
    wider = NamedNetworks({"office": (ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24"))})
    saved = await policy.save_networks(house.ports, now(house, root), wider, reason="New floor")
    assert saved.proposal is not None
    await proposals.countersign(house.ports, now(house, second), saved.proposal.id)
    assert house.ports.networks == wider


async def test_inviting_again_gives_the_link_to_who_countersigned(house: House, root: Person, second: Person) -> None:
    alice, new = await house.person(), await accounts.create(house.ports, OPERATOR, "new@example.org")
    with pytest.raises(Conflict):
        await proposals.propose_reinvite(house.ports, now(house, root), new.id, "First day")
    proposal = await proposals.propose_reinvite(house.ports, now(house, root), alice.account.id, "Forgot it")
    done = await proposals.countersign(house.ports, now(house, second), proposal.id)
    assert done.invitation is not None
    assert done.invitation.token not in repr(done)


async def exported(house: House, actor: Actor, proposal: Proposal) -> list[dict[str, Any]]:
    lines = await exporting.export_everything(house.ports, actor, proposal.id)
    return [json.loads(line) async for line in lines]


async def test_everything_is_exported_once_by_its_proposer(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    issued = await house.issue(alice)
    proposal = await proposals.propose_export(house.ports, now(house, root), "Move to another house")
    with pytest.raises(Conflict, match="not countersigned"):
        await exported(house, now(house, root), proposal)
    await proposals.countersign(house.ports, now(house, second), proposal.id)
    with pytest.raises(NotFound):
        await exported(house, now(house, second), proposal)
    with pytest.raises(ProveAgain):
        await exported(house, replace(now(house, root), proven_at=None), proposal)
    found = await exported(house, now(house, root), proposal)
    kinds = {line["record"] for line in found}
    assert kinds == {"rules", "account", "proposal", "audit"}
    assert {line["address"] for line in found if line["record"] == "account"} == {
        "alice@example.org",
        "root@example.org",
        "second@example.org",
    }
    text = json.dumps(found)
    hashed = await house.store.read(lambda reader: reader.main_password(alice.account.id))
    for secret in (issued.secret.text, hashed, *alice.recovery_codes):
        assert secret and secret not in text
    assert any(isinstance(event, Exported) for event in await newest(house, 3))
    with pytest.raises(Conflict, match="already"):
        await exported(house, now(house, root), proposal)


async def test_an_export_is_to_be_had_for_an_hour(house: House, root: Person, second: Person) -> None:
    proposal = await proposals.propose_export(house.ports, now(house, root), "Move")
    await proposals.countersign(house.ports, now(house, second), proposal.id)
    kept = await house.store.read(lambda reader: reader.proposal(proposal.id))
    assert kept is not None and exporting.is_fetchable(kept, house.clock.now())
    house.clock.move(seconds=EXPORT_LASTS.total_seconds())
    assert not exporting.is_fetchable(kept, house.clock.now())
    with pytest.raises(Conflict, match="hour"):
        await exported(house, now(house, root), proposal)


async def test_no_other_proposal_exports_anything(house: House, root: Person, second: Person) -> None:
    alice = await house.person()
    proposal = await a_reset(house, root, alice)
    await proposals.countersign(house.ports, now(house, second), proposal.id)
    assert proposal.kind is not ProposalKind.EXPORT_EVERYTHING
    with pytest.raises(NotFound):
        await exported(house, now(house, root), proposal)
