"""A real Dovecot 2.3: IMAP, POP3, ManageSieve and submission, with a master user for the gateway."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot_settings import MASTER_NAME, USUAL, DovecotOptions, DovecotPorts, configuration
from tests.servers.logs import ServerLog
from tests.servers.maildirs import MAIL_UID, Maildirs
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import LOCALHOST, free_ports, greeting, own_directory, wait_until_closed, wait_until_listening


@dataclass
class Dovecot:
    """One Dovecot with its own configuration, users, mail and log, under `directory`.

    `start` and `stop` may be called again and again: ports and mail stay the same.
    """

    directory: Path
    authority: CertificateAuthority
    options: DovecotOptions = USUAL
    people: Sequence[Person] = EVERYBODY
    host: str = LOCALHOST
    master_name: str = MASTER_NAME
    master_password: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.ports = DovecotPorts(*free_ports(7))
        self.mail = Maildirs(self.directory / "mail")
        self.log = ServerLog("Dovecot", self.directory / "dovecot.log")
        self.sasl_socket = self.directory / "sasl"
        self._configuration = self.directory / "dovecot.conf"
        self._write()

    @property
    def logs(self) -> list[ServerLog]:
        """The log that a failed test shows."""
        return [self.log]

    @property
    def pid(self) -> int:
        """The process that all its others come from; 0 if it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start and wait until every port is open; raises RuntimeError with the log if that fails."""
        command = [_program(), "-F", "-c", str(self._configuration)]
        with (self.directory / "output").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        closed = wait_until_listening(self.ports.all())
        if closed or not greeting(self.ports.imap):  # ports are open before anybody works behind them
            self.stop()
            said = (self.directory / "output").read_text()
            raise RuntimeError(f"Dovecot does not listen on {closed}\n{said}\n{self.log.text()}")

    def stop(self) -> None:
        """Stop it and all its processes; sessions are closed. Does nothing if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)  # if it has just been started it lingers for 6 s
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        if still := wait_until_closed(self.ports.all()):
            raise RuntimeError(f"Dovecot still listens on {still}")

    def change_master_password(self, password: str) -> None:
        """Let the master user have another password from now on; who still sends the old one is refused."""
        self.master_password = password
        self._write_masters()

    def remove(self, person: Person) -> None:
        """Let the mailbox's owner be unknown from now on."""
        self.people = [each for each in self.people if each != person]
        self._write_users()

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
    with own_directory("dovecot") as directory:
        dovecot = Dovecot(directory, authority, options, people)
        dovecot.start()
        try:
            yield dovecot
        finally:
            dovecot.stop()


def _program() -> str:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "dovecot"


def _replace(path: Path, text: str) -> None:
    """Write a file that Dovecot may be reading: never seen half-written."""
    passing = path.with_suffix(".new")
    passing.write_text(text)
    passing.chmod(0o644)
    passing.rename(path)
