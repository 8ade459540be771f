"""What is measured side by side: each server started as an operator starts it, on the servers' core, one worker."""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import dovecot_conf, gateway_conf, nginx_conf
from benchmarks.load import Place
from benchmarks.processes import cores, on_cores, running
from tests.servers.certificates import CertificateAuthority, ServerCertificate
from tests.servers.places import free_ports, greeting, wait_until_listening

ROOT = Path(__file__).parent.parent
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: the root of its processes, and how one logs in."""

    name: str
    pid: int
    plain: Place
    tls: Place | None
    log: Path | None = None
    limited: Place | None = None  # TLS, with an app password that may only read
    limited_plain: Place | None = None
    everybody: Sequence[Place] = ()  # TLS, one place for each of many accounts; empty: `tls` serves any number


@dataclass(frozen=True, slots=True)
class Ground:
    """What all servers of a run share: a folder, certificates, and the mailbox server behind the proxies."""

    folder: Path
    authority: CertificateAuthority
    certificate: ServerCertificate
    upstream_port: int
    upstream_pid: int
    user: str = "person0.of1@example.org"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    def room(self, name: str) -> Path:
        """Make a folder for one server."""
        path = self.folder / name
        path.mkdir()
        path.chmod(0o755)
        return path

    def place(self, port: int, *, tls: bool, secret: str | None = None) -> Place:
        """Give how a client logs in at a port."""
        ca = self.authority.file if tls else None
        return Place(port, self.user, self.password if secret is None else secret, ca)


@contextmanager
def ground(folder: Path, octets: int) -> Iterator[Ground]:
    """Lay the common ground. `octets` is the size of the mailbox server's message."""
    folder.chmod(0o755)
    authority = CertificateAuthority(folder)
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "benchmarks.upstream", str(port), str(octets)]
    with on_cores(cores()[1]), (folder / "upstream.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    try:
        _wait("the mailbox server", folder / "upstream.log", port)
        yield Ground(folder, authority, authority.issue(), port, process.pid)
    finally:
        process.kill()
        process.wait()


def direct(where: Ground) -> Server:
    """Give the mailbox server itself: what nobody in between costs."""
    return Server("direct", where.upstream_pid, where.place(where.upstream_port, tls=False), None)


@contextmanager
def gateway(where: Ground) -> Iterator[Server]:
    """Run `valetkey serve` with one worker."""
    room = where.room("valetkey")
    plain, tls, ops, portal = free_ports(4)
    ports = gateway_conf.Ports(plain, tls, ops, portal)
    people = gateway_conf.prepare(room, ports, where.certificate, where.upstream_port, where.user)
    command = [sys.executable, "-m", "valetkey", "--config", room / "valetkey.toml", "serve"]
    with running(command, room / "log") as pid:
        _wait("valetkey", room / "log", plain, tls)
        yield Server(
            "Valetkey gateway",
            pid,
            where.place(plain, tls=False, secret=people.unlimited),
            where.place(tls, tls=True, secret=people.unlimited),
            room / "log",
            where.place(tls, tls=True, secret=people.limited),
            where.place(plain, tls=False, secret=people.limited),
            [Place(tls, login.name, login.secret, where.authority.file) for login in people.everybody],
        )


@contextmanager
def nginx(where: Ground) -> Iterator[Server]:
    """Run nginx as mail proxy; its auth_http, which lets everybody in, is served by the same worker."""
    room = where.room("nginx")
    plain, tls, auth = free_ports(3)
    nginx_conf.write(room, plain, tls, auth, certificate=where.certificate, upstream=where.upstream_port)
    program = shutil.which("nginx", path=_PATH) or "nginx"
    with running([program, "-p", room, "-c", room / "nginx.conf"], room / "log") as pid:
        _wait("nginx", room / "log", plain, tls)
        yield Server("nginx mail", pid, where.place(plain, tls=False), where.place(tls, tls=True), room / "log")


@contextmanager
def dovecot(where: Ground, scheme: str, *, is_proxy: bool, sessions: int = 200) -> Iterator[Server]:
    """Run Dovecot tuned for many logins: login processes are kept. As a proxy, or with mailboxes of its own."""
    kind = "Dovecot proxy" if is_proxy else "Dovecot"
    room = where.room(f"{kind}-{scheme}".replace(" ", "-").lower())
    plain, tls = free_ports(2)
    setup = dovecot_conf.Setup(plain, tls, scheme, where.upstream_port if is_proxy else None, sessions)
    dovecot_conf.write(room, setup, where.certificate, where.user, where.password)
    program = shutil.which("dovecot", path=_PATH) or "dovecot"
    with running([program, "-F", "-c", room / "dovecot.conf"], room / "log") as pid:
        _wait(kind, room / "log", plain, tls)
        name = f"{kind}, {scheme}"
        yield Server(name, pid, where.place(plain, tls=False), where.place(tls, tls=True), room / "log")


def missing() -> dict[str, str]:
    """Name what is not installed, and the Debian package that has it."""
    needs = {"nginx": "nginx-light libnginx-mod-mail", "dovecot": "dovecot-imapd"}
    lacking = {name: package for name, package in needs.items() if shutil.which(name, path=_PATH) is None}
    if "nginx" not in lacking and not nginx_conf.MODULE.exists():
        lacking["nginx"] = needs["nginx"]
    return lacking


def _wait(name: str, log: Path, *ports: int) -> None:
    if (closed := wait_until_listening(list(ports))) or not greeting(ports[0]):
        said = log.read_text(errors="replace")[-3000:] if log.exists() else ""
        raise RuntimeError(f"{name} does not listen on {closed or ports}:\n{said}")
