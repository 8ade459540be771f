"""Policy and networks in the console: whom a change hits, what one administrator may do and what takes two."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from tests.verbs.site import OPERATOR, House, Person, attempt

from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, ProveAgain, Refused
from valetkey.core.event import Exported, NetworksChanged, PolicyChanged
from valetkey.core.login import Allowed, Reason
from valetkey.core.login import Refused as RefusedLogin
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.role import Action, Role
from valetkey.service import accounts, api_tokens, login, policy
from valetkey.service.changes import Follower
from valetkey.service.policy import Effect, Origin

DAY = timedelta(days=1)


@pytest.fixture
async def admin(house: House) -> Person:
    return await house.person("root@example.org", role=Role.ADMIN)


async def refused(house: House, name: str, secret: str) -> Reason | None:
    verdict = await login.check(house.ports, attempt(name, secret))
    assert isinstance(verdict, Allowed | RefusedLogin)
    return verdict.reason if isinstance(verdict, RefusedLogin) else None


async def test_the_file_holds_until_the_console_saves(house: House, admin: Person) -> None:
    shown = await policy.show(house.ports, admin.actor)
    assert (shown.policy_from, shown.networks_from) == (Origin.FILE, Origin.FILE)
    wanted = replace(house.ports.policy, max_app_passwords=10)
    saved = await policy.save(house.ports, admin.actor, wanted)
    assert saved.proposal is None
    shown = await policy.show(house.ports, admin.actor)
    assert (shown.policy, shown.policy_from, shown.networks_from) == (wanted, Origin.CONSOLE, Origin.FILE)
    assert house.ports.policy == wanted
    (record,) = await house.store.read(lambda reader: reader.audit(limit=1))
    assert record.event == PolicyChanged({"max_app_passwords": 50}, {"max_app_passwords": 10})
    await policy.reset(house.ports, OPERATOR)
    assert house.ports.policy == Policy()
    with pytest.raises(NotAllowed):
        await policy.reset(house.ports, admin.actor)


async def test_a_ceiling_stops_app_passwords_that_exist(house: House, admin: Person) -> None:
    alice = await house.person()
    old = await house.issue(alice, "Old")
    house.clock.move(days=40)
    new = await house.issue(alice, "New")
    wanted = Policy(max_lifetime=30 * DAY)
    seen = await policy.preview(house.ports, admin.actor, wanted)
    assert (seen.changed, seen.weaker, seen.needs_two) == (("max_lifetime",), (), False)
    assert (seen.stops, seen.shortened, seen.people) == (1, 1, 1)
    effects = {hit.app_password.description: hit.effect for hit in seen.hits if hit.app_password}
    assert effects == {"Old": Effect.STOPS, "New": Effect.ENDS_EARLIER}
    assert await refused(house, "alice", old.secret.text) is None
    await policy.save(house.ports, house.acting(admin.account), wanted)
    assert await refused(house, "alice", old.secret.text) is Reason.EXPIRED
    assert await refused(house, "alice", new.secret.text) is None
    await policy.save(house.ports, OPERATOR, Policy())
    assert await refused(house, "alice", old.secret.text) is None  # what only the ceiling ended


async def test_a_ceiling_on_disuse_stops_what_is_unused(house: House, admin: Person) -> None:
    alice = await house.person()
    issued = await house.issue(alice)
    house.clock.move(days=20)
    wanted = Policy(max_idle_for=10 * DAY)
    seen = await policy.preview(house.ports, admin.actor, wanted)
    assert (seen.stops, seen.shortened) == (1, 0)
    await policy.save(house.ports, house.acting(admin.account), wanted)
    assert await refused(house, "alice", issued.secret.text) is Reason.IDLE


async def test_taking_mail_from_main_passwords_names_the_people(house: House, admin: Person) -> None:
    await policy.save(house.ports, OPERATOR, Policy(main_password_opens_mail=True))
    await house.person(two_factor=False)
    await house.person("bob@example.org")
    seen = await policy.preview(house.ports, admin.actor, Policy())
    assert (seen.loses_mail, seen.people, seen.needs_two) == (1, 1, False)
    assert [(hit.account.address, hit.effect) for hit in seen.hits] == [("alice@example.org", Effect.MAIN_PASSWORD)]


async def test_a_preview_shows_a_part_and_counts_all(
    house: House, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "MAX_HITS", 2)
    monkeypatch.setattr(policy, "_PART", 2)
    alice = await house.person()
    for number in range(5):
        await house.issue(alice, f"No. {number}")
    seen = await policy.preview(house.ports, admin.actor, Policy(max_lifetime=DAY))
    assert (seen.shortened, len(seen.hits)) == (5, 2)


async def test_lowering_waits_for_a_second_administrator(house: House, admin: Person) -> None:
    weaker = Policy(min_password_length=8, max_app_passwords=10)
    with pytest.raises(Refused, match="second administrator"):
        await policy.save(house.ports, admin.actor, weaker, reason="People asked")
    await house.person("second@example.org", role=Role.ADMIN)
    with pytest.raises(InvalidInput) as caught:
        await policy.save(house.ports, house.acting(admin.account), weaker)
    assert caught.value.field == "reason"
    saved = await policy.save(house.ports, house.acting(admin.account), weaker, reason="People asked")
    assert saved.proposal is not None
    assert saved.proposal.facts == {
        "policy": {
            "before": {"max_app_passwords": 50, "min_password_length": 12},
            "after": {"max_app_passwords": 10, "min_password_length": 8},
        }
    }
    assert house.ports.policy == Policy()


async def test_the_command_line_needs_no_second_administrator(house: House) -> None:
    weaker = Policy(min_password_length=8)
    assert (await policy.save(house.ports, OPERATOR, weaker)).proposal is None
    assert house.ports.policy == weaker


async def test_saving_what_holds_already_or_makes_no_sense_changes_nothing(house: House, admin: Person) -> None:
    number = house.store.change_number()
    with pytest.raises(Conflict):
        await policy.save(house.ports, admin.actor, Policy())
    with pytest.raises(InvalidInput):
        await policy.save(house.ports, admin.actor, Policy(max_app_passwords=0))
    with pytest.raises(Conflict):
        await policy.save_networks(house.ports, admin.actor, house.ports.networks)
    old = replace(admin.actor, proven_at=None)
    with pytest.raises(ProveAgain):
        await policy.save(house.ports, old, Policy(max_app_passwords=3))
    with pytest.raises(ProveAgain):
        await policy.save_networks(house.ports, old, NamedNetworks({}))
    assert house.store.change_number() == number


async def test_networks_in_use_are_widened_by_two_and_narrowed_by_one(house: House, admin: Person) -> None:
    alice = await house.person()
    limited = await house.issue(alice, "Scanner", network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
    await house.person("second@example.org", role=Role.ADMIN)
    office = ip_network("203.0.113.0/24")
    wider = NamedNetworks({"office": (office, ip_network("198.51.100.0/24"))})
    seen = await policy.preview_networks(house.ports, admin.actor, wider)
    assert (seen.changed, seen.weaker, seen.elsewhere, seen.stops) == (("office",), ("office",), 1, 0)
    acting = house.acting(admin.account)
    assert (await policy.save_networks(house.ports, acting, wider, reason="New floor")).proposal is not None
    unused = NamedNetworks({"office": (office,), "vpn": (ip_network("198.51.100.0/24"),)})
    assert (await policy.save_networks(house.ports, acting, unused)).proposal is None
    (record,) = await house.store.read(lambda reader: reader.audit(limit=1))
    assert record.event == NetworksChanged({}, {"vpn": ["198.51.100.0/24"]})
    gone = NamedNetworks({"vpn": (ip_network("198.51.100.0/24"),)})
    seen = await policy.preview_networks(house.ports, acting, gone)
    assert (seen.stops, seen.weaker) == (1, ())
    assert (await policy.save_networks(house.ports, acting, gone)).proposal is None
    assert await refused(house, "alice", limited.secret.text) is Reason.NETWORK
    # A name that comes back widens what is still limited to it.
    assert (await policy.save_networks(house.ports, acting, unused, reason="Back")).proposal is not None


async def test_api_tokens_that_are_limited_to_a_network_are_hit_too(house: House, admin: Person) -> None:
    alice = await house.person()
    made = await api_tokens.make(
        house.ports,
        house.acting(alice.account),
        alice.account.id,
        name="Script",
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now() + timedelta(days=9),
        allowed_ips=("office",),
    )
    wider = NamedNetworks({"office": (ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24"))})
    seen = await policy.preview_networks(house.ports, admin.actor, wider)
    assert (seen.elsewhere, seen.stops, seen.people) == (1, 0, 1)
    assert [(hit.account.id, hit.app_password, hit.api_token) for hit in seen.hits] == [
        (alice.account.id, None, made.token)
    ]
    assert (await policy.preview_networks(house.ports, admin.actor, NamedNetworks({}))).stops == 1
    await api_tokens.revoke(house.ports, house.acting(alice.account), made.token.id)
    assert (await policy.preview_networks(house.ports, admin.actor, NamedNetworks({}))).people == 0


async def test_a_change_of_rules_has_every_live_session_decided_again(house: House, admin: Person) -> None:
    follower = Follower(house.store)
    await policy.save(house.ports, admin.actor, Policy(max_app_passwords=3))
    assert [change.account_id for change in follower.poll()] == [None]
    await accounts.create(house.ports, OPERATOR, "x@example.org")
    await house.store.write(
        lambda writer: writer.record(Exported("audit log", 1), actor=OPERATOR, at=house.clock.now(), account_id=None)
    )
    made, exported = follower.poll()
    assert made.account_id
    assert exported.account_id == ""  # nothing that a login stands on


async def test_who_may_not_see_or_change(house: House) -> None:
    alice = await house.person()
    for verb in (
        policy.show(house.ports, alice.actor),
        policy.preview(house.ports, alice.actor, Policy(max_app_passwords=3)),
        policy.preview_networks(house.ports, alice.actor, NamedNetworks({})),
        policy.save(house.ports, alice.actor, Policy(max_app_passwords=3)),
        policy.save_networks(house.ports, alice.actor, NamedNetworks({})),
    ):
        with pytest.raises(NotAllowed):
            await verb
