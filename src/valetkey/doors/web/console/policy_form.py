"""The policy as a form: text for each field, and back."""

import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from valetkey.core.errors import InvalidInput
from valetkey.core.policy import Policy, check_policy
from valetkey.doors.web.forms import Form

TICKS = frozenset({"main_password_opens_mail", "require_tls", "strict_hash", "password_with_code"})
_NEEDED = frozenset({"recovery_wait", "password_with_code_for"})  # durations that cannot be empty
_UNITS = {
    "default_lifetime": timedelta(days=1),
    "max_lifetime": timedelta(days=1),
    "default_idle_for": timedelta(days=1),
    "max_idle_for": timedelta(days=1),
    "recovery_wait": timedelta(hours=1),
    "password_with_code_for": timedelta(hours=1),
}
_MAX_TYPED = 12  # characters; no value is longer
FIELDS = tuple(each.name for each in fields(Policy))


def typed_policy(policy: Policy) -> dict[str, str]:
    """Give the text of each field; "" is none, and "1" a tick."""
    return {name: _text(name, getattr(policy, name)) for name in FIELDS}


def posted_policy(form: Form) -> dict[str, str]:
    """Give the text of each field as it was sent."""
    return {name: form.one(name, 200)[: _MAX_TYPED + 1].strip() for name in FIELDS}


def read_policy(typed: Mapping[str, str], old: Policy) -> Policy:
    """Read the fields of the form.

    Args:
        typed: The text of each field.
        old: The policy that the form showed; what was not touched stays exactly as it was.

    Raises:
        InvalidInput: A value that cannot be; `field` names it.
    """
    untouched = typed_policy(old)
    wanted = {
        name: getattr(old, name) if typed[name] == untouched[name] else _value(name, typed[name]) for name in FIELDS
    }
    return check_policy(Policy(**wanted))


def _text(name: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    number = value / _UNITS[name] if name in _UNITS else value
    return f"{number:g}" if number < 1e6 else str(int(number))  # noqa: PLR2004  (beyond, %g writes exponents)


def _value(name: str, text: str) -> Any:
    if name in TICKS:
        return bool(text)
    if name in _UNITS:
        if not text and name not in _NEEDED:
            return None
        return _UNITS[name] * _number(name, text)
    number = _number(name, text)
    if not number.is_integer():
        raise InvalidInput(name, "Write a whole number.")
    return int(number)


def _number(name: str, text: str) -> float:
    try:
        number = float(text.replace(",", ".")) if text.isascii() and len(text) <= _MAX_TYPED else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or not 0 < number < 1e6:  # noqa: PLR2004  (no value is larger; policy checks the rest)
        raise InvalidInput(name, "Write a number above zero.")
    return number
