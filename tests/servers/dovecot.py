"""A real Dovecot 2.3: IMAP, POP3, ManageSieve and submission, with a master user for the gateway."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot_settings import (
    MASTER_NAME,
    USUAL,
    DovecotOptions,
    DovecotPorts,
    MasterAndPeople,
    configuration,
)
from tests.servers.listening import InFolder, running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import MAIL_UID, Maildirs
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import LOCALHOST, free_ports, own_directory


@dataclass
class Dovecot(MasterAndPeople, InFolder):
    """One Dovecot with its own configuration, users, mail and log, under `directory`."""

    title = "Dovecot"
    authority: CertificateAuthority
    options: DovecotOptions = USUAL
    people: Sequence[Person] = EVERYBODY
    host: str = LOCALHOST
    master_name: str = MASTER_NAME
    master_password: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    def __post_init__(self) -> None:
        self.ports = DovecotPorts(*free_ports(7))
        self.mail = Maildirs(self.directory / "mail")
        self.log = ServerLog("Dovecot", self.directory / "dovecot.log")
        self.sasl_socket = self.directory / "sasl"
        self._configuration = self.directory / "dovecot.conf"
        self._write()

    @property
    def pid(self) -> int:
        """The process that all its others come from; 0 if it does not run."""
        return self._processes[0].pid if self._processes else 0

    def _listens_on(self) -> list[int]:
        return self.ports.all()

    def _command(self) -> list[str]:
        return [_program(), "-F", "-c", str(self._configuration)]

    def _write(self) -> None:
        certificate = self.authority.issue()
        self._configuration.write_text(configuration(self.directory, self.ports, certificate, self.options))
        self._write_masters()
        self._write_users()
        for person in self.people:
            self.mail.make(person)
        homes = self.directory / "homes"
        homes.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(homes, MAIL_UID, MAIL_UID)

    def _write_masters(self) -> None:
        _replace(self.directory / "masters", f"{self.master_name}:{{PLAIN}}{self.master_password}\n")

    def _write_users(self) -> None:
        lines = [f"{person.address}:{self._kept(person.password)}::::::\n" for person in self.people]
        _replace(self.directory / "users", "".join(lines))

    def _kept(self, password: str) -> str:
        if self.options.scheme == "PLAIN":
            return f"{{PLAIN}}{password}"
        command = ["doveadm", "-c", str(self._configuration), "pw", "-s", self.options.scheme, "-p", password]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


@contextmanager
def running_dovecot(
    authority: CertificateAuthority, options: DovecotOptions = USUAL, people: Sequence[Person] = EVERYBODY
) -> Iterator[Dovecot]:
    """Run a Dovecot in a directory of its own."""
    with own_directory("dovecot") as directory, running(Dovecot(directory, authority, options, people)) as dovecot:
        yield dovecot


def _program() -> str:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "dovecot"


def _replace(path: Path, text: str) -> None:
    """Write a file that Dovecot may be reading: never seen half-written."""
    passing = path.with_suffix(".new")
    passing.write_text(text)
    passing.chmod(0o644)
    passing.rename(path)
