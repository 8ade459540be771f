"""The API's values as the house's own, so that commands show both alike."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from valetkey.client import models
from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.api_token import ApiToken
from valetkey.core.app_password import AppPassword, LastRefusal, LastUse, SecretFormat
from valetkey.core.limits import Limits, Sent
from valetkey.core.network import networks_from
from valetkey.core.policy import Policy, policy_from
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.role import Action, Role
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.doors.cli.administration import AccountWithNames, AuditLine, Factor
from valetkey.service.closing import AtServer, Closed
from valetkey.service.policy import Origin, ShownRules
from valetkey.service.ports import LiveSession

_FACTORS = {"totp": "authenticator"}
_POLICY = frozenset(models.Policy.__dataclass_fields__)


def account_of(one: models.Account | models.AccountWithNames) -> Account:
    """Read an account. How often it changed is the server's own business."""
    return Account(
        id=one.id,
        address=one.address,
        kind=AccountKind(one.kind),
        state=AccountState(one.state),
        rights=frozenset(map(Permission, one.rights)),
        has_second_factor=one.has_second_factor,
        created_at=one.created_at,
        changed=0,
        role=Role(one.role) if one.role else None,
    )


def with_names(one: models.AccountWithNames, factors: models.SecondFactors) -> AccountWithNames:
    """Read an account with everything around it."""
    return AccountWithNames(
        account=account_of(one),
        aliases=one.aliases,
        owners=tuple(owner.address for owner in one.owners),
        owned=tuple(owned.address for owned in one.owned),
        second_factors=tuple(
            Factor(each.id, _FACTORS.get(each.kind, each.kind), each.name, each.created_at, each.last_used_at)
            for each in factors.items
        ),
        recovery_codes_left=factors.recovery_codes_left,
        has_main_password=one.has_main_password,
        has_upstream_password=one.has_upstream_password,
    )


def closed_of(
    done: models.Closed | models.AppPasswordChanged | models.AppPasswordsRevoked | models.AppPasswordRotated,
) -> Closed:
    """Read what a change has closed."""
    servers = tuple(AtServer(each.server, each.closed) for each in done.servers)
    return Closed(done.closed - sum(each.closed for each in servers), servers, done.not_told)


def app_password_of(one: models.AppPassword) -> AppPassword:
    """Read an app password."""
    use, refusal = one.last_use, one.last_refusal
    return AppPassword(
        id=one.id,
        account_id=one.account_id,
        description=one.description,
        format=SecretFormat(one.format),
        scope=_scope(one.scope),
        restrictions=_restrictions(one.restrictions),
        created_at=one.created_at,
        created_by=one.created_by,
        created_from=one.created_from,
        lapsed_at=one.lapsed_at,
        revoked_at=one.revoked_at,
        revoked_by=one.revoked_by,
        revoked_reason=one.revoked_reason,
        last_use=LastUse(use.at, use.address, MailProtocol(use.protocol), use.client) if use else None,
        last_refusal=LastRefusal(refusal.at, refusal.address, MailProtocol(refusal.protocol), refusal.reason)
        if refusal
        else None,
        rotated_from=one.rotated_from,
    )


def _scope(one: models.Scope) -> Scope:
    return Scope(
        PermissionMode(one.mode),
        frozenset(map(Permission, one.permissions)),
        frozenset(map(MailProtocol, one.protocols)),
    )


def _restrictions(one: models.Restrictions) -> Restrictions:
    return Restrictions(
        expires_at=one.expires_at,
        idle_for=None if one.idle_for is None else timedelta(seconds=one.idle_for),
        network_rule=NetworkRule(one.network_rule),
        allowed_ips=one.allowed_ips,
        pinned_network=ip_network(one.pinned_network) if one.pinned_network else None,
        limits=Limits(**{name: getattr(one.limits, name) for name in Limits.__dataclass_fields__}),
    )


def wanted_restrictions(wanted: Restrictions) -> models.RestrictionsWanted:
    """Write restrictions of a new app password as the API takes them."""
    return models.RestrictionsWanted(**_values(wanted), limits=models.LimitsWanted(**_limits(wanted.limits)))


def changed_restrictions(wanted: Restrictions) -> models.RestrictionsChange:
    """Write all restrictions of an app password after a change, so that the API lifts what is none of them."""
    return models.RestrictionsChange(**_values(wanted), limits=models.LimitsChange(**_limits(wanted.limits)))


def _values(wanted: Restrictions) -> dict[str, Any]:
    return {
        "expires_at": wanted.expires_at,
        "idle_for": None if wanted.idle_for is None else int(wanted.idle_for.total_seconds()),
        "network_rule": wanted.network_rule.value,
        "allowed_ips": wanted.allowed_ips,
    }


def _limits(wanted: Limits) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in Limits.__dataclass_fields__}


def sent_of(one: models.Sent) -> Sent:
    """Read what was sent on a day."""
    return Sent(one.messages, one.recipients)


def session_of(one: models.OpenConnection) -> LiveSession:
    """Read an open mail connection. Which worker holds it is the server's own business."""
    return LiveSession(
        id=one.id,
        account_id=one.account_id,
        credential_id=one.app_password_id,
        protocol=MailProtocol(one.protocol),
        address=one.address,
        client=one.client,
        opened_at=one.opened_at,
        worker="",
    )


def line_of(one: models.Audit) -> AuditLine:
    """Read a record of the audit log."""
    return AuditLine(
        one.number,
        one.at,
        one.actor,
        one.actor_address,
        one.account_id,
        one.credential_id,
        one.kind,
        one.facts,
        one.said,
        bytes.fromhex(one.hash),
    )


def rules_of(policy: models.PolicyRead, networks: models.NetworksRead) -> ShownRules:
    """Read policy and networks."""
    return ShownRules(
        policy=policy_of(policy),
        networks=networks_from(networks.networks),
        policy_from=Origin(policy.comes_from),
        networks_from=Origin(networks.comes_from),
    )


def policy_of(policy: models.PolicyRead) -> Policy:
    """Read a policy."""
    return policy_from({name: getattr(policy, name) for name in _POLICY}, Policy())


def token_of(one: models.Token) -> ApiToken:
    """Read an API token. Who made it, and from where, the API does not tell."""
    return ApiToken(
        id=one.id,
        account_id=one.account_id,
        name=one.name,
        actions=frozenset(map(Action, one.actions)),
        allowed_ips=one.allowed_ips,
        created_at=one.created_at,
        created_by="",
        created_from="",
        expires_at=one.expires_at,
        last_used_at=one.last_used_at,
        last_used_address=one.last_used_address,
        revoked_at=one.revoked_at,
    )
