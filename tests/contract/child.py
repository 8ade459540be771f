"""What the tests run in a process of its own: `python child.py <job> <database> [...]`."""

import asyncio
import gc
import os
import sqlite3
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from valetkey.adapters.store import SqliteStore, open_store
from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.app_password import AppPassword, Proof, SecretFormat
from valetkey.core.errors import Unavailable, ValetkeyError
from valetkey.core.event import AccountCreated, AppPasswordIssued
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import ALL_PERMISSIONS, ALL_PROTOCOLS, PermissionMode, Scope
from valetkey.service.ports import Actor, ActorKind

CLI = Actor(ActorKind.OPERATOR)
EVERYTHING = Scope(PermissionMode.INHERIT, frozenset(), ALL_PROTOCOLS)
NOBODY = 65534


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def create(store: SqliteStore, name: str) -> int:
    """Make an account with an app password, as one transaction."""
    now = datetime.now(UTC)
    account = Account(
        f"ac_{name}",
        f"{name}@example.org",
        AccountKind.PERSON,
        AccountState.ACTIVE,
        ALL_PERMISSIONS,
        has_second_factor=False,
        created_at=now,
        changed=0,
    )
    credential = AppPassword(
        f"ap_{name}", account.id, "Phone", SecretFormat.DEFAULT, EVERYTHING, Restrictions(), now, "cli", ""
    )

    def work(writer):
        writer.add_account(account)
        writer.record(AccountCreated(account.address, "person"), actor=CLI, at=now, account_id=account.id)
        writer.add_app_password(credential, name.encode().rjust(16, b"."), Proof(1, b"t" * 32))
        issued = AppPasswordIssued("Phone", "inherit", (), None, ())
        return writer.record(issued, actor=CLI, at=now, account_id=account.id, credential_id=credential.id)

    return await store.write(work)


async def write_on(path: Path, label: str) -> None:
    """Write until killed; say what was acknowledged, and only then."""
    store = open_store(path)
    say("ready")
    number = 0
    while True:
        number += 1
        await create(store, f"{label}-{number}")
        say(f"{label}-{number}")


async def write_some(path: Path, label: str, count: str) -> None:
    """Write so many, beside other processes."""
    store = open_store(path)
    for number in range(int(count)):
        await create(store, f"{label}-{number}")
    store.close()
    say("done")


async def hold_lock(path: Path) -> None:
    """Hold the write lock until the input ends."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    say("locked")
    sys.stdin.read()
    connection.execute("ROLLBACK")
    connection.close()


async def read_only(path: Path) -> None:
    """Use a database that this process may read and not write."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    store = open_store(path, busy_timeout=0.3)
    say(f"change {store.change_number()}")
    try:
        await create(store, "new")
    except Unavailable as error:
        say(f"refused: {error}")
    say(f"accounts {await store.read(lambda reader: reader.account_count())}")
    store.close()


def fork(path: Path) -> None:
    """Open, fork, and use the store on both sides."""
    store = open_store(path)
    asyncio.run(create(store, "before"))
    child = os.fork()
    if child == 0:
        os._exit(after_fork(store))
    _, status = os.waitpid(child, 0)
    asyncio.run(create(store, "parent"))
    found = asyncio.run(store.read(lambda reader: reader.account_count()))
    say(f"child ended with {os.waitstatus_to_exitcode(status)}, accounts {found}")
    store.close()


def after_fork(store: SqliteStore) -> int:
    """Give how often the store of the parent was refused; 99 if a store of one's own does not work."""
    uses = (
        store.change_number,
        lambda: store.find_login("a@example.org", []),
        lambda: store.changes(0),
        lambda: asyncio.run(store.write(lambda writer: writer.account_count())),
    )
    refused = 0
    for use in uses:
        try:
            use()
        except Unavailable as error:
            refused += "after a fork" in str(error)
    own = open_store(store.path)
    try:
        asyncio.run(create(own, "child"))
    except ValetkeyError:
        return 99
    own.close()
    return refused


def nursery(_: Path) -> None:
    """Fork a writer for each line `<database> <label>` of the input, so that each is there at once; tell its end.

    What a migration imports is imported here, so that a writer is killed in its work and not while it reads modules.
    """
    import_module("valetkey.adapters.store.upgrade")
    gc.collect()
    gc.freeze()  # else each writer's collector walks all that was imported, and so copies it
    for line in sys.stdin:
        path, label = line.split()
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(write_on(Path(path), label))
            finally:
                os._exit(1)
        say(f"started {child}")
        _, status = os.waitpid(child, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


JOBS = {job.__name__: job for job in (write_on, write_some, hold_lock, read_only, fork, nursery)}

if __name__ == "__main__":
    job = JOBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
    if job is not None:
        asyncio.run(job)
