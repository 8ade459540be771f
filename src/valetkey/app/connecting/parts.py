"""What a recipe for a mail server is made of, and what it is given. Each recipe is a module beside this one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from valetkey.config.door_sections import PeerSection
from valetkey.core.limits import Held
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import ConnectStep

LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a door is, as the mail server reaches it: `host` and `port`, or `socket`."""

    host: str = ""
    port: int = 0
    socket: Path | None = None
    tls: bool = False

    @property
    def authority(self) -> str:
        """Give host:port, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Give the address for HTTP, without a path."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    def __str__(self) -> str:
        return str(self.socket) if self.socket is not None else self.authority


@dataclass(frozen=True, slots=True)
class Need:
    """A door that a recipe's lines lead to, and where it is put if there is none yet."""

    kind: DoorKind
    port: int = 0
    socket: Path | None = None
    socket_group: str = ""
    protocol: str = ""  # of the [[door]], where the server cannot say
    more: tuple[str, ...] = ()  # further lines of the [[door]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the lines are filled with."""

    version: str
    peer: str
    places: Mapping[DoorKind, Place]
    secret: str = field(default="", repr=False)
    holds: frozenset[Held] = frozenset()
    hostname: str = "mail.example.org"  # that mail programs connect to
    script: Path | None = None  # where the script for Dovecot goes, if not to its usual place

    def place(self, kind: DoorKind) -> Place:
        """Give where a door of the recipe is."""
        return self.places[kind]

    def is_at_least(self, *version: int) -> bool:
        """Tell whether the server is of this version or newer."""
        return number_of(self.version) >= version


@dataclass(frozen=True, slots=True)
class Lines:
    """What is to be done at the mail server, and how it is undone."""

    steps: tuple[ConnectStep, ...]
    notes: tuple[str, ...] = ()
    removal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of mail server: what it needs of the configuration, and its lines."""

    name: str
    sentence: str
    needs: tuple[Need, ...]
    lines: Callable[[Setup], Lines]
    has_secret: bool = True
    peer: tuple[str, ...] = ()  # further lines of the [[peer]]
    suits: Callable[[PeerSection], bool] = lambda _: True  # whether a peer of another name can be this server
    versions: tuple[str, ...] = ()  # those with lines of their own; the first where none can be found
    asks_version: tuple[str, ...] = ()  # the command that says which one is installed


def number_of(version: str) -> tuple[int, ...]:
    """Read a version such as 2.3.19.1; what is no number ends it."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def commands(what: str, *lines: str) -> ConnectStep:
    """Give a step that is done by commands."""
    return ConnectStep(what, commands=lines)


def whole_file(
    what: str, path: str | Path, text: str, *, group: str = "", mode: int = 0o644, secret: str = ""
) -> ConnectStep:
    """Give a step that writes a file; `secret` is what of its text is one."""
    return ConnectStep(what, str(path), text, group=group, mode=mode, secrets=(secret,) if secret else ())


def lines_of(what: str, path: str | Path, text: str, *, secret: str = "") -> ConnectStep:
    """Give a step that puts lines into a file that is there; `secret` is what of them is one."""
    return ConnectStep(what, str(path), text, is_whole=False, secrets=(secret,) if secret else ())
