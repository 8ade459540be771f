"""Who may do what: every verb × every role × in person or by token, cell by cell, as `core.role.PERMITS` says."""

import inspect
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.roles import MODULES, NO_ROLE, READING, VERBS, Stage, a_stage, a_token, by_token, keep_token, permitted
from tests.verbs.site import EVERYTHING, OPERATOR, House

from valetkey.core.errors import NotAllowed, NotFound, PolicyForbids, Refused
from valetkey.core.role import CONSOLE_ACTIONS, OWN_ACTIONS, PERMITS, SEEING, TOKEN_ACTIONS, Action, Role
from valetkey.service import accounts, api_tokens, app_passwords, rotation, upstream_passwords
from valetkey.service.app_passwords import Wanted

ALL = frozenset(Action)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    house = House(tmp_path)
    yield await a_stage(house)
    house.close()


def test_every_verb_has_a_row() -> None:
    found = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in MODULES
        for name, verb in vars(module).items()
        if inspect.isfunction(verb)
        and verb.__module__ == module.__name__
        and not name.startswith("_")
        and [*inspect.signature(verb).parameters][:2] == ["ports", "actor"]
    }
    assert found == {name.partition(" ")[0] for name in VERBS} | NO_ROLE | READING.keys()


def test_every_console_action_opens_a_verb() -> None:
    assert {action for action, _ in VERBS.values()} == CONSOLE_ACTIONS


def test_what_roles_permit() -> None:
    assert PERMITS[Role.ADMIN] == CONSOLE_ACTIONS
    assert PERMITS[Role.AUDITOR] == SEEING - OWN_ACTIONS | {Action.EXPORT_AUDIT}
    changes = {
        Action.CREATE_ACCOUNTS,
        Action.CHANGE_ACCOUNTS,
        Action.SET_ROLES,
        Action.CHANGE_POLICY,
        Action.COUNTERSIGN,
        Action.REVOKE_TOKENS,
    }
    assert not PERMITS[Role.HELPDESK] & changes
    assert not OWN_ACTIONS & CONSOLE_ACTIONS


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role or "nobody")
async def test_every_verb_in_person(stage: Stage, role: Role | None) -> None:
    person = stage.by_role[role]
    wrong = []
    for name, (action, verb) in VERBS.items():
        expected = role is not None and action in PERMITS[role]
        if await permitted(verb(stage, stage.house.acting(person.account))) != expected:
            wrong.append(f"{name} by {role}: not {expected}")
    assert wrong == []


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role or "nobody")
async def test_every_verb_by_a_token_that_was_given_everything(stage: Stage, role: Role | None) -> None:
    account = stage.by_role[role].account
    token = a_token(account.id, "at_all", ALL, stage.house)
    await keep_token(stage.house, token)
    wrong = []
    for name, (action, verb) in VERBS.items():
        expected = role is not None and action in PERMITS[role] & TOKEN_ACTIONS
        if await permitted(verb(stage, by_token(account, token))) != expected:
            wrong.append(f"{name} by a token of {role}: not {expected}")
    assert wrong == []


async def test_every_verb_by_a_token_with_one_action(stage: Stage) -> None:
    account = stage.by_role[Role.ADMIN].account
    for action in Action:
        token = a_token(account.id, f"at_{action.name}", frozenset({action}), stage.house)
        await keep_token(stage.house, token)
        opened = {
            name
            for name, (_, verb) in VERBS.items()
            if name != "accounts.create with a role" and await permitted(verb(stage, by_token(account, token)))
        }
        expected = {name for name, (needed, _) in VERBS.items() if needed is action and action in TOKEN_ACTIONS}
        assert opened == expected, action


