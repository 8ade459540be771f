"""The sample people's Maildirs: what the embedded mailbox, the mail sink and the POP3 server share."""

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDERS = ("Archive", "Drafts", "Sent", "Trash")
_ROUNDS = 1000  # the secrets are drawn, not chosen


def make_maildir(directory: Path) -> bool:
    """Make a Maildir with the usual folders; False if it was there."""
    is_new = not directory.exists()
    for folder in (directory, *(directory / f".{name}" for name in FOLDERS)):
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder is not directory:
            (folder / "maildirfolder").touch()
    return is_new


def deliver(directory: Path, message: bytes, *, at: float | None = None, flags: str | None = None) -> None:
    """Put a message into an inbox in one step; with `flags` it is not new any more."""
    unique = f"{time.time():.6f}.{secrets.token_hex(8)}.localhost"
    temporary = directory / "tmp" / unique
    with temporary.open("xb") as file:
        file.write(message)
        file.flush()
        os.fsync(file.fileno())
    if at is not None:
        os.utime(temporary, (at, at))
    place = directory / "new" / unique if flags is None else directory / "cur" / f"{unique}:2,{flags}"
    temporary.rename(place)


def messages(directory: Path) -> Iterator[tuple[str, Path]]:
    """Give the messages of an inbox, the oldest first, each with its unique id."""
    files = [path for part in ("new", "cur") for path in (directory / part).iterdir() if path.is_file()]
    for path in sorted(files, key=lambda path: path.name):
        yield path.name.partition(":")[0], path


def write_users(directory: Path, people: Mapping[str, str]) -> None:
    """Write the embedded mailbox's own users, each with the password that the gateway logs in with."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    users = "".join(f"{name}:x::::{name}:\r\n" for name in people)
    shadow = "".join(f"{name}:{_hashed(secret)}:::::::\r\n" for name, secret in people.items())
    for file_name, text in (("pymap-etc-passwd", users), ("pymap-etc-shadow", shadow)):
        descriptor = os.open(directory / file_name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", newline="") as file:
            file.write(text)


def _hashed(secret: str) -> str:
    salt = secrets.token_bytes(16)
    digest = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, _ROUNDS)
    return "$".join(("", "pbkdf2-sha256", str(_ROUNDS), _base64(salt), _base64(digest)))


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
