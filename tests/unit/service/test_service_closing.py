"""Mail servers that ask are told of what is taken away: which sessions, when again, and what becomes of it in the end."""

import asyncio
from collections.abc import Iterator
from contextlib import closing as closing_at_end
from datetime import timedelta
from pathlib import Path

import pytest
from tests.verbs.site import EVERYTHING, HOME, OPERATOR, PASSWORD, House, Person, attempt
from tests.verbs.told_servers import ToldServers

from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.service import accounts, app_passwords, closing, console, login, policy, rotation, upkeep
from valetkey.service.app_passwords import Issued
from valetkey.service.closing import AtServer, Closed
from valetkey.service.closing_parts import OF_MAIN_PASSWORD, ServerClosings, Sessions
from valetkey.service.closing_upkeep import GIVEN_UP_AFTER, SHOWN_FOR, late_servers, look_through, tell_due

OFFICE, TRAIN = "203.0.113.5", "192.0.2.99"
READ_ONLY = Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset({MailProtocol.IMAP}))
ALICE = ("alice@example.org", "alice")


@pytest.fixture
def servers() -> ToldServers:
    return ToldServers()


@pytest.fixture
def house(tmp_path: Path, servers: ToldServers) -> Iterator[House]:
    with closing_at_end(House(tmp_path, server_sessions=servers)) as found:
        yield found


async def log_in(house: House, issued: Issued, address: str = HOME) -> None:
    await login.check(house.ports, attempt("alice", issued.secret.text, address=address))
    await house.recorder.flush()


async def two(house: House) -> tuple[Person, Issued, Issued]:
    """Alice's phone on the train, and her laptop at home."""
    alice = await house.person()
    phone, laptop = await house.issue(alice, "Phone"), await house.issue(alice, "Laptop")
    await log_in(house, phone, TRAIN)
    await log_in(house, laptop, HOME)
    house.clock.move(hours=1)
    return alice, phone, laptop


async def test_each_server_is_told_of_a_revocation(house: House, servers: ToldServers) -> None:
    alice, phone, _ = await two(house)
    revoked = await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    assert revoked.closed == Closed(0, (AtServer("mx1", 1), AtServer("mx2", 1)))
    assert servers.of("mx1") == [Sessions(ALICE, phone.app_password.id, spare=frozenset({HOME}))]


async def test_an_address_that_both_use_is_not_spared(house: House, servers: ToldServers) -> None:
    alice, phone, laptop = await two(house)
    await log_in(house, laptop, TRAIN)
    await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    assert servers.of("mx1")[0].spare == {HOME}


async def test_what_is_over_spares_no_address(house: House, servers: ToldServers) -> None:
    alice, phone, laptop = await two(house)
    for one in (phone, laptop):
        await app_passwords.revoke(house.ports, alice.actor, one.app_password.id)
    assert servers.of("mx1")[1].spare == frozenset()


async def test_it_is_told_once_more_for_a_login_that_was_on_its_way(house: House, servers: ToldServers) -> None:
    alice, phone, _ = await two(house)
    await log_in(house, phone, OFFICE)
    house.clock.move(seconds=1)
    await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    assert await tell_due(house.ports) == 0, "not yet"
    house.clock.move(seconds=6)
    assert await tell_due(house.ports) == 2
    assert servers.of("mx1")[1] == Sessions(ALICE, phone.app_password.id, only=frozenset({OFFICE}))
    house.clock.move(days=1)
    assert await tell_due(house.ports) == 0, "and no more"


async def test_a_change_that_takes_nothing_away_is_not_told(house: House, servers: ToldServers) -> None:
    alice, phone, _ = await two(house)
    actor = house.acting(alice.account)
    await app_passwords.change(house.ports, actor, phone.app_password.id, description="My phone")
    assert servers.told == []
    narrowed = await app_passwords.change(house.ports, actor, phone.app_password.id, scope=READ_ONLY)
    assert narrowed.closed.total == 2
    await app_passwords.change(house.ports, actor, phone.app_password.id, scope=EVERYTHING)
    assert len(servers.told) == 2


