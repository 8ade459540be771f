"""A store full of people and app passwords, written by bulk SQL in the form in which the verbs write it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from valetkey.adapters.keys import KeyFile
from valetkey.adapters.store import SqliteStore, open_store
from valetkey.adapters.store.connect import connect
from valetkey.adapters.store.rows import account_values, app_password_values, proof_values
from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword, Proof, Secret, SecretFormat, draw, index_of, tag_of
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import ALL_PERMISSIONS, ready_made
from valetkey.service.ports import KeyPurpose

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_CHUNK = 5_000  # rows per executemany


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody types."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts that have equally many app passwords, and logins drawn evenly from all of these."""

    each: int
    accounts: int
    logins: Sequence[Login]


@dataclass(frozen=True, slots=True)
class Population:
    """The store, its keys, and who can log in."""

    store: SqliteStore
    keys: KeyFile
    groups: Sequence[Group]

    @property
    def total(self) -> int:
        """All app passwords of the store."""
        return sum(group.each * group.accounts for group in self.groups)


def populate(folder: Path, shape: Sequence[tuple[int, int]], drawn: int, seed: int = 7) -> Population:
    """Make a store. `shape` lists (app passwords per account, accounts); `drawn` logins are kept of each group."""
    key_path, database = folder / "keys.toml", folder / "valetkey.db"
    keys = KeyFile.create(key_path)
    open_store(database).close()
    chance = random.Random(seed)
    connection = connect(database, busy_timeout=5)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN IMMEDIATE")
    groups = [_fill(connection, keys, chance, each=each, accounts=accounts, drawn=drawn) for each, accounts in shape]
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return Population(open_store(database), keys, groups)


def issue_one(population: Population, account: int, choice: str) -> Login:
    """Add one app password with a ready-made scope to an account of the first group."""
    each = population.groups[0].each
    account_id, address = _names(each, account)
    secret = draw(SecretFormat.DEFAULT, random.Random(choice).choice)
    connection = connect(population.store.path, busy_timeout=5)
    _insert(
        connection, "app_password", iter([_app_password(population.keys, f"ap_{choice}", account_id, secret, choice)])
    )
    connection.close()
    return Login(address, secret.shown)


def _fill(
    connection: Connection, keys: KeyFile, chance: random.Random, *, each: int, accounts: int, drawn: int
) -> Group:
    total = each * accounts
    kept = set(chance.sample(range(total), min(drawn, total)))
    logins: list[Login] = []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(total):
            account_id, address = _names(each, number // each)
            secret = draw(SecretFormat.DEFAULT, chance.choice)
            if number in kept:
                logins.append(Login(address, secret.shown))
            yield _app_password(keys, f"ap_{each}x{number}", account_id, secret)

    people = [_account(*_names(each, number)) for number in range(accounts)]
    _insert(connection, "address", ({"address": one.address, "account_id": one.id} for one in people))
    _insert(connection, "account", map(account_values, people))
    _insert(connection, "app_password", rows())
    chance.shuffle(logins)
    return Group(each, accounts, logins)


def _names(each: int, number: int) -> tuple[str, str]:
    return f"acc_{each}x{number}", f"person{number}.of{each}@example.org"


def _account(account_id: str, address: str) -> Account:
    return Account(account_id, address, AccountKind.PERSON, AccountState.ACTIVE, ALL_PERMISSIONS, False, _BEGIN, 0)


def _app_password(
    keys: KeyFile, credential_id: str, account_id: str, secret: Secret, choice_key: str = "mail-app"
) -> dict[str, Any]:
    choice = ready_made(choice_key)
    assert choice is not None
    number = 1
    credential = AppPassword(
        credential_id, account_id, "Phone", secret.format, choice.scope, Restrictions(), _BEGIN, account_id, ""
    )
    tag = tag_of(keys.derive(KeyPurpose.TAG, number), account_id, credential_id, secret)
    index = index_of(keys.derive(KeyPurpose.INDEX, number), secret)
    return {**app_password_values(credential), **proof_values(index, Proof(number, tag))}


def _insert(connection: Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    while chunk := list(islice(rows, _CHUNK)):
        names = list(chunk[0])
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        connection.executemany(statement, [tuple(row.values()) for row in chunk])
