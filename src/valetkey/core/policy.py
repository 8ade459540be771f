"""What the administrator permits: defaults and ceilings for app passwords."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from valetkey.core.errors import InvalidInput

_MAX_APP_PASSWORDS = 10_000
_MIN_PASSWORD_LENGTHS = range(8, 129)
_LONGEST = timedelta(days=36_500)
LEAST_RECOVERY_WAIT = timedelta(hours=24)  # long enough that a notice is read
MOST_RECOVERY_WAIT = timedelta(days=30)
LEAST_CODE_FOR = timedelta(minutes=1)
MOST_CODE_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's policy; None means no ceiling or no default."""

    max_app_passwords: int = 50  # live ones, per account
    default_lifetime: timedelta | None = None
    max_lifetime: timedelta | None = None
    default_idle_for: timedelta | None = None
    max_idle_for: timedelta | None = None
    main_password_opens_mail: bool = False  # only until the account has a second factor
    require_tls: bool = True
    strict_hash: bool = False  # Argon2id behind the keyed index, docs/decisions
    min_password_length: int = 12
    recovery_wait: timedelta = LEAST_RECOVERY_WAIT * 3  # between both proofs and the end of the second factors
    password_with_code: bool = False  # main password and one-time code in one field, at `core.login.DOORS_WITH_CODE`
    password_with_code_for: timedelta = timedelta(hours=12)  # how long the same text passes again from the same place


def _is_more(old: Any, new: Any) -> bool:
    """Tell whether a ceiling or a default permits more; none at all permits most."""
    return old is not None and (new is None or new > old)


def _is_less(old: Any, new: Any) -> bool:
    return bool(new < old)


# How a field's new value is weaker than its old one. A field that is not here is weaker with each change.
_IS_WEAKER: Mapping[str, Callable[[Any, Any], bool]] = {
    "max_app_passwords": _is_more,
    "default_lifetime": _is_more,
    "max_lifetime": _is_more,
    "default_idle_for": _is_more,
    "max_idle_for": _is_more,
    "main_password_opens_mail": _is_more,
    "require_tls": _is_less,
    "strict_hash": _is_less,
    "min_password_length": _is_less,
    "recovery_wait": _is_less,
    "password_with_code": _is_more,
    "password_with_code_for": _is_more,
}


def weaker_fields(old: Policy, new: Policy) -> tuple[str, ...]:
    """Name the fields in which a new policy permits something that the old one does not."""
    return tuple(name for name in changed_fields(old, new) if _is_weaker(name, old, new))


def is_lower(old: Policy, new: Policy) -> bool:
    """Tell whether a new policy is weaker than the old one in any field; then it takes two administrators."""
    return bool(weaker_fields(old, new))


def changed_fields(old: Policy, new: Policy) -> tuple[str, ...]:
    """Name the fields in which two policies differ, in their order."""
    return tuple(each.name for each in fields(Policy) if getattr(old, each.name) != getattr(new, each.name))


def _is_weaker(name: str, old: Policy, new: Policy) -> bool:
    rule = _IS_WEAKER.get(name)
    return rule is None or rule(getattr(old, name), getattr(new, name))


def check_policy(policy: Policy) -> Policy:
    """Give a wanted policy back if it makes sense.

    Raises:
        InvalidInput: A value is out of its bounds, or a default is above its ceiling; `field` names it.
    """
    if not 1 <= policy.max_app_passwords <= _MAX_APP_PASSWORDS:
        raise InvalidInput("max_app_passwords", "Choose a number between 1 and {most}.", most=_MAX_APP_PASSWORDS)
    if policy.min_password_length not in _MIN_PASSWORD_LENGTHS:
        least, most = _MIN_PASSWORD_LENGTHS[0], _MIN_PASSWORD_LENGTHS[-1]
        raise InvalidInput("min_password_length", "Choose a number between {least} and {most}.", least=least, most=most)
    for name in ("default_lifetime", "max_lifetime", "default_idle_for", "max_idle_for"):
        _check_duration(name, getattr(policy, name))
    if not LEAST_RECOVERY_WAIT <= policy.recovery_wait <= MOST_RECOVERY_WAIT:
        raise InvalidInput("recovery_wait", "Choose a waiting time between 24 hours and 30 days.")
    if not LEAST_CODE_FOR <= policy.password_with_code_for <= MOST_CODE_FOR:
        raise InvalidInput("password_with_code_for", "Choose a time between one minute and 30 days.")
    _check_default("default_lifetime", policy.default_lifetime, policy.max_lifetime)
    _check_default("default_idle_for", policy.default_idle_for, policy.max_idle_for)
    return policy


def _check_duration(name: str, value: timedelta | None) -> None:
    if value is not None and not timedelta(0) < value <= _LONGEST:
        raise InvalidInput(name, "Choose a number of days above zero, and 100 years at most.")


def _check_default(name: str, default: timedelta | None, ceiling: timedelta | None) -> None:
    if default is not None and ceiling is not None and default > ceiling:
        raise InvalidInput(name, "The default cannot be longer than the longest that is permitted.")


def policy_facts(policy: Policy) -> dict[str, Any]:
    """Give a policy as plain JSON, durations in seconds."""
    return {each.name: _plain(getattr(policy, each.name)) for each in fields(Policy)}


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def policy_from(facts: Mapping[str, Any], missing: Policy) -> Policy:
    """Read a policy as `policy_facts` gives it.

    Args:
        facts: The values by field, durations in seconds.
        missing: Where values come from that are not in `facts`.

    Raises:
        ValueError: A field that there is not, or a value of another kind.
        InvalidInput: A value that `check_policy` does not take.
    """
    unknown = set(facts) - {each.name for each in fields(Policy)}
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    given = {name: _read(name, value) for name, value in facts.items()}
    rest = {each.name: getattr(missing, each.name) for each in fields(Policy) if each.name not in given}
    return check_policy(Policy(**given, **rest))


def _read(name: str, value: Any) -> Any:
    kind = next(each.type for each in fields(Policy) if each.name == name)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == timedelta | None and value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in {timedelta, timedelta | None} and is_number and 0 < value <= _LONGEST.total_seconds():
        return timedelta(seconds=value)
    raise ValueError(f"{name} is not such a value")
