"""From where, until when, how long unused, and how much: what narrows a credential beside its scope."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from valetkey.core.errors import InvalidInput, PolicyForbids
from valetkey.core.limits import NO_LIMITS, Limits, check_limits, limits_within
from valetkey.core.network import Address, NamedNetworks, Network, contains, lies_in
from valetkey.core.policy import Policy
from valetkey.core.sentence import counted

_Limit = TypeVar("_Limit", datetime, timedelta)


class NetworkRule(StrEnum):
    """From where a credential may be used."""

    ANYWHERE = "anywhere"
    ALLOWED = "allowed"  # only the listed addresses and networks
    PINNED = "pinned"  # only the network of the first login


@dataclass(frozen=True, slots=True)
class Restrictions:
    """The restrictions of one credential."""

    expires_at: datetime | None = None
    idle_for: timedelta | None = None
    network_rule: NetworkRule = NetworkRule.ANYWHERE
    allowed_ips: tuple[str, ...] = ()  # canonical networks and names of named networks
    pinned_network: Network | None = None
    limits: Limits = NO_LIMITS


def network_permits(restrictions: Restrictions, address: Address | None, named: NamedNetworks) -> bool:
    """Tell whether a login may come from this address; an unknown address fails every network rule."""
    match restrictions.network_rule:
        case NetworkRule.ANYWHERE:
            return True
        case NetworkRule.ALLOWED:
            return contains(named.resolve(restrictions.allowed_ips), address)
        case NetworkRule.PINNED:
            pinned = restrictions.pinned_network
            return address is not None and (pinned is None or address in pinned)


def default_restrictions(policy: Policy, now: datetime) -> Restrictions:
    """Give the restrictions of an app password for which nothing was chosen."""
    lifetime = policy.default_lifetime or policy.max_lifetime
    return Restrictions(
        expires_at=now + lifetime if lifetime is not None else None,
        idle_for=policy.default_idle_for or policy.max_idle_for,
    )


def renewed_restrictions(old: Restrictions, policy: Policy, *, created_at: datetime, now: datetime) -> Restrictions:
    """Give the restrictions of an app password that takes another's place: as long a life again, the rest as it was.

    Where the policy has become stricter since, its ceilings stand in the place of what was longer.

    Args:
        old: The other's.
        policy: The site's.
        created_at: When the other was made.
        now: The time.
    """
    lifetime = old.expires_at - created_at if old.expires_at is not None else None
    lifetime = _lower(lifetime, policy.max_lifetime)
    return replace(
        old,
        expires_at=now + lifetime if lifetime is not None else None,
        idle_for=_lower(old.idle_for, policy.max_idle_for),
    )


def _lower(value: timedelta | None, ceiling: timedelta | None) -> timedelta | None:
    return ceiling if value is None else value if ceiling is None else min(value, ceiling)


def is_within(new: Restrictions, old: Restrictions, named: NamedNetworks) -> bool:
    """Tell whether new restrictions surely never permit a login that the old ones refuse."""
    return (
        _is_not_more(new.expires_at, old.expires_at)
        and _is_not_more(new.idle_for, old.idle_for)
        and _network_is_within(new, old, named)
        and limits_within(new.limits, old.limits)
    )


def _is_not_more(new: _Limit | None, old: _Limit | None) -> bool:
    if old is None or new is None:
        return old is None
    return new <= old


def _network_is_within(new: Restrictions, old: Restrictions, named: NamedNetworks) -> bool:
    match old.network_rule:
        case NetworkRule.ANYWHERE:
            return True
        case NetworkRule.PINNED:
            return new.network_rule is NetworkRule.PINNED and (
                old.pinned_network is None or new.pinned_network == old.pinned_network
            )
        case NetworkRule.ALLOWED:
            return new.network_rule is NetworkRule.ALLOWED and all(
                _entry_is_within(entry, old.allowed_ips, named) for entry in new.allowed_ips
            )


def _entry_is_within(entry: str, old: tuple[str, ...], named: NamedNetworks) -> bool:
    if entry in old:
        return True
    if entry in named.by_name:
        return False  # what a name means may grow later
    inner = named.resolve((entry,))
    outer = named.resolve(old)
    return all(any(lies_in(a, b) for b in outer) for a in inner)


def check_restrictions(
    wanted: Restrictions, policy: Policy, named: NamedNetworks, *, created_at: datetime, now: datetime
) -> Restrictions:
    """Hold wanted restrictions against the policy and give them as they are stored.

    Raises:
        InvalidInput: A date in the past, an unusable network list or limit.
        PolicyForbids: Longer than the policy permits.
    """
    _check_expiry(wanted.expires_at, policy, created_at, now)
    _check_idle(wanted.idle_for, policy)
    if wanted.network_rule is NetworkRule.ALLOWED and not wanted.allowed_ips:
        raise InvalidInput("allowed_ips", "Name at least one address or network, or allow any network.")
    entries = named.check_entries(wanted.allowed_ips) if wanted.network_rule is NetworkRule.ALLOWED else ()
    return replace(wanted, allowed_ips=entries, limits=check_limits(wanted.limits))


def _check_expiry(expires_at: datetime | None, policy: Policy, created_at: datetime, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at", "Choose a date in the future.")
    ceiling = policy.max_lifetime
    if ceiling is not None and (expires_at is None or expires_at > created_at + ceiling):
        raise PolicyForbids(
            counted(
                "An app password may live {number} day at most here. Choose an earlier date.",
                "An app password may live {number} days at most here. Choose an earlier date.",
                ceiling.days,
            )
        )


def _check_idle(idle_for: timedelta | None, policy: Policy) -> None:
    if idle_for is not None and idle_for <= timedelta(0):
        raise InvalidInput("idle_for", "Choose a number of days above zero.")
    ceiling = policy.max_idle_for
    if ceiling is not None and (idle_for is None or idle_for > ceiling):
        raise PolicyForbids(
            counted(
                "An app password may stay unused for {number} day at most here.",
                "An app password may stay unused for {number} days at most here.",
                ceiling.days,
            )
        )
