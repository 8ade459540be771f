"""Between rows and values: how times, sets, scopes and restrictions lie in columns."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select

from valetkey.adapters.store.schema import account, app_password, passkey, totp
from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword, LastRefusal, LastUse, Proof, SecretFormat
from valetkey.core.limits import NO_LIMITS, Limits
from valetkey.core.network import Network
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# The columns that `account_from` and `app_password_from` read, in their order.
ACCOUNT_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *account.c,
    or_(
        exists(select(1).where(totp.c.account_id == account.c.id)),
        exists(select(1).where(passkey.c.account_id == account.c.id)),
    ).label("has_second_factor"),
)
APP_PASSWORD_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(app_password.c)[:-4]  # without what proves the secret
PROOF_COLUMNS: tuple[ColumnElement[Any], ...] = (
    app_password.c.key_number,
    app_password.c.tag,
    app_password.c.slow_hash,
)


def micros(at: datetime) -> int:
    """Give a moment as microseconds since 1970 UTC.

    Raises:
        TypeError: The moment has no time zone.
    """
    return (at - _EPOCH) // _MICROSECOND


def micros_or_none(at: datetime | None) -> int | None:
    """Give a moment, or its absence, as it is stored."""
    return None if at is None else micros(at)


def moment(stored: int) -> datetime:
    """Give the moment of a stored time, aware, UTC."""
    return _EPOCH + timedelta(microseconds=stored)


def moment_or_none(stored: int | None) -> datetime | None:
    """Give the moment of a stored time, or its absence."""
    return None if stored is None else _EPOCH + timedelta(microseconds=stored)


def words(values: Iterable[StrEnum]) -> str:
    """Give a set as it is stored: its words in order, one space between."""
    return " ".join(sorted(values))


@lru_cache(maxsize=256)
def _permissions(stored: str) -> frozenset[Permission]:
    return frozenset(Permission(word) for word in stored.split())


@lru_cache(maxsize=64)
def _protocols(stored: str) -> frozenset[MailProtocol]:
    return frozenset(MailProtocol(word) for word in stored.split())


@lru_cache(maxsize=1024)
def _entries(stored: str) -> tuple[str, ...]:
    return tuple(str(entry) for entry in json.loads(stored))


@lru_cache(maxsize=1024)
def _network(stored: str) -> Network:
    return ip_network(stored)


@lru_cache(maxsize=1024)
def _scope(mode: str, permissions: str, protocols: str) -> Scope:
    return Scope(PermissionMode(mode), _permissions(permissions), _protocols(protocols))


@lru_cache(maxsize=1024)
def _restrictions(
    expires_at: int | None, idle_for: int | None, rule: str, allowed_ips: str, pinned: str | None, *limits: Any
) -> Restrictions:
    return Restrictions(
        moment_or_none(expires_at),
        None if idle_for is None else timedelta(microseconds=idle_for),
        NetworkRule(rule),
        _entries(allowed_ips),
        None if pinned is None else _network(pinned),
        _limits(*limits),
    )


@lru_cache(maxsize=1024)
def _limits(folders: str, senders: str, recipients: str, *counts: int | None) -> Limits:
    found = Limits(_entries(folders), _entries(senders), _entries(recipients), *counts)
    return NO_LIMITS if found == NO_LIMITS else found


def account_from(row: Sequence[Any]) -> Account:
    """Read an account from the values of `ACCOUNT_COLUMNS`."""
    return _account(*row)


@lru_cache(maxsize=4096)  # the same row is the same account: nothing here can go stale
def _account(*row: Any) -> Account:
    id_, address, kind, state, rights, role, created_at, changed, has_second_factor = row
    return Account(
        id_,
        address,
        AccountKind(kind),
        AccountState(state),
        _permissions(rights),
        bool(has_second_factor),
        moment(created_at),
        changed,
        None if role is None else Role(role),
    )


def account_values(value: Account) -> dict[str, Any]:
    """Give the columns of an account."""
    return {
        "id": value.id,
        "address": value.address,
        "kind": value.kind.value,
        "state": value.state.value,
        "rights": words(value.rights),
        "role": None if value.role is None else value.role.value,
        "created_at": micros(value.created_at),
        "changed": value.changed,
    }


def app_password_from(row: Sequence[Any]) -> AppPassword:
    """Read an app password from the values of `APP_PASSWORD_COLUMNS`."""
    return AppPassword(
        row[0],
        row[1],
        row[2],
        SecretFormat(row[3]),
        _scope(row[4], row[5], row[6]),
        _restrictions(row[7], row[8], row[9], row[10], row[11], *row[28:34]),
        moment(row[12]),
        row[13],
        row[14],
        moment_or_none(row[15]),
        moment_or_none(row[16]),
        row[17],
        row[18],
        None if row[19] is None else LastUse(moment(row[19]), row[20], MailProtocol(row[21]), row[22]),
        None if row[23] is None else LastRefusal(moment(row[23]), row[24], MailProtocol(row[25]), row[26]),
        row[27],
    )


def proof_from(row: Sequence[Any]) -> Proof:
    """Read a proof from the values of `PROOF_COLUMNS`."""
    return Proof(row[0], row[1], row[2])


def scope_values(scope: Scope) -> dict[str, Any]:
    """Give the columns of a scope."""
    return {
        "permission_mode": scope.mode.value,
        "permissions": words(scope.permissions),
        "protocols": words(scope.protocols),
    }


def restriction_values(restrictions: Restrictions) -> dict[str, Any]:
    """Give the columns of restrictions."""
    idle_for, pinned = restrictions.idle_for, restrictions.pinned_network
    return {
        "expires_at": micros_or_none(restrictions.expires_at),
        "idle_for": None if idle_for is None else idle_for // _MICROSECOND,
        "network_rule": restrictions.network_rule.value,
        "allowed_ips": json.dumps(restrictions.allowed_ips),
        "pinned_network": None if pinned is None else str(pinned),
        **_limit_values(restrictions.limits),
    }


def _limit_values(limits: Limits) -> dict[str, Any]:
    return {
        "folders": json.dumps(limits.folders),
        "senders": json.dumps(limits.senders),
        "recipients": json.dumps(limits.recipients),
        "messages_per_day": limits.messages_per_day,
        "recipients_per_day": limits.recipients_per_day,
        "recipients_per_message": limits.recipients_per_message,
    }


def app_password_values(value: AppPassword) -> dict[str, Any]:
    """Give the columns of a new app password, without what proves its secret and without what happens to it later."""
    return {
        "id": value.id,
        "account_id": value.account_id,
        "description": value.description,
        "format": value.format.value,
        **scope_values(value.scope),
        **restriction_values(value.restrictions),
        "created_at": micros(value.created_at),
        "created_by": value.created_by,
        "created_from": value.created_from,
        "rotated_from": value.rotated_from,
    }


def proof_values(index: bytes, proof: Proof) -> dict[str, Any]:
    """Give the columns of what proves a secret."""
    return {
        "secret_index": index,
        "tag": proof.tag,
        "key_number": proof.key_number,
        "slow_hash": proof.slow_hash,
    }
