"""Authenticators and recovery codes in the store."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from valetkey.adapters.store.rows import micros, micros_or_none, moment, moment_or_none
from valetkey.adapters.store.schema import recovery_code, totp
from valetkey.adapters.store.transaction import Transaction
from valetkey.service.ports import Totp


class SecondFactorReader(Transaction):
    """What can be read of second factors."""

    def totps(self, account_id: str) -> tuple[Totp, ...]:
        """List the authenticators of an account, oldest first."""
        statement = select(totp).where(totp.c.account_id == account_id).order_by(totp.c.created_at, totp.c.id)
        return tuple(
            Totp(
                id=row.id,
                account_id=row.account_id,
                name=row.name,
                sealed_seed=row.sealed_seed,
                last_step=row.last_step,
                wrong_codes=row.wrong_codes,
                wrong_at=moment_or_none(row.wrong_at),
                created_at=moment(row.created_at),
                last_used_at=moment_or_none(row.last_used_at),
            )
            for row in self._rows(statement)
        )

    def recovery_codes_left(self, account_id: str) -> int:
        """Count the recovery codes that are not used up."""
        statement = select(func.count()).where(
            recovery_code.c.account_id == account_id, recovery_code.c.used_at.is_(None)
        )
        return int(self._value(statement))


class SecondFactorWriter(SecondFactorReader):
    """What can be changed of second factors."""

    def add_totp(self, value: Totp) -> None:
        """Store an authenticator."""
        self._affected(
            insert(totp).values(
                id=value.id,
                account_id=value.account_id,
                name=value.name,
                sealed_seed=value.sealed_seed,
                last_step=value.last_step,
                wrong_codes=value.wrong_codes,
                wrong_at=micros_or_none(value.wrong_at),
                created_at=micros(value.created_at),
                last_used_at=micros_or_none(value.last_used_at),
            )
        )

    def remove_totp(self, totp_id: str) -> bool:
        """Remove an authenticator; False if there is none."""
        return self._affected(delete(totp).where(totp.c.id == totp_id)) == 1

    def rename_totp(self, totp_id: str, name: str) -> None:
        """Give an authenticator another name.

        Raises:
            NotFound: There is none.
        """
        self._change_one(update(totp).where(totp.c.id == totp_id).values(name=name), "authenticator")

    def use_totp_step(self, totp_id: str, step: int, at: datetime) -> bool:
        """Use a step up, by compare-and-set, and end its run of wrong codes; False if it is not newer than the last."""
        statement = update(totp).where(totp.c.id == totp_id, totp.c.last_step < step)
        values = {"last_step": step, "last_used_at": micros(at), "wrong_codes": 0, "wrong_at": None}
        return self._affected(statement.values(values)) == 1

    def count_wrong_code(self, totp_id: str, at: datetime) -> int:
        """Count a wrong code; gives the length of the run, 0 if there is no such authenticator."""
        statement = update(totp).where(totp.c.id == totp_id)
        counted = statement.values(wrong_codes=totp.c.wrong_codes + 1, wrong_at=micros(at))
        return int(self._value(counted.returning(totp.c.wrong_codes)) or 0)

    def clear_wrong_codes(self, account_id: str) -> None:
        """End the run of wrong codes on every authenticator of an account."""
        self._affected(update(totp).where(totp.c.account_id == account_id).values(wrong_codes=0, wrong_at=None))

    def set_recovery_codes(self, account_id: str, hashes: Sequence[bytes], at: datetime) -> None:
        """Replace the recovery codes of an account; an empty set removes them."""
        self._affected(delete(recovery_code).where(recovery_code.c.account_id == account_id))
        if hashes:
            drawn_at = micros(at)
            rows = [{"account_id": account_id, "hashed": hashed, "drawn_at": drawn_at} for hashed in hashes]
            self._connection.execute(insert(recovery_code), rows)

    def use_recovery_code(self, account_id: str, hashed: bytes, at: datetime) -> bool:
        """Use a recovery code up, by compare-and-set; False if there is no such code, or it was used before."""
        statement = update(recovery_code).where(
            recovery_code.c.account_id == account_id,
            recovery_code.c.hashed == hashed,
            recovery_code.c.used_at.is_(None),
        )
        return self._affected(statement.values(used_at=micros(at))) == 1