async def test_expired_and_rotated_ones_are_told(house: House, servers: ToldServers) -> None:
    alice = await house.person()
    short = await house.issue(alice, expires_at=house.clock.now() + timedelta(hours=1))
    house.clock.move(hours=2)
    assert await app_passwords.lapse_expired(house.ports) == 1
    assert servers.of("mx1")[0].credential_id == short.app_password.id
    old = await house.issue(alice)
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.app_password.id)
    assert rotated.closed.total == 2


async def test_one_that_a_login_finds_expired_is_told_by_upkeep(house: House, servers: ToldServers) -> None:
    alice = await house.person()
    short = await house.issue(alice, expires_at=house.clock.now() + timedelta(hours=1))
    house.clock.move(hours=2)
    await log_in(house, short)
    assert servers.told == []
    house.clock.move(seconds=6)
    assert await tell_due(house.ports) == 2


async def test_an_account_is_one_kick(house: House, servers: ToldServers) -> None:
    alice = await house.person()
    for number in range(12):
        await house.issue(alice, f"Device {number}")
    await app_passwords.revoke_all(house.ports, alice.actor, alice.account.id)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert servers.of("mx1") == [Sessions(ALICE), Sessions(ALICE)]


async def test_names_that_a_server_may_know_an_account_by(house: House, servers: ToldServers) -> None:
    alice = await house.person()
    await accounts.add_alias(house.ports, OPERATOR, alice.account.id, "al@example.net")
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert servers.of("mx1") == [Sessions(("alice@example.org", "alice", "al@example.net"))]


async def test_many_aliases_push_out_none_of_the_names_of_the_primary_address(
    house: House, servers: ToldServers
) -> None:
    alice = await house.person()
    for number in range(20):
        await accounts.add_alias(house.ports, OPERATOR, alice.account.id, f"a{number:02}@example.net")
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert {"alice@example.org", "alice"} <= set(servers.of("mx1")[0].names)


async def test_lost_rights_are_told_for_what_had_them(house: House, servers: ToldServers) -> None:
    alice = await house.person()
    reader = await house.issue(alice, "Reader", scope=READ_ONLY)
    whole = await house.issue(alice, "All")
    for one in (reader, whole):
        await log_in(house, one)
    await accounts.set_rights(house.ports, OPERATOR, alice.account.id, frozenset({Permission.READ}))
    assert [each.credential_id for each in servers.of("mx1")] == [whole.app_password.id]


async def test_sessions_of_the_main_password_end_with_it(house: House, servers: ToldServers) -> None:
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    alice = await house.person(two_factor=False)
    await accounts.set_main_password(house.ports, house.acting(alice.account), alice.account.id, f"{PASSWORD} new")
    assert servers.told == [], "it never opened mail"
    await login.check(house.ports, attempt("alice", f"{PASSWORD} new"))
    await house.recorder.flush()
    await house.set_up_authenticator(alice)
    assert servers.of("mx1")[0].credential_id == OF_MAIN_PASSWORD


async def test_many_at_once_are_told_too(house: House, servers: ToldServers) -> None:
    _, phone, _ = await two(house)
    bob = await house.person("bob@example.org")
    ids = [phone.app_password.id, (await house.issue(bob)).app_password.id]
    done = await console.revoke_many(house.ports, OPERATOR, ids)
    assert done.closed == Closed(0, (AtServer("mx1", 2), AtServer("mx2", 2)))


async def test_a_server_that_is_down_hinders_nothing(house: House, servers: ToldServers) -> None:
    alice, phone, _ = await two(house)
    servers.down = {"mx2"}
    revoked = await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    assert revoked.closed == Closed(0, (AtServer("mx1", 1),), ("mx2",))
    (late,) = await late_servers(house.ports, OPERATOR)
    assert late == ServerClosings("mx2", 1, house.clock.now(), 0)
    servers.down = set()
    house.clock.move(seconds=11)
    await tell_due(house.ports)
    assert len(servers.of("mx2")) == 1
    assert await late_servers(house.ports, OPERATOR) == ()


