"""Which keys a database was written under, and whether the key file holds them (docs/decisions/0002)."""

import hmac

from sqlalchemy import func, insert, select, union

from valetkey.adapters.store.schema import key_check, totp, upstream_password
from valetkey.adapters.store.transaction import Transaction
from valetkey.service.ports import KeyPurpose, Keys

_CHECK = b"valetkey key check 1"
SEAL_HEADER = 5  # octets in front of what was sealed: a form and the number of the key (adapters/keys.py)


def check_value(keys: Keys, number: int) -> bytes:
    """Give the 32 octets that show a key to be the same one as before."""
    return hmac.digest(keys.derive(KeyPurpose.TAG, number), _CHECK, "sha256")


class KeyNumberReader(Transaction):
    """What can be read of the keys that a database was written under."""

    def key_checks(self) -> dict[int, bytes]:
        """Give the check values, by key number."""
        return {row.number: row.value for row in self._rows(select(key_check))}

    def sealing_keys(self) -> frozenset[int]:
        """Give the numbers of the keys that sealed something which is still kept."""
        headers = union(
            select(func.substr(totp.c.sealed_seed, 1, SEAL_HEADER)),
            select(func.substr(upstream_password.c.sealed, 1, SEAL_HEADER)),
        )
        return frozenset(int.from_bytes(row[0][1:], "big") for row in self._rows(headers))


class KeyNumberWriter(KeyNumberReader):
    """What can be changed of it."""

    def add_key_check(self, number: int, value: bytes) -> None:
        """Keep the check value of a new key."""
        self._affected(insert(key_check).values(number=number, value=value))
