"""Saving policy and named networks within a verb's own transaction, and what a proposal to change them holds."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from valetkey.core.errors import Conflict
from valetkey.core.event import NetworksChanged, PolicyChanged
from valetkey.core.network import NamedNetworks, names_that_grow, network_facts, networks_from
from valetkey.core.policy import Policy, changed_fields, policy_facts, policy_from
from valetkey.core.sentence import say
from valetkey.service.ports import Actor, Reader, SiteRules, Writer

_MOVED_ON = say("The rules have changed since this was proposed. Propose it anew.")

Facts = dict[str, Any]


def policy_difference(old: Policy, new: Policy) -> tuple[Facts, Facts]:
    """Give the fields that differ as plain JSON, before and after."""
    before, after, names = policy_facts(old), policy_facts(new), changed_fields(old, new)
    return {name: before[name] for name in names}, {name: after[name] for name in names}


def networks_difference(old: NamedNetworks, new: NamedNetworks) -> tuple[Facts, Facts]:
    """Give the names that differ with their networks, before and after; a name that is missing is not there."""
    before, after = network_facts(old), network_facts(new)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return _only(before, names), _only(after, names)


def _only(facts: Mapping[str, Any], names: set[str]) -> Facts:
    return {name: value for name, value in facts.items() if name in names}


def grows_in_use(reader: Reader, old: NamedNetworks, new: NamedNetworks) -> tuple[str, ...]:
    """Name the networks that get more addresses while an app password or an API token is limited to them."""
    used = reader.network_entries_in_use()
    return tuple(name for name in names_that_grow(old, new) if name in used)


def save_policy_in(writer: Writer, actor: Actor, current: SiteRules, new: Policy, now: datetime) -> None:
    """Save a policy, with its record. The workers then decide again over all live sessions."""
    before, after = policy_difference(current.policy, new)
    writer.set_site_rules(replace(writer.site_rules(), policy=policy_facts(new)))
    writer.record(PolicyChanged(before, after), actor=actor, at=now, account_id=None)


def save_networks_in(writer: Writer, actor: Actor, current: SiteRules, new: NamedNetworks, now: datetime) -> None:
    """Save the named networks, with their record. The workers then decide again over all live sessions."""
    before, after = networks_difference(current.networks, new)
    writer.set_site_rules(replace(writer.site_rules(), networks=network_facts(new)))
    writer.record(NetworksChanged(before, after), actor=actor, at=now, account_id=None)


def apply_proposed_in(writer: Writer, actor: Actor, current: SiteRules, facts: Facts, now: datetime) -> None:
    """Save what a proposal wants, and that alone: what else has changed in the meantime stays.

    Args:
        writer: The transaction.
        actor: Who countersigns.
        current: The rules as they hold now.
        facts: Of the proposal: "policy" or "networks", each with "before" and "after".
        now: The time.

    Raises:
        Conflict: What is to be changed is not any more as it was when it was proposed.
    """
    if "policy" in facts:
        difference = facts["policy"]
        held = policy_facts(current.policy)
        if any(held.get(name) != value for name, value in difference["before"].items()):
            raise Conflict(_MOVED_ON)
        save_policy_in(writer, actor, current, policy_from({**held, **difference["after"]}, current.policy), now)
    if "networks" in facts:
        difference = facts["networks"]
        before, after = difference["before"], difference["after"]
        held = network_facts(current.networks)
        if any(held.get(name) != before.get(name) for name in before.keys() | after.keys()):
            raise Conflict(_MOVED_ON)
        kept = {name: value for name, value in held.items() if name not in before}
        save_networks_in(writer, actor, current, networks_from({**kept, **after}), now)
