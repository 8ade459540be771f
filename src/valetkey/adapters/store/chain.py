"""The audit chain: each record carries the SHA-256 of the one before it and of its own columns (docs/audit-log.md)."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from valetkey.core import chain_faults
from valetkey.service.ports import AuditFault

_LABEL = b"valetkey audit 1"
BEGINNING = bytes(32)  # the hash "before" the first record

_Column = int | str | None


def link(before: bytes, columns: Sequence[_Column]) -> bytes:
    """Give the hash of a record.

    Args:
        before: The hash of the record before it.
        columns: Number, time, actor, actor's address, account, credential, kind and facts, as they are stored.
    """
    return hashlib.sha256(_LABEL + before + b"".join(_written(column) for column in columns)).digest()


def _written(column: _Column) -> bytes:
    # Type, length, octets: no two lists of columns are written alike.
    if column is None:
        return b"n0:"
    octets = str(column).encode()
    return b"%c%d:%b" % (b"i" if isinstance(column, int) else b"s", len(octets), octets)


class ChainCheck:
    """Follows the chain from its beginning; stops at the first bad record."""

    def __init__(self) -> None:
        self.number = 0
        self.hash = BEGINNING

    def follow(self, rows: Iterable[Sequence[Any]]) -> AuditFault | None:
        """Check the next records, each as its columns in order with its hash last."""
        for row in rows:
            expected = self.number + 1
            if row[0] != expected:
                return AuditFault(expected, chain_faults.missing_before(row[0]))
            if link(self.hash, row[:-1]) != row[-1]:
                return AuditFault(expected, chain_faults.ALTERED)
            self.number, self.hash = expected, row[-1]
        return None

    def finish(self, number: int, last_hash: bytes) -> AuditFault | None:
        """Compare the end of the chain with what the counter row remembers."""
        if number > self.number:
            return AuditFault(self.number + 1, chain_faults.missing_up_to(number))
        if number < self.number:
            return AuditFault(number + 1, chain_faults.ADDED)
        if last_hash != self.hash:
            return AuditFault(self.number, chain_faults.OTHER_END)
        return None
