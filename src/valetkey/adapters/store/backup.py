"""A consistent copy of the database while it is in use. The keys are in another file and are not in it."""

import os
import secrets
from pathlib import Path

from valetkey.adapters.store.connect import copy_pages, create_file
from valetkey.adapters.store.failures import failures_translated
from valetkey.adapters.store.inspect import check_file
from valetkey.adapters.store.migrate import known_revision
from valetkey.core.errors import CannotStart, Conflict, Unavailable

_BUSY_TIMEOUT = 5.0


def backup(path: Path, target: Path) -> None:
    """Copy the database as it is at one moment, look the copy over, and put it in its place, mode 0600.

    Args:
        path: The database, which may be written meanwhile.
        target: Where the copy goes; a file that is there is never overwritten.

    Raises:
        Conflict: The target exists.
        CannotStart: There is no database of ours at `path`.
        Unavailable: It cannot be read, the copy cannot be written, or the copy is not whole.
    """
    if target.exists():
        raise Conflict(f"{target} exists already; a backup overwrites nothing.")
    if not path.exists() or known_revision(path) is None:
        raise CannotStart(f"There is no database at {path}.")
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        create_file(part)
        with failures_translated():
            # One file, with nothing beside it.
            copy_pages(path, part, busy_timeout=_BUSY_TIMEOUT, journal_mode="DELETE")
        problems = check_file(part)
        if problems:
            raise Unavailable(f"The backup was not kept, because its copy is not whole: {problems[0]}")
        _put_in_place(part, target)
    except FileExistsError:
        raise Conflict(f"{target} exists already; a backup overwrites nothing.") from None
    except OSError as error:
        raise Unavailable(f"The backup {target} cannot be written: {error.strerror}.") from None
    finally:
        for left in (part, *(part.with_name(part.name + end) for end in ("-journal", "-wal", "-shm"))):
            left.unlink(missing_ok=True)


def _put_in_place(part: Path, target: Path) -> None:
    _sync(part)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # fails if it exists
    part.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
