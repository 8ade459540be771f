"""App passwords in the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, select, update

from valetkey.adapters.store.rows import (
    APP_PASSWORD_COLUMNS,
    app_password_from,
    app_password_values,
    micros,
    proof_values,
    restriction_values,
    scope_values,
)
from valetkey.adapters.store.schema import app_password
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.app_password import AppPassword, Proof
from valetkey.core.network import Network
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import Scope

_WHAT = "app password"
_IS_LIVE = and_(app_password.c.revoked_at.is_(None), app_password.c.lapsed_at.is_(None))


class AppPasswordReader(Transaction):
    """What can be read of app passwords."""

    def app_password(self, credential_id: str) -> AppPassword | None:
        """Find an app password by its public id."""
        row = self._row(select(*APP_PASSWORD_COLUMNS).where(app_password.c.id == credential_id))
        return None if row is None else app_password_from(row)

    def app_passwords(self, account_id: str, *, live_only: bool = False) -> tuple[AppPassword, ...]:
        """List the app passwords of an account, newest first, revoked ones too unless `live_only`."""
        statement = select(*APP_PASSWORD_COLUMNS).where(app_password.c.account_id == account_id)
        if live_only:
            statement = statement.where(_IS_LIVE)
        return self._app_passwords(statement.order_by(app_password.c.created_at.desc(), app_password.c.id))

    def live_app_password_count(self, account_id: str) -> int:
        """Count the app passwords of an account that are neither revoked nor lapsed."""
        statement = select(func.count()).where(app_password.c.account_id == account_id, _IS_LIVE)
        return int(self._value(statement))

    def to_lapse(self, now: datetime, limit: int = 500) -> tuple[AppPassword, ...]:
        """List live app passwords whose time is over, the longest over first."""
        statement = select(*APP_PASSWORD_COLUMNS).where(app_password.c.expires_at <= micros(now), _IS_LIVE)
        return self._app_passwords(statement.order_by(app_password.c.expires_at).limit(limit))

    def key_usage(self) -> dict[int, int]:
        """Count live app passwords by the number of the key that they are kept under."""
        statement = select(app_password.c.key_number, func.count()).where(_IS_LIVE)
        return {row[0]: row[1] for row in self._rows(statement.group_by(app_password.c.key_number))}

    def _app_passwords(self, statement: Select[Any]) -> tuple[AppPassword, ...]:
        return tuple(app_password_from(row) for row in self._rows(statement))


class AppPasswordWriter(AppPasswordReader):
    """What can be changed of app passwords."""

    def add_app_password(self, value: AppPassword, index: bytes, proof: Proof) -> None:
        """Store a new app password.

        Raises:
            Conflict: Its id or its secret exists already.
        """
        self._affected(insert(app_password).values({**app_password_values(value), **proof_values(index, proof)}))

    def set_proof(self, credential_id: str, index: bytes, proof: Proof) -> None:
        """Keep a secret under another key. Does nothing to a revoked one, whose digest stays erased."""
        statement = update(app_password).where(app_password.c.id == credential_id, app_password.c.revoked_at.is_(None))
        self._affected(statement.values(proof_values(index, proof)))

    def set_app_password(
        self, credential_id: str, *, description: str, scope: Scope, restrictions: Restrictions
    ) -> None:
        """Set what an app password is called and what it may do.

        Raises:
            NotFound: There is no such app password, or it is revoked.
        """
        values = {"description": description, **scope_values(scope), **restriction_values(restrictions)}
        statement = update(app_password).where(app_password.c.id == credential_id, app_password.c.revoked_at.is_(None))
        self._change_one(statement.values(values), _WHAT)

    def pin_network(self, credential_id: str, network: Network) -> bool:
        """Bind to the network of the first login, by compare-and-set; False if it is bound, or not to be."""
        statement = update(app_password).where(
            app_password.c.id == credential_id,
            app_password.c.network_rule == NetworkRule.PINNED.value,
            app_password.c.pinned_network.is_(None),
        )
        return self._affected(statement.values(pinned_network=str(network))) == 1

    def set_lapsed(self, credential_id: str, at: datetime) -> None:
        """Keep that an app password was seen expired; the first time stands."""
        statement = update(app_password).where(app_password.c.id == credential_id, app_password.c.lapsed_at.is_(None))
        self._affected(statement.values(lapsed_at=micros(at)))

    def set_revoked(self, credential_id: str, *, at: datetime, by: str, reason: str) -> bool:
        """Revoke, and erase all that is kept of the secret; False if it was revoked before."""
        statement = update(app_password).where(app_password.c.id == credential_id, app_password.c.revoked_at.is_(None))
        erased = {"secret_index": None, "tag": None, "key_number": None, "slow_hash": None}
        values = {"revoked_at": micros(at), "revoked_by": by, "revoked_reason": reason, **erased}
        return self._affected(statement.values(values)) == 1
