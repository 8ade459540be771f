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
    gateway: bool = True  # False: mail servers ask, and no mail client connects here


@dataclass(frozen=True, slots=True)
class InitDone:
    """An installation that was made."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]  # files that were there already and are used as they are
    secret: Path | None  # holds the master user's password; None without the gateway


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


@dataclass(frozen=True, slots=True)
class AskingServer:
    """A mail server that `valetkey connect` has lines for."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What `valetkey connect` was told."""

    server: str
    version: str = ""  # empty: that of the installed program
    peer: str = ""  # empty: the one that fits
    address: str = ""  # of the mail server; empty: this machine
    listen: str = ""  # of this machine, for the mail server
    add: bool = False  # what the configuration lacks
    script: Path | None = None  # where the script for Dovecot goes


@dataclass(frozen=True, slots=True)
class ConnectStep:
    """One thing to do at the mail server: a file and its text, or commands."""

    what: str
    file: str = ""
    text: str = field(default="", repr=False)
    group: str = ""  # the system group that reads it beside root
    mode: int = 0o644
    is_whole: bool = True  # the file's whole text, and not lines to put into it
    secrets: tuple[str, ...] = field(default=(), repr=False)  # what of the text is secret
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connecting:
    """How a mail server is set up to ask, and how that is taken back."""

    server: str
    version: str
    missing: str  # what the configuration of Valetkey lacks; while it does there are no steps
    written: tuple[Path, ...]
    steps: tuple[ConnectStep, ...] = ()
    notes: tuple[str, ...] = ()
    removal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a mail server is tried."""

    server: str
    account: str
    secret: str = field(repr=False)
    peer: str = ""
    host: str = "localhost"
    ports: tuple[tuple[str, int], ...] = ()  # such as imaps, 993; empty: the usual ones
    trust: Path | None = None  # who signed its certificate, in the place of the system's
    its_config: Path | None = None  # where its configuration is, if not at the usual place


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

    def asking_servers(self) -> tuple[AskingServer, ...]:
        """List the mail servers that can ask."""

    def connect(self, config: Path, options: ConnectOptions) -> Connecting:
        """Say how a mail server is set up to ask."""

    def write_script(self, target: Path) -> None:
        """Write the script for Dovecot."""

    def try_login(self, config: Path, options: TrialOptions) -> Iterator[Finding]:
        """Log in through a mail server as a client would, and explain what comes of it."""

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
