"""API tokens: who may make which, what opens the API and what does not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person

from valetkey.adapters.keys import KeyFile
from valetkey.core import app_password as app_passwords
from valetkey.core.api_token import looks_like_api_token
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain, Unavailable
from valetkey.core.event import ApiTokenMade, ApiTokenRevoked
from valetkey.core.role import OWN_ACTIONS, TOKEN_ACTIONS, Action, Role
from valetkey.service import accounts, api_tokens
from valetkey.service.api_tokens import Made
from valetkey.service.ports import SYSTEM, Actor, ActorKind

HERE = ip_address(HOME)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


async def token_of(house: House, person: Person, account_id: str = "", **wanted: Any) -> Made:
    given: dict[str, Any] = {
        "name": "Backup",
        "actions": frozenset({Action.OWN_READ}),
        "expires_at": house.clock.now() + timedelta(days=30),
    }
    return await api_tokens.make(
        house.ports, house.acting(person.account), account_id or person.account.id, **{**given, **wanted}
    )


async def test_a_token_is_shown_once_and_opens_the_api(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    assert looks_like_api_token(made.secret)
    assert made.secret not in repr(made)
    actor = await api_tokens.authenticate(house.ports, made.secret, HERE)
    assert actor == Actor(ActorKind.TOKEN, alice.account.id, HOME, token_id=made.token.id)
    records = await house.store.read(lambda reader: reader.audit(account_id=alice.account.id, limit=1))
    assert isinstance(records[0].event, ApiTokenMade)
    assert made.secret not in str(records[0])
    kept = (house.store.path).read_bytes() + Path(f"{house.store.path}-wal").read_bytes()
    assert made.secret.encode() not in kept


async def test_what_is_not_a_token_opens_nothing(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    issued = await house.issue(alice)
    for shown in ("", "vkt_", made.secret[:-1], made.secret + "a", made.secret.upper(), f" {made.secret}",
                  issued.secret.shown, issued.secret.text, alice.password, "x" * 100_000, "vkt_\0"):  # fmt: skip
        with pytest.raises(NotAllowed):
            await api_tokens.authenticate(house.ports, shown, HERE)


async def test_a_token_is_no_app_password_and_no_main_password(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    assert app_passwords.read(made.secret) is None
    with pytest.raises(InvalidInput, match="API token"):
        await accounts.set_main_password(house.ports, house.acting(alice.account), alice.account.id, made.secret)


async def test_every_way_to_look_for_a_token_costs_the_same(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    await api_tokens.authenticate(house.ports, made.secret, HERE)
    calls, _ = house.count_calls()
    costs = []
    for shown in (made.secret, "vkt_" + "a" * 40, "nothing like it"):
        calls.clear()
        if shown == made.secret:
            await api_tokens.authenticate(house.ports, shown, HERE)
        else:
            with pytest.raises(NotAllowed):
                await api_tokens.authenticate(house.ports, shown, HERE)
        costs.append(dict(calls))
    assert costs[0] == costs[1] == costs[2]


async def test_a_token_ends(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice, expires_at=house.clock.now() + timedelta(hours=1))
    house.clock.move(minutes=59)
    await api_tokens.authenticate(house.ports, made.secret, HERE)
    house.clock.move(minutes=1)
    with pytest.raises(NotAllowed, match="expired"):
        await api_tokens.authenticate(house.ports, made.secret, HERE)


async def test_a_disabled_account_has_no_tokens_that_work(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    with pytest.raises(NotAllowed):
        await api_tokens.authenticate(house.ports, made.secret, HERE)


async def test_a_token_works_only_from_its_networks(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice, allowed_ips=("office", "192.0.2.7"))
    assert made.token.allowed_ips == ("office", "192.0.2.7/32")
    for address in ("203.0.113.9", "192.0.2.7", "::ffff:192.0.2.7"):
        await api_tokens.authenticate(house.ports, made.secret, ip_address(address))
    for address in (HOME, "2001:db8::1"):
        with pytest.raises(NotAllowed, match="network"):
            await api_tokens.authenticate(house.ports, made.secret, ip_address(address))
    with pytest.raises(NotAllowed, match="network"):
        await api_tokens.authenticate(house.ports, made.secret, None)


async def test_use_is_noted_at_most_once_a_minute(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    await api_tokens.authenticate(house.ports, made.secret, HERE)
    first = house.clock.now()
    house.clock.move(seconds=59)
    await api_tokens.authenticate(house.ports, made.secret, ip_address("192.0.2.1"))
    (seen,) = await api_tokens.of_account(house.ports, house.acting(alice.account), alice.account.id)
    assert (seen.last_used_at, seen.last_used_address) == (first, HOME)
    house.clock.move(seconds=1)
    await api_tokens.authenticate(house.ports, made.secret, ip_address("192.0.2.1"))
    (seen,) = await api_tokens.of_account(house.ports, house.acting(alice.account), alice.account.id)
    assert (seen.last_used_at, seen.last_used_address) == (house.clock.now(), "192.0.2.1")


async def test_a_token_moves_to_the_current_key(house: House, tmp_path: Path) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    KeyFile.rotate(tmp_path / "keys.toml")
    assert house.keys.reload_if_changed()
    await api_tokens.authenticate(house.ports, made.secret, HERE)
    assert await house.store.read(lambda reader: reader.token_keys()) == {house.keys.current}
    house.clock.move(minutes=2)
    await api_tokens.authenticate(house.ports, made.secret, HERE)


@pytest.mark.parametrize("role", [None, *Role])
async def test_nobody_gives_a_token_more_than_the_role_permits(house: House, role: Role | None) -> None:
    alice = await house.person(role=role)
    allowed = api_tokens.may_be_given(alice.account)
    assert allowed >= OWN_ACTIONS
    assert allowed <= TOKEN_ACTIONS
    for action in Action:
        wanted = frozenset({Action.OWN_READ, action})
        if action in allowed:
            made = await token_of(house, alice, actions=wanted)
            await api_tokens.revoke(house.ports, house.acting(alice.account), made.token.id)
        else:
            with pytest.raises(NotAllowed):
                await token_of(house, alice, actions=wanted)


async def test_an_owner_makes_tokens_of_a_shared_account_without_roles(house: House) -> None:
    alice = await house.person(role=Role.ADMIN)
    shared = await house.shared(owner=alice)
    made = await token_of(house, alice, shared.id, actions=OWN_ACTIONS)
    actor = await api_tokens.authenticate(house.ports, made.secret, HERE)
    assert actor.account_id == shared.id
    with pytest.raises(NotAllowed):
        await token_of(house, alice, shared.id, actions=frozenset({Action.SEE_ACCOUNTS}))


async def test_who_may_not_make_tokens(house: House) -> None:
    alice, bob = await house.person(), await house.person("bob@example.org")
    made = await token_of(house, alice)
    token = await api_tokens.authenticate(house.ports, made.secret, HERE)
    wanted: dict[str, Any] = {
        "name": "x",
        "actions": frozenset({Action.OWN_READ}),
        "expires_at": house.clock.now() + timedelta(days=1),
    }
    for actor in (OPERATOR, SYSTEM, token):
        with pytest.raises(NotAllowed):
            await api_tokens.make(house.ports, actor, alice.account.id, **wanted)
    with pytest.raises(NotFound):
        await api_tokens.make(house.ports, house.acting(bob.account), alice.account.id, **wanted)
    old = replace(house.acting(alice.account), proven_at=house.clock.now() - timedelta(minutes=6))
    with pytest.raises(ProveAgain):
        await api_tokens.make(house.ports, old, alice.account.id, **wanted)
    carol = await house.person("carol@example.org", two_factor=False)
    with pytest.raises(PolicyForbids):
        await api_tokens.make(house.ports, house.acting(carol.account), carol.account.id, **wanted)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"actions": frozenset()}, "actions"),
        ({"allowed_ips": ("nowhere",)}, "allowed_ips"),
        ({"allowed_ips": ("0.0.0.0/0",)}, "allowed_ips"),
        ({"allowed_ips": tuple(f"192.0.2.{n}" for n in range(101))}, "allowed_ips"),
    ],
)
async def test_unfit_wishes_are_named(house: House, wanted: dict[str, Any], field: str) -> None:
    alice = await house.person()
    with pytest.raises(InvalidInput) as caught:
        await token_of(house, alice, **wanted)
    assert caught.value.field == field


@pytest.mark.parametrize("days", [-1, 0, 367])
async def test_a_token_ends_within_a_year(house: House, days: int) -> None:
    alice = await house.person()
    with pytest.raises(InvalidInput) as caught:
        await token_of(house, alice, expires_at=house.clock.now() + timedelta(days=days))
    assert caught.value.field == "expires_at"


async def test_revoking_ends_a_token_at_once(house: House) -> None:
    alice, bob = await house.person(), await house.person("bob@example.org")
    made = await token_of(house, alice)
    with pytest.raises(NotFound):
        await api_tokens.revoke(house.ports, house.acting(bob.account), made.token.id)
    await api_tokens.revoke(house.ports, replace(alice.actor, proven_at=None), made.token.id)
    with pytest.raises(NotAllowed):
        await api_tokens.authenticate(house.ports, made.secret, HERE)
    with pytest.raises(Conflict):
        await api_tokens.revoke(house.ports, alice.actor, made.token.id)
    records = await house.store.read(lambda reader: reader.audit(account_id=alice.account.id, limit=1))
    assert isinstance(records[0].event, ApiTokenRevoked)


async def test_an_administrator_sees_and_revokes_and_its_owner_is_told(house: House) -> None:
    alice = await house.person()
    admin = await house.person("root@example.org", role=Role.ADMIN)
    made = await token_of(house, alice)
    assert [token.id for token, _ in await api_tokens.all_of(house.ports, admin.actor)] == [made.token.id]
    await api_tokens.revoke(house.ports, admin.actor, made.token.id)
    kinds = await house.store.read(
        lambda reader: [notice.kind for notice in reader.due_notices(house.clock.now() + timedelta(days=1))]
    )
    assert "revoked-by-administrator" in kinds
    with pytest.raises(NotAllowed):
        await api_tokens.all_of(house.ports, alice.actor)


async def test_a_store_that_is_away_is_not_a_wrong_token(house: House) -> None:
    alice = await house.person()
    made = await token_of(house, alice)
    house.store.path.rename(house.store.path.with_suffix(".away"))
    with pytest.raises(Unavailable):
        await api_tokens.authenticate(house.ports, made.secret, HERE)


async def test_too_many_tokens_are_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MAX_TOKENS", 2)
    alice = await house.person()
    for _ in range(2):
        await token_of(house, alice)
    with pytest.raises(PolicyForbids, match="2"):
        await token_of(house, alice)
