"""Passkeys in the store, and the challenges that were answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from valetkey.adapters.store.rows import micros, micros_or_none, moment, moment_or_none
from valetkey.adapters.store.schema import passkey, spent_challenge
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.errors import Conflict
from valetkey.core.passkey import Passkey


def _passkey_from(row: Any) -> Passkey:
    return Passkey(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        credential_id=row.credential_id,
        public_key=row.public_key,
        sign_count=row.sign_count,
        transports=tuple(row.transports.split()),
        is_synced=bool(row.is_synced),
        created_at=moment(row.created_at),
        last_used_at=moment_or_none(row.last_used_at),
    )


class PasskeyReader(Transaction):
    """What can be read of passkeys."""

    def passkeys(self, account_id: str) -> tuple[Passkey, ...]:
        """List the passkeys of an account, oldest first."""
        statement = select(passkey).where(passkey.c.account_id == account_id)
        return tuple(_passkey_from(row) for row in self._rows(statement.order_by(passkey.c.created_at, passkey.c.id)))

    def passkey_by_credential(self, credential_id: bytes) -> Passkey | None:
        """Find a passkey by its credential id."""
        row = self._row(select(passkey).where(passkey.c.credential_id == credential_id))
        return None if row is None else _passkey_from(row)


class PasskeyWriter(PasskeyReader):
    """What can be changed of passkeys."""

    def add_passkey(self, value: Passkey) -> None:
        """Store a new passkey.

        Raises:
            Conflict: The credential is known, whosever it is.
        """
        if self.passkey_by_credential(value.credential_id) is not None:
            raise Conflict("This passkey is set up already.")
        self._affected(
            insert(passkey).values(
                id=value.id,
                account_id=value.account_id,
                name=value.name,
                credential_id=value.credential_id,
                public_key=value.public_key,
                sign_count=value.sign_count,
                transports=" ".join(value.transports),
                is_synced=int(value.is_synced),
                created_at=micros(value.created_at),
                last_used_at=micros_or_none(value.last_used_at),
            )
        )

    def remove_passkey(self, passkey_id: str) -> bool:
        """Remove a passkey; False if there is none."""
        return self._affected(delete(passkey).where(passkey.c.id == passkey_id)) == 1

    def rename_passkey(self, passkey_id: str, name: str) -> None:
        """Give a passkey another name.

        Raises:
            NotFound: There is none.
        """
        self._change_one(update(passkey).where(passkey.c.id == passkey_id).values(name=name), "passkey")

    def use_passkey(self, passkey_id: str, *, sign_count: int, at: datetime) -> None:
        """Keep when a passkey was used, and what its counter then was."""
        statement = update(passkey).where(passkey.c.id == passkey_id)
        self._change_one(statement.values(sign_count=sign_count, last_used_at=micros(at)), "passkey")

    def spend_challenge(self, hashed: bytes, at: datetime) -> bool:
        """Use a challenge up; False if it was used before."""
        statement = upsert(spent_challenge).values(hashed=hashed, spent_at=micros(at))
        return self._affected(statement.on_conflict_do_nothing()) == 1

    def forget_spent_challenges(self, before: datetime) -> int:
        """Forget challenges that are too old to be answered again. Gives how many."""
        return self._affected(delete(spent_challenge).where(spent_challenge.c.spent_at < micros(before)))
