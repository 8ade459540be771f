"""What the command line is handed by the front hall: everything that is not a verb of the service."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from valetkey.service.ports import Ports


class Level(StrEnum):
    """How bad a finding of `valetkey check` is."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what it is, what was found, and how to mend it."""

    level: Level
    subject: str
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class InitAnswers:
    """What `valetkey init` was told."""

    config: Path
    state: Path  # where database, keys and the rest go
    hostname: str
    admin: str
    password: str = field(repr=False)
    portal: str  # host:port
    base_url: str
    upstream: str  # the mail server's host
    master_user: str
    user: str = ""  # the system user that runs it; the files become that user's


@dataclass(frozen=True, slots=True)
class InitDone:
    """An installation that was made."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]  # files that were there already and are used as they are
    secret: Path  # holds the master user's password


@dataclass(frozen=True, slots=True)
class BackupDone:
    """A backup that was made and checked."""

    target: Path
    octets: int


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demo is to run."""

    base_port: int
    state: Path
    workers: int


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One line of a domain's zone: names are absolute; `purpose` says who asks for it, or where it is defined."""

    name: str
    kind: str
    value: str
    purpose: str


class Front(Protocol):
    """The front hall, as the command line sees it. Everything may raise `core.errors.ValetkeyError`."""

    def version(self) -> str:
        """Give the version."""

    def open(self, config: Path) -> AbstractAsyncContextManager[Ports]:
        """Open the installation of a configuration file."""

    def serve(self, config: Path, workers: int | None) -> None:
        """Run everything until asked to end."""

    def check(self, config: Path, account: str | None) -> Iterator[Finding]:
        """Look at everything that could be wrong."""

    def portal_url(self, config: Path) -> str:
        """Give the address that people open for the portal."""

    def dns_records(self, config: Path, domain: str) -> tuple[DnsRecord, ...]:
        """Give the records by which mail programs of a domain find this installation."""

    def describe_config(self) -> str:
        """Give the annotated reference of the configuration."""

    def init(self, answers: InitAnswers) -> InitDone:
        """Make a new installation."""

    def rotate_keys(self, config: Path) -> int:
        """Add a new key to the key file and make it the current one; gives its number."""

    def backup(self, config: Path, target: Path) -> BackupDone:
        """Copy the database, consistent while others use it, without the keys."""

    def demo(self, options: DemoOptions) -> None:
        """Run the demo until asked to end."""

    def demo_code(self, state: Path, name: str) -> str:
        """Say the code that somebody in the demo would read from the authenticator now."""