async def test_a_server_that_never_answers_costs_a_verb_two_seconds_once(
    house: House, servers: ToldServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "WITHIN", 0.1)
    alice, phone, laptop = await two(house)
    servers.silent = {"mx1", "mx2"}
    assert (
        await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    ).closed.not_told == servers.servers
    monkeypatch.setattr(closing, "WITHIN", 1000.0)
    async with asyncio.timeout(30):
        revoked = await app_passwords.revoke(house.ports, alice.actor, laptop.app_password.id)
    assert revoked.closed.not_told == servers.servers


async def test_pauses_grow_and_after_a_day_it_is_given_up_and_shown(house: House, servers: ToldServers) -> None:
    alice, phone, _ = await two(house)
    servers.servers, servers.down = ("mx1",), {"mx1"}
    await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    tries, made_at = 0, house.clock.now()
    while house.clock.now() - made_at < GIVEN_UP_AFTER + timedelta(hours=1):
        house.clock.move(seconds=10)
        before = await house.store.read(lambda reader: reader.due_closings(house.clock.now(), "mx1"))
        tries += len(before)
        await tell_due(house.ports)
    assert 100 < tries < 200
    (late,) = await late_servers(house.ports, OPERATOR)
    assert (late.waiting, late.given_up) == (0, 1)
    house.clock.move(seconds=SHOWN_FOR.total_seconds())
    await upkeep.every_minute(house.ports)
    assert await late_servers(house.ports, OPERATOR) == ()


async def test_a_server_that_answers_again_is_told_the_rest_at_once(house: House, servers: ToldServers) -> None:
    alice, phone, laptop = await two(house)
    servers.servers, servers.down = ("mx1",), {"mx1"}
    await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    for _ in range(8):
        house.clock.move(minutes=10)
        await tell_due(house.ports)
    servers.down = set()
    await app_passwords.revoke(house.ports, alice.actor, laptop.app_password.id)
    house.clock.move(seconds=6)
    await tell_due(house.ports)
    await tell_due(house.ports)
    assert await late_servers(house.ports, OPERATOR) == ()


async def test_one_that_was_given_up_is_told_when_it_is_asked_for_anew(house: House, servers: ToldServers) -> None:
    alice, _, _ = await two(house)
    servers.servers, servers.down = ("mx1",), {"mx1"}
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    house.clock.move(days=2)
    await tell_due(house.ports)
    servers.down = set()
    assert (await accounts.disable(house.ports, OPERATOR, alice.account.id)).servers == (AtServer("mx1", 1),)


async def test_a_server_that_is_no_longer_configured_is_forgotten(house: House, servers: ToldServers) -> None:
    alice, phone, _ = await two(house)
    servers.down = {"mx2"}
    await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)
    servers.servers = ("mx1",)
    await upkeep.every_minute(house.ports)
    assert not [
        each for each in await house.store.read(lambda r: r.closings_of(alice.account.id)) if each.server == "mx2"
    ]


async def test_a_policy_reaches_what_it_no_longer_lets_in(house: House, servers: ToldServers) -> None:
    alice, phone, laptop = await two(house)
    house.clock.move(days=10)
    fresh = await house.issue(alice, "Fresh")
    await log_in(house, fresh)
    await app_passwords.revoke(house.ports, alice.actor, laptop.app_password.id)
    servers.told.clear()
    await policy.save(house.ports, OPERATOR, Policy(max_lifetime=timedelta(days=5)))
    assert servers.told == []
    assert await look_through(house.ports) == 1
    await tell_due(house.ports)
    assert [each.credential_id for each in servers.of("mx1") if each.only is None] == [phone.app_password.id]
    assert await look_through(house.ports) == 0


async def test_without_such_servers_nothing_is_kept(house: House, servers: ToldServers) -> None:
    servers.servers = ()
    alice, phone, _ = await two(house)
    assert (await app_passwords.revoke(house.ports, alice.actor, phone.app_password.id)).closed == Closed()
    await policy.save(house.ports, OPERATOR, Policy(max_lifetime=timedelta(days=5)))
    house.clock.move(days=1)
    assert await house.store.read(lambda reader: reader.due_closings(house.clock.now(), "mx1")) == ()
