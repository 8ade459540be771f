"""How commands show an app password: for people and as JSON."""

from typing import Any

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.limit_sentences import describe_limits, sent_words
from valetkey.core.limits import Sent, limit_facts
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import describe
from valetkey.doors.cli.output import when


def state(app_password: AppPassword) -> str:
    """Say how an app password stands."""
    if app_password.revoked_at is not None:
        return "revoked"
    return "expired" if app_password.lapsed_at is not None else "in use"


def last_use(app_password: AppPassword) -> tuple[str, str]:
    """Say when it was used last, and from where."""
    use = app_password.last_use
    return (when(use.at), f"{use.address} {use.protocol}") if use else ("never", "")


def expiry(app_password: AppPassword) -> str:
    """Say when it expires."""
    return when(app_password.restrictions.expires_at)


def facts(app_password: AppPassword) -> dict[str, Any]:
    """Give it as JSON."""
    use, refusal, held = app_password.last_use, app_password.last_refusal, app_password.restrictions
    return {
        "id": app_password.id,
        "account_id": app_password.account_id,
        "description": app_password.description,
        "state": state(app_password).replace(" ", "-"),
        "format": app_password.format,
        "mode": app_password.scope.mode,
        "permissions": app_password.scope.permissions,
        "protocols": app_password.scope.protocols,
        "expires_at": held.expires_at,
        "idle_seconds": int(held.idle_for.total_seconds()) if held.idle_for else None,
        "network_rule": held.network_rule,
        "allowed_ips": held.allowed_ips,
        "pinned_network": str(held.pinned_network) if held.pinned_network else None,
        "limits": limit_facts(held.limits),
        "created_at": app_password.created_at,
        "created_by": app_password.created_by,
        "rotated_from": app_password.rotated_from,
        "lapsed_at": app_password.lapsed_at,
        "revoked_at": app_password.revoked_at,
        "revoked_by": app_password.revoked_by,
        "revoked_reason": app_password.revoked_reason,
        "last_use": {"at": use.at, "from": use.address, "protocol": use.protocol, "client": use.client} if use else None,
        "last_refusal": {
            "at": refusal.at, "from": refusal.address, "protocol": refusal.protocol, "reason": refusal.reason
        } if refusal else None,
    }  # fmt: skip


def words(app_password: AppPassword, account: Account, sent: Sent) -> dict[str, str]:
    """Give it, and what it has sent today, as named facts for a person."""
    can, cannot = describe(app_password.scope, account.rights)
    held, refusal = app_password.restrictions, app_password.last_refusal
    within = describe_limits(held.limits, app_password.scope, account.rights)
    today = sent_words(held.limits, sent)
    maker = account.address if app_password.created_by == account.id else app_password.created_by
    networks = {
        NetworkRule.ANYWHERE: "anywhere",
        NetworkRule.ALLOWED: ", ".join(held.allowed_ips),
        NetworkRule.PINNED: str(held.pinned_network or "the network of the first login"),
    }
    return {
        "Name": app_password.description,
        "Id": app_password.id,
        "Account": account.address,
        "State": state(app_password),
        "Protocols": ", ".join(sorted(app_password.scope.protocols)) or "none",
        "Can": ", ".join(map(str, can)) or "nothing",
        "Cannot": ", ".join(map(str, cannot)) or "–",
        "Limits": " ".join(map(str, within)) or "none",
        **({"Sent today": ", ".join(map(str, today))} if today else {}),
        "From": networks[held.network_rule],
        "Expires": when(held.expires_at),
        "Created": f"{when(app_password.created_at)} by {maker}",
        "Last used": " from ".join(last_use(app_password)) if app_password.last_use else "never",
        "Last refused": f"{when(refusal.at)} from {refusal.address}: {refusal.reason}" if refusal else "never",
        "Revoked": f"{when(app_password.revoked_at)} ({app_password.revoked_reason or 'no reason given'})"
        if app_password.revoked_at
        else "no",
    }
