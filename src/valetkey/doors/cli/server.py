"""The server that --server names, and the token that is shown to it."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from valetkey.core.errors import CannotStart

TOKEN_VARIABLE = "VALETKEY_TOKEN"  # noqa: S105  (a name)
_MOST = 1024  # octets of a token file
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is, and where its token is kept."""

    url: str
    token_file: Path | None = None  # None: the variable, then the usual file
    ca_file: Path | None = None


def read_token(chosen: Path | None, environment: Mapping[str, str]) -> str:
    """Give the token: of the file that was named, of the environment, or of the usual file.

    Raises:
        CannotStart: There is none, or others could read its file.
    """
    given = environment.get(TOKEN_VARIABLE, "").strip()
    if chosen is None and given:
        return given
    file = chosen or usual_file(environment)
    try:
        return _read(file)
    except FileNotFoundError:
        raise CannotStart(
            "There is no API token. Make one in the portal under Account, API tokens; put it into {variable}, "
            "or into {file} with mode 600.",
            variable=TOKEN_VARIABLE,
            file=file,
        ) from None
    except OSError as problem:
        raise CannotStart("{file} cannot be read: {why}.", file=file, why=problem.strerror) from None


def usual_file(environment: Mapping[str, str]) -> Path:
    """Give the file in which a person keeps a token."""
    home = environment.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".config") / "valetkey" / "token"


def _read(file: Path) -> str:
    # Without waiting: a named pipe in its place must not hold the command up.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        facts = os.fstat(opened.fileno())
        if facts.st_mode & _OTHERS or facts.st_uid not in {os.geteuid(), 0}:
            raise CannotStart("Others could read {file}. Make it yours alone: chmod 600 {file}", file=file)
        text = opened.read(_MOST + 1) if stat.S_ISREG(facts.st_mode) else b""
    if not text.strip() or len(text) > _MOST or not text.isascii():
        raise CannotStart("{file} holds no API token.", file=file)
    return text.decode().strip()
