"""Those that ask by RADIUS: radclient, a FreeRADIUS that hands requests on, and PAM, each set up as docs/servers has it."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.listening import running
from tests.servers.logs import ServerLog
from tests.servers.places import LOCALHOST, free_port, own_directory

_READY = "Ready to process requests"
_STARTS_WITHIN = 15.0
# A test has /etc/pam.d and /etc/pam_radius_auth.conf to itself, and the machine's own stay as they are.
_IN_OWN_PAM = 'mount --bind "$0/pam.d" /etc/pam.d && mount --bind "$0/server" /etc/pam_radius_auth.conf && exec "$@"'


@dataclass(frozen=True, slots=True)
class RadiusPort:
    """Valetkey's RADIUS port and the secrets of three peers at one address: one that proves its requests, a proxy, PAM."""

    port: int = field(default_factory=free_port)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    proxy_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    pam_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def sections(self, directory: Path, holds: str = "") -> tuple[str, ...]:
        """Write what Valetkey's configuration says of them; the secrets' files are put into `directory`."""
        kept = {"client": self.secret, "proxy": self.proxy_secret, "pam": self.pam_secret}
        peers = []
        for name, secret in kept.items():
            file = directory / name
            file.touch(mode=0o600)
            file.write_text(secret + "\n")
            old = "message_authenticator = false\n" if name == "pam" else ""
            peers.append(f'[[peer]]\nname = "{name}"\nsecret_file = "{file}"\ntls_only = true\n{holds}{old}')
        door = f'[[door]]\nkind = "radius"\nlisten = "{LOCALHOST}:{self.port}"\npeers = ["client", "proxy", "pam"]\n'
        return (*peers, door)


def radclient(port: int, secret: str, attributes: Mapping[str, str], *, command: str = "auth", seconds: int = 8) -> str:
    """Send a request with Debian's client and give what it writes; it tries once."""
    lines = "\n".join(
        f'{name} = "{value}"' if value[:2] != "0x" else f"{name} = {value}" for name, value in attributes.items()
    )
    arguments = ["radclient", "-x", "-r", "1", "-t", str(seconds), f"{LOCALHOST}:{port}", command, secret]
    run = subprocess.run(arguments, input=lines + "\n", capture_output=True, text=True, timeout=30, check=False)
    return run.stdout + run.stderr


@dataclass
class FreeRadius:
    """A FreeRADIUS that hands every request on to Valetkey."""

    directory: Path
    valetkey: RadiusPort
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.log = ServerLog("FreeRADIUS", self.directory / "output")
        (self.directory / "radiusd.conf").write_text(self._configuration())

    @property
    def logs(self) -> list[ServerLog]:
        """The log that a failed test shows."""
        return [self.log]

    def start(self) -> None:
        """Start and wait until it answers; raises RuntimeError with what it says."""
        command = ["/usr/sbin/freeradius", "-X", "-d", str(self.directory)]
        with self.log.path.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        end = time.monotonic() + _STARTS_WITHIN
        while _READY not in self.log.text():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"FreeRADIUS does not start\n{self.log.text()}")
            time.sleep(0.02)  # its log alone tells when it is ready

    def stop(self) -> None:
        """Stop it."""
        process, self.process = self.process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    def end(self) -> None:
        """Stop it as nobody needs it any more."""
        self.stop()

    def _configuration(self) -> str:
        return f"""
prefix = /usr
libdir = /usr/lib/freeradius
confdir = {self.directory}
logdir = {self.directory}
run_dir = {self.directory}
max_request_time = 30
cleanup_delay = 5
log {{
  destination = stdout
}}
security {{
  reject_delay = 0
}}
client mail {{
  ipaddr = {LOCALHOST}
  secret = {self.client_secret}
}}
home_server valetkey {{
  type = auth
  ipaddr = {LOCALHOST}
  port = {self.valetkey.port}
  secret = {self.valetkey.proxy_secret}
  response_window = 10
  status_check = status-server
}}
home_server_pool valetkey {{
  type = fail-over
  home_server = valetkey
}}
realm valetkey {{
  auth_pool = valetkey
  nostrip
}}
server mail {{
  listen {{
    type = auth
    ipaddr = {LOCALHOST}
    port = {self.port}
  }}
  authorize {{
    update control {{
      &Proxy-To-Realm := "valetkey"
    }}
  }}
  pre-proxy {{
    update proxy-request {{
      &Message-Authenticator := 0x00
    }}
  }}
}}
"""


@contextmanager
def running_freeradius(valetkey: RadiusPort) -> Iterator[FreeRadius]:
    """Run a FreeRADIUS in a directory of its own."""
    with own_directory("freeradius") as directory, running(FreeRadius(directory, valetkey)) as radius:
        yield radius


@dataclass
class OwnPam:
    """PAM with settings of its own, for the programs that are started in it."""

    directory: Path

    def write(self, service: str, text: str) -> None:
        """Set up a service."""
        (self.directory / "pam.d").mkdir(exist_ok=True)
        (self.directory / "pam.d" / service).write_text(text)

    def by_radius(self, valetkey: RadiusPort, *services: str, wait: int = 4) -> None:
        """Let services ask Valetkey, as docs/servers/pam.md tells administrators; `wait` are the seconds of one try."""
        for service in services:
            self.write(service, "auth required pam_radius_auth.so retry=1\naccount required pam_permit.so\n")
        server = self.directory / "server"
        server.touch(mode=0o600)
        server.write_text(f"{LOCALHOST}:{valetkey.port} {valetkey.pam_secret} {wait}\n")

    def command(self, *command: str) -> list[str]:
        """Give the command by which a program has these settings."""
        return [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            _IN_OWN_PAM,
            str(self.directory),
            *command,
        ]

    def login(self, service: str, name: str, password: str, *, address: str = "") -> str:
        """Log in with pamtester and give what it says."""
        facts = ["-I", f"rhost={address}"] if address else []
        command = self.command("pamtester", *facts, service, name, "authenticate")
        run = subprocess.run(command, input=password + "\n", capture_output=True, text=True, timeout=60, check=False)
        return run.stdout + run.stderr


@contextmanager
def own_pam() -> Iterator[OwnPam]:
    """Give a PAM whose settings are in a directory of its own."""
    with own_directory("pam") as directory:
        (directory / "pam.d").mkdir()
        (directory / "server").touch(mode=0o600)
        yield OwnPam(directory)