async def test_what_is_ones_own_is_read_by_a_token_with_that_action_alone(stage: Stage) -> None:
    account = stage.by_role[Role.ADMIN].account
    for action in Action:
        token = a_token(account.id, f"at_{action.name}", frozenset({action}), stage.house)
        await keep_token(stage.house, token)
        opened = {name for name, verb in READING.items() if await permitted(verb(stage, by_token(account, token)))}
        assert opened == (READING.keys() if action is Action.OWN_READ else set()), action


async def test_no_role_without_a_second_factor_does_anything(stage: Stage) -> None:
    house = stage.house
    admin = await house.person("bare@example.org", role=Role.ADMIN, two_factor=False)
    for name, (_, verb) in VERBS.items():
        with pytest.raises((PolicyForbids, NotAllowed, NotFound)):
            await _answered(name, verb(stage, house.acting(admin.account)))


async def test_a_disabled_administrator_does_nothing(stage: Stage) -> None:
    house = stage.house
    admin = stage.by_role[Role.ADMIN]
    token = a_token(admin.account.id, "at_all", ALL, house)
    await keep_token(house, token)
    await accounts.disable(house.ports, OPERATOR, admin.account.id)
    for actor in (house.acting(admin.account), by_token(admin.account, token)):
        for _, verb in VERBS.values():
            assert not await permitted(verb(stage, actor))


async def test_a_token_that_ended_does_nothing(stage: Stage) -> None:
    house = stage.house
    admin = stage.by_role[Role.ADMIN].account
    over = replace(a_token(admin.id, "at_over", ALL, house), expires_at=house.clock.now() + timedelta(seconds=1))
    revoked = a_token(admin.id, "at_revoked", ALL, house)
    for token in (over, revoked):
        await keep_token(house, token)
    await api_tokens.revoke(house.ports, OPERATOR, revoked.id)
    house.clock.move(seconds=1)
    others = by_token(stage.by_role[None].account, a_token(stage.alice.account.id, "at_over", ALL, house))
    for actor in (by_token(admin, over), by_token(admin, revoked), others):
        for _, verb in VERBS.values():
            assert not await permitted(verb(stage, actor))


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role or "nobody")
@pytest.mark.parametrize("is_token", [False, True], ids=["person", "token"])
async def test_no_role_gets_at_another_persons_secrets(stage: Stage, role: Role | None, *, is_token: bool) -> None:
    """By no path: not a new app password, not a wider one, not a rotated one, not a password, not a token."""
    house, ports, alice = stage.house, stage.house.ports, stage.alice.account
    account = stage.by_role[role].account
    token = a_token(account.id, "at_all", ALL, house)
    await keep_token(house, token)
    actor = by_token(account, token) if is_token else house.acting(account)
    credential = await stage.credential()
    verbs: dict[str, Any] = {
        "issue": app_passwords.issue(ports, actor, alice.id, Wanted("Mine", EVERYTHING)),
        "change": app_passwords.change(ports, actor, credential, description="Mine"),
        "widen": app_passwords.change(ports, actor, credential, scope=EVERYTHING),
        "rotate": rotation.rotate(ports, actor, credential),
        "main password": accounts.set_main_password(ports, actor, alice.id, "otter lamp bicycle eight"),
        "upstream password": upstream_passwords.set_upstream_password(ports, actor, alice.id, "secret"),
        "token": api_tokens.make(
            ports,
            actor,
            alice.id,
            name="Mine",
            actions=frozenset({Action.OWN_MAKE}),
            expires_at=house.clock.now() + timedelta(days=1),
        ),
    }
    for name, verb in verbs.items():
        with pytest.raises(Refused) as caught:
            await verb
        assert isinstance(caught.value, NotAllowed | NotFound), name


async def test_not_even_the_command_line_makes_one_for_a_person(stage: Stage) -> None:
    with pytest.raises(NotAllowed):
        await app_passwords.issue(stage.house.ports, OPERATOR, stage.alice.account.id, Wanted("Mine", EVERYTHING))


async def _answered(name: str, asked: Any) -> None:
    if await asked is False:
        raise NotFound(name)
