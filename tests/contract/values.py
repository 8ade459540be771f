"""Values to store, each unlike the next, with what a test cares about given by name."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword, Proof, SecretFormat
from valetkey.core.event import AccountCreated, Event
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import ALL_PERMISSIONS, MailProtocol, Permission, PermissionMode, Scope
from valetkey.service.ports import Actor, ActorKind, LoginEvent, PortalSession, Totp

NOW = datetime(2026, 3, 4, 5, 6, 7, 891234, tzinfo=UTC)
CLI = Actor(ActorKind.OPERATOR)
MAIL = Scope(
    PermissionMode.REPLACE,
    frozenset({Permission.READ, Permission.SEND}),
    frozenset({MailProtocol.IMAP, MailProtocol.SMTP}),
)
SECOND = timedelta(seconds=1)


def an_account(name: str = "alice", **facts: Any) -> Account:
    given: dict[str, Any] = {
        "id": f"ac_{name}",
        "address": f"{name}@example.org",
        "kind": AccountKind.PERSON,
        "state": AccountState.ACTIVE,
        "rights": ALL_PERMISSIONS,
        "has_second_factor": False,
        "created_at": NOW,
        "changed": 0,
    }
    return Account(**{**given, **facts})


def an_app_password(name: str = "phone", account: str = "alice", **facts: Any) -> AppPassword:
    given: dict[str, Any] = {
        "id": f"ap_{name}",
        "account_id": f"ac_{account}",
        "description": name,
        "format": SecretFormat.DEFAULT,
        "scope": MAIL,
        "restrictions": Restrictions(),
        "created_at": NOW,
        "created_by": f"ac_{account}",
        "created_from": "192.0.2.1",
    }
    return AppPassword(**{**given, **facts})


def index_of(name: str) -> bytes:
    return sha256(name.encode()).digest()[:16]


def proof_of(name: str, key_number: int = 1, slow_hash: str | None = None) -> Proof:
    return Proof(key_number, sha256(f"tag {name}".encode()).digest(), slow_hash)


def a_totp(name: str = "app", account: str = "alice", **facts: Any) -> Totp:
    given: dict[str, Any] = {
        "id": f"to_{name}",
        "account_id": f"ac_{account}",
        "name": name,
        "sealed_seed": b"\x01\x00\x00\x00\x01sealed",
        "last_step": 100,
        "wrong_codes": 0,
        "wrong_at": None,
        "created_at": NOW,
        "last_used_at": None,
    }
    return Totp(**{**given, **facts})


def a_session(name: str = "browser", account: str = "alice", **facts: Any) -> PortalSession:
    given: dict[str, Any] = {
        "id_hash": sha256(name.encode()).digest(),
        "account_id": f"ac_{account}",
        "csrf": f"csrf of {name}",
        "created_at": NOW,
        "seen_at": NOW,
        "proven_at": None,
        "has_second_factor": True,
        "address": "192.0.2.1",
        "client": "Firefox",
    }
    return PortalSession(**{**given, **facts})


def a_login(**facts: Any) -> LoginEvent:
    given: dict[str, Any] = {
        "account_id": "ac_alice",
        "credential_id": "ap_phone",
        "protocol": MailProtocol.IMAP,
        "network": "192.0.2.1",
        "client": "iPhone Mail",
        "result": "allowed",
        "first_at": NOW,
        "last_at": NOW,
    }
    return LoginEvent(**{**given, **facts})


def add_person(writer: Any, name: str = "alice", **facts: Any) -> int:
    """Store an account as the verb does: with its audit event."""
    account = an_account(name, **facts)
    writer.add_account(account)
    event: Event = AccountCreated(account.address, account.kind.value)
    return int(writer.record(event, actor=CLI, at=NOW, account_id=account.id))


def add_secret(writer: Any, name: str = "phone", account: str = "alice", **facts: Any) -> None:
    writer.add_app_password(an_app_password(name, account, **facts), index_of(name), proof_of(name))
