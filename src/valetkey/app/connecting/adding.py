"""Adds a [[peer]] and its [[door]]s to the configuration file: at its end, so that all that stands there stays as it is."""

import os
import secrets
import stat
from pathlib import Path

from valetkey.app.connecting.finding import Fit, Wish, added, secret_file
from valetkey.config.reading import parse
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart

_SECRET_OCTETS = 32


def add(path: Path, config: Config, wish: Wish, found: Fit) -> tuple[Config, tuple[Path, ...]]:
    """Write what is missing; gives the new configuration and the files that were written.

    The secret is written before the configuration that names it. Nothing is written if the new configuration would
    have a mistake.

    Raises:
        BadConfig: It would have; all mistakes are named.
        CannotStart: A file cannot be written.
        InvalidInput: An address cannot be used.
    """
    sections = added(config, wish, found)
    try:
        before = path.read_text(encoding="utf-8")
        after = _joined(before, sections)
        made = parse(after, path)
        written = []
        secret = secret_file(config, wish)
        if found.peer is None and wish.recipe.has_secret and not secret.exists():
            _write_secret(secret, owned_like=config.store.path.parent)
            written.append(secret)
        _write_config(path, after)
    except OSError as error:
        raise CannotStart(f"{error.filename or path} cannot be written: {error.strerror}.") from None
    return made, (*written, path)


def _joined(before: str, sections: str) -> str:
    return before + ("" if before.endswith("\n") or not before else "\n") + "\n" + sections


def _write_secret(path: Path, *, owned_like: Path) -> None:
    """Draw a secret into a new file that belongs to who owns the database's folder, and only that user reads."""
    owner = owned_like.stat()
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(path.parent, owner.st_uid, owner.st_gid, follow_symlinks=False)
    write_for(path, (secrets.token_urlsafe(_SECRET_OCTETS) + "\n").encode(), mode=0o600, owner=owner)


def _write_config(path: Path, text: str) -> None:
    """Replace the file in one step; owner and rights stay."""
    target = path.resolve()  # what a link leads to is replaced, and the link stays
    before = target.stat()
    write_for(target, text.encode(), mode=stat.S_IMODE(before.st_mode), owner=before)


def write_for(path: Path, octets: bytes, *, mode: int, owner: os.stat_result | None = None) -> None:
    """Write a file, or put another in its place, in one step; rights and owner are right before it has its name.

    They are given by its descriptor: the folder may belong to somebody who would put a link there meanwhile.

    Raises:
        OSError: It cannot be written.
    """
    passing = path.with_name(f".{path.name}.new")
    passing.unlink(missing_ok=True)
    descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        if owner is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        os.fsync(file.fileno())
    passing.replace(path)
