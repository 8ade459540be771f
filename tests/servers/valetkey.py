"""A real Valetkey: set up by its own command line, run as `valetkey serve`, in front of real servers."""

import atexit
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.clients import Login, Tls
from tests.servers.launching import PROGRAM, Launched, run_valetkey, start_valetkey
from tests.servers.logs import ServerLog
from tests.servers.people import DOMAIN, EVERYBODY
from tests.servers.places import free_ports, own_directory, wait_until_free
from tests.servers.site import MailSite
from tests.servers.valetkey_keys import AppPasswordOf, Keyring
from tests.servers.valetkey_settings import LISTENERS, USUAL, ValetkeyOptions, ValetkeyPorts, configuration

ADMIN = f"admin@{DOMAIN}"
_STARTS_WITHIN = 60.0
_ENDS_WITHIN = 30.0


@dataclass
class Valetkey:
    """One installation under `directory`. `keys` are its people and their app passwords.

    `start` and `stop` may be called again and again: ports, store and keys stay the same.
    """

    directory: Path
    site: MailSite
    options: ValetkeyOptions = USUAL
    process: subprocess.Popen[bytes] | Launched | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._was_started = False
        self.ports = ValetkeyPorts(*free_ports(12))
        self.config = self.directory / "valetkey.toml"
        self.log = ServerLog("Valetkey", self.directory / "valetkey.log")
        self.ca = self.site.authority.file
        self.certificate = self.site.authority.issue()
        self._install()
        self.keys = Keyring(self.config)

    @property
    def logs(self) -> list[ServerLog]:
        """The logs that a failed test shows: its own, and those of the servers behind it."""
        return [self.log, *self.site.logs]

    def start(self) -> None:
        """Start and wait until it is ready; raises RuntimeError with the log if that fails."""
        arguments = ("--config", str(self.config), "serve")
        with self.log.path.open("ab") as output:
            if self.options.is_cold and not self._was_started:
                command = [*PROGRAM, *arguments]
                self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
            else:
                self.process = start_valetkey(*arguments, output=output, session=True)
        self._was_started = True
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until every worker takes logins; raises RuntimeError with the log."""
        end = time.monotonic() + _STARTS_WITHIN
        while self.get("/readyz")[0] != http.client.OK:
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"Valetkey does not get ready\n{self.log.text()}")
            time.sleep(0.02)  # readiness can only be asked again

    def stop(self) -> int:
        """End it by SIGTERM and give its exit code; 0 if it does not run."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_ENDS_WITHIN)
            raise

    def kill(self) -> None:
        """End every process of it at once by SIGKILL."""
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_ENDS_WITHIN)
        wait_until_free(list(astuple(self.ports)))

    def cli(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """Run a command of the real command line and give its output; raises AssertionError on another exit code."""
        run = run_valetkey("--config", str(self.config), *arguments, stdin=stdin)
        assert run.returncode == code, f"{' '.join(arguments)}: {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run.stdout

    def login(self, key: AppPasswordOf, port: str, *, secret: str | None = None, name: str | None = None) -> Login:
        """Say how a client logs in with an app password on a listener (by the name of its port)."""
        tls = Tls.IMPLICIT if LISTENERS[port][1] == "implicit" else Tls.STARTTLS
        said = key.secret if secret is None else secret
        return Login(getattr(self.ports, port), self.ca, name or key.person.address, said, tls)

    def get(self, path: str) -> tuple[int, str]:
        """Ask the operator's listener; (0, "") if it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.ops, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """Sum the values of a metric over all workers, of those whose labels are these."""
        _, text = self.get("/metrics")
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)]
        return sum(float(line.split()[-1]) for line in lines if all(each in line for each in wanted))

    def worker_pid(self, number: int) -> int:
        """Give the process id of a worker (from 1)."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(str(self.directory / "run" / f"worker-{number}.sock"))
            held = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", held)[0])

    def memory(self) -> dict[int, int]:
        """Give each worker's resident memory in octets, by its process id."""
        pids = [self.worker_pid(number + 1) for number in range(self.options.workers)]
        page = os.sysconf("SC_PAGE_SIZE")
        return {pid: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids}

    def events(self, event: str, **facts: Any) -> list[dict[str, Any]]:
        """Give the log's entries of an event since the test began, of those that hold these facts."""
        entries = [json.loads(line) for line in self.log.since_mark().splitlines() if line.startswith("{")]
        return [e for e in entries if e.get("event") == event and all(e.get(k) == v for k, v in facts.items())]

    def change_master_secret(self, secret: str) -> None:
        """Write the file with the master user's password; it is read at the start."""
        path = self.directory / "master-secret"
        path.touch(mode=0o600)
        path.write_text(secret + "\n")

    def _install(self) -> None:
        shutil.copytree(_fresh(), self.directory, dirs_exist_ok=True)
        text = configuration(self.site, self.ports, self.certificate, self.options)
        self.config.write_text(text)
        self.change_master_secret(self.site.dovecot.master_password)


@functools.cache
def _fresh() -> Path:
    """Set one up by its own command line, with everybody, once in a process of tests: all others begin as copies of it."""
    directory = Path(tempfile.mkdtemp(prefix="valetkey-fresh-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    options = ("--hostname", "imap.example.test", "--admin", ADMIN, "--state", str(directory))
    config = directory / "valetkey.toml"
    command = ("--config", str(config), "init", *options, "--non-interactive", "--password-stdin")
    run_valetkey(*command, stdin="a test admin's password\n").check_returncode()
    with Keyring(config) as keys:
        for person in EVERYBODY:
            keys.make(person)
    return directory


@contextmanager
def running_valetkey(site: MailSite, options: ValetkeyOptions = USUAL) -> Iterator[Valetkey]:
    """Run a Valetkey in front of a site, in a directory of its own, with an account for everybody."""
    with own_directory("gateway") as directory:
        directory.chmod(0o700)
        valetkey = Valetkey(directory, site, options)
        try:
            with valetkey.keys:
                for person in EVERYBODY:
                    valetkey.keys.find(person)
                valetkey.start()
                yield valetkey
                assert valetkey.stop() == 0
        finally:
            valetkey.kill()
