"""What a policy is, which change of it is weaker, and how it is stored."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from valetkey.core.errors import InvalidInput
from valetkey.core.policy import (
    Policy,
    changed_fields,
    check_policy,
    is_lower,
    policy_facts,
    policy_from,
    weaker_fields,
)

DAY = timedelta(days=1)
STRICT = Policy(
    max_app_passwords=5,
    default_lifetime=30 * DAY,
    max_lifetime=60 * DAY,
    default_idle_for=10 * DAY,
    max_idle_for=20 * DAY,
    main_password_opens_mail=False,
    require_tls=True,
    strict_hash=True,
    min_password_length=16,
)
WEAKER: dict[str, tuple[Any, ...]] = {
    "max_app_passwords": (6,),
    "default_lifetime": (31 * DAY, None),
    "max_lifetime": (61 * DAY, None),
    "default_idle_for": (11 * DAY, None),
    "max_idle_for": (21 * DAY, None),
    "main_password_opens_mail": (True,),
    "require_tls": (False,),
    "strict_hash": (False,),
    "min_password_length": (15,),
    "recovery_wait": (timedelta(hours=25),),
    "password_with_code": (True,),
    "password_with_code_for": (timedelta(hours=13),),
}
START: dict[str, Any] = {"recovery_wait": timedelta(hours=72)}


def test_every_field_has_an_example_of_being_weaker() -> None:
    assert {each.name for each in fields(Policy)} <= WEAKER.keys()


@pytest.mark.parametrize("name", [each.name for each in fields(Policy)])
def test_a_weaker_field_makes_a_policy_lower_and_the_way_back_does_not(name: str) -> None:
    old = replace(STRICT, **({name: START[name]} if name in START else {}))
    for value in WEAKER[name]:
        new = replace(old, **{name: value})
        assert is_lower(old, new)
        assert weaker_fields(old, new) == changed_fields(old, new) == (name,)
        assert not is_lower(new, old)
    assert not is_lower(old, old)


def test_one_weaker_field_among_stricter_ones_is_lower() -> None:
    assert is_lower(STRICT, replace(STRICT, min_password_length=20, max_app_passwords=50))


def test_a_policy_survives_its_stored_form() -> None:
    for policy in (STRICT, Policy()):
        assert policy_from(policy_facts(policy), missing=Policy()) == policy


def test_a_field_that_was_not_stored_comes_from_elsewhere() -> None:
    facts = policy_facts(STRICT)
    del facts["strict_hash"]
    assert policy_from(facts, missing=Policy(strict_hash=True)).strict_hash
    assert not policy_from(facts, missing=Policy(strict_hash=False)).strict_hash


@pytest.mark.parametrize(
    "damage",
    [
        {"require_tls": "no"},
        {"require_tls": 0},
        {"max_app_passwords": True},
        {"max_app_passwords": 1.5},
        {"max_lifetime": True},
        {"max_lifetime": -1},
        {"max_lifetime": 1e300},
        {"max_lifetime": "90d"},
        {"min_password_length": None},
        {"anything": 1},
    ],
)
def test_a_damaged_policy_is_not_read(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"field|value"):
        policy_from({**policy_facts(STRICT), **damage}, missing=Policy())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_app_passwords", 0),
        ("max_app_passwords", 10_001),
        ("min_password_length", 7),
        ("min_password_length", 129),
        ("max_lifetime", timedelta(0)),
        ("max_idle_for", timedelta(days=40_000)),
        ("default_lifetime", 61 * DAY),
        ("default_idle_for", 21 * DAY),
    ],
)
def test_a_policy_that_makes_no_sense_is_not_taken(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_policy(replace(STRICT, **{field: value}))
    assert caught.value.field == field
