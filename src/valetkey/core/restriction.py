"""From where, until when, and how long unused: what narrows a credential beside its scope."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from valetkey.core.errors import InvalidInput, PolicyForbids
from valetkey.core.network import Address, NamedNetworks, Network, contains
from valetkey.core.policy import Policy


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


def check_restrictions(
    wanted: Restrictions, policy: Policy, named: NamedNetworks, *, created_at: datetime, now: datetime
) -> Restrictions:
    """Hold wanted restrictions against the policy and give them as they are stored.

    Raises:
        InvalidInput: A date in the past, an unusable network list.
        PolicyForbids: Longer than the policy permits.
    """
    _check_expiry(wanted.expires_at, policy, created_at, now)
    _check_idle(wanted.idle_for, policy)
    if wanted.network_rule is NetworkRule.ALLOWED and not wanted.allowed_ips:
        raise InvalidInput("allowed_ips", "Name at least one address or network, or allow any network.")
    entries = named.check_entries(wanted.allowed_ips) if wanted.network_rule is NetworkRule.ALLOWED else ()
    return Restrictions(wanted.expires_at, wanted.idle_for, wanted.network_rule, entries, wanted.pinned_network)


def _check_expiry(expires_at: datetime | None, policy: Policy, created_at: datetime, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at", "Choose a date in the future.")
    ceiling = policy.max_lifetime
    if ceiling is not None and (expires_at is None or expires_at > created_at + ceiling):
        raise PolicyForbids(f"An app password may live {ceiling.days} days at most here. Choose an earlier date.")


def _check_idle(idle_for: timedelta | None, policy: Policy) -> None:
    if idle_for is not None and idle_for <= timedelta(0):
        raise InvalidInput("idle_for", "Choose a number of days above zero.")
    ceiling = policy.max_idle_for
    if ceiling is not None and (idle_for is None or idle_for > ceiling):
        raise PolicyForbids(f"An app password may stay unused for {ceiling.days} days at most here.")
