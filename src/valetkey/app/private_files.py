"""Files that nobody else may read, with the right mode from their first moment."""

import os
from pathlib import Path

from valetkey.core.errors import CannotStart


def write_new(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a new file; an older one is never overwritten.

    Raises:
        CannotStart: It is there already.
        OSError: It cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise CannotStart(f"{path} is there already; nothing is overwritten.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def replace(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file, or put another in its place, in one step, so that no reader meets half of it.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
