"""What it costs a mail server to ask: requests over HTTP, Dovecot by our Lua script, Postfix by our auth-client door.

Beside them stand the same servers with passwords of their own. A passwd-file has one password for a name, so ten app
passwords are ten files, each a passdb that is asked where the one before said no. Clients log in with the fifth and
the sixth in turn: 5.5 comparisons are the mean of ten. All logins are without TLS, which costs all of them the same.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from urllib.parse import quote

from benchmarks import door_load, nginx_conf
from benchmarks.findings import Finding, at_least
from benchmarks.load import Done, Place
from benchmarks.population import Login, populate
from benchmarks.processes import cores, on_cores, running, settle
from benchmarks.settings import Effort
from tests.servers.asking_dovecot import Peer, Script23
from tests.servers.asking_postfix import AskingPostfix
from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot_settings import DovecotOptions
from tests.servers.people import Person
from tests.servers.places import free_ports, own_directory, wait_until_listening
from tests.servers.postfix import Postfix
from tests.servers.presence import missing

PART = "doors"
ROOT = Path(__file__).parent.parent
_CLIENTS = 4
_SCHEMES = ("SHA512-CRYPT", "ARGON2ID")
_EACH = 10  # app passwords of one account
_MEAN = slice(4, 6)  # the fifth and the sixth of them


@dataclass(frozen=True, slots=True)
class _Asked:
    """A Valetkey with its doors: one worker, and an account with ten app passwords among two thousand."""

    pid: int
    http: int
    peer: Peer
    logins: Sequence[Login]


@dataclass
class _Figures:
    """What was measured of each server, by its name."""

    rounds: dict[str, list[Done]] = field(default_factory=dict)

    def add(self, name: str, done: Done) -> None:
        self.rounds.setdefault(name, []).append(done)

    def per_core(self, name: str) -> float:
        return median(done.per_cpu_second for done in self.rounds[name])

    def per_second(self, name: str) -> float:
        return median(done.per_second for done in self.rounds[name])


def measure(effort: Effort, left_out: list[str]) -> list[Finding]:
    """Measure what the machine has the servers for; the rest is left out by name."""
    found: list[Finding] = []
    with own_directory("bench") as folder:
        authority = CertificateAuthority(folder)
        sasl = AskingPostfix(_room(folder, "postfix-doors"), authority, folder / "mail")
        with _valetkey(_room(folder, "valetkey"), authority, sasl) as asked:
            found += _http(folder, asked, effort, left_out)
            for need, part in ((("dovecot", "dovecot-lua"), _dovecot), (("dovecot", "postfix", "root"), _postfix)):
                if lacking := [words for each in need if (words := missing(each))]:
                    left_out += lacking
                    continue
                try:
                    found += part(folder, authority, asked, sasl, effort)
                except (OSError, RuntimeError) as error:  # what was measured before is not to be lost
                    left_out.append(f"{' '.join(need)}, which failed: {error}")
    return found


# Over HTTP


def _http(folder: Path, asked: _Asked, effort: Effort, left_out: list[str]) -> list[Finding]:
    figures = _Figures()
    login = asked.logins[0]
    auth_http, dovecot = _auth_http(asked, login), _dovecot_asks(asked, login)
    with ExitStack() as stack:
        targets = [("auth_http", asked.pid, asked.http, auth_http), ("/dovecot/auth", asked.pid, asked.http, dovecot)]
        asgi = free_ports(1)[0]
        command = [sys.executable, "-m", "benchmarks.plain_asgi", str(asgi)]
        targets.append(
            ("plain ASGI", stack.enter_context(running(command, folder / "asgi.log", ROOT)), asgi, auth_http)
        )
        if lacking := missing("nginx-mail"):
            left_out.append(lacking)
        else:
            port, pid = stack.enter_context(_nginx(folder))
            targets.append(("nginx return 200", pid, port, auth_http))
        if closed := wait_until_listening([port for _, _, port, _ in targets]):
            raise RuntimeError(f"nothing listens on {closed}")
        settle(asked.pid)
        for _ in range(effort.rounds):
            for name, pid, port, request in targets:
                figures.add(name, door_load.ask(pid, port, request, effort.door_seconds, _CLIENTS))
    found = [
        at_least(PART, "auth_http, requests per core-second", figures.per_core("auth_http"), "/s", 12_000),
        Finding(PART, "/dovecot/auth, requests per core-second", figures.per_core("/dovecot/auth"), "/s"),
    ]
    for name in ("plain ASGI", "nginx return 200"):
        if name in figures.rounds:
            found.append(Finding(PART, f"{name}, requests per core-second", figures.per_core(name), "/s"))
            ratio = figures.per_core("auth_http") / figures.per_core(name)
            found.append(Finding(PART, f"auth_http ÷ {name}", ratio, "×"))
    return found


def _auth_http(asked: _Asked, login: Login) -> bytes:
    lines = [
        "GET /nginx HTTP/1.1",
        "Host: 127.0.0.1",
        "Auth-Method: plain",
        f"Auth-User: {login.name}",
        f"Auth-Pass: {quote(login.secret)}",
        "Auth-Protocol: imap",
        "Auth-Login-Attempt: 1",
        "Client-IP: 198.51.100.7",
        "Auth-SSL: on",
        "Auth-SSL-Protocol: TLSv1.3",
        "Auth-SSL-Cipher: TLS_AES_256_GCM_SHA384",
        f"Authorization: Bearer {asked.peer.secret}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _dovecot_asks(asked: _Asked, login: Login) -> bytes:
    facts = {
        "dovecot": "2.3",
        "separator": "*",
        "user": login.name,
        "password": login.secret,
        "vouched": False,
        "service": "imap",
        "mechanism": "PLAIN",
        "remote_ip": "198.51.100.7",
        "remote_port": "40123",
        "local_ip": "192.0.2.1",
        "local_port": "993",
        "real_remote_ip": "198.51.100.7",
        "secured": "TLS",
        "session": "a4Si/rBgaIN/AAAB",
    }
    body = json.dumps(facts).encode()
    head = [
        "POST /dovecot/auth HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {asked.peer.secret}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


@contextmanager
def _nginx(folder: Path) -> Iterator[tuple[int, int]]:
    room = _room(folder, "nginx")
    plain, tls, auth = free_ports(3)
    certificate = CertificateAuthority(room).issue()
    nginx_conf.write(room, plain, tls, auth, certificate=certificate, upstream=143)
    with running(["/usr/sbin/nginx", "-p", room, "-c", room / "nginx.conf"], room / "log") as pid:
        yield auth, pid


# Dovecot and Postfix


def _dovecot(
    folder: Path, authority: CertificateAuthority, asked: _Asked, _: AskingPostfix, effort: Effort
) -> list[Finding]:
    figures = _Figures()
    with ExitStack() as stack:
        lua = replace(Script23(asked.peer).options, reuse_login_processes=True, extra="")
        runs = [("Lua door", *_running_dovecot(stack, folder, authority, lua, asked), [asked.pid])]
        runs += [(scheme, *_running_dovecot(stack, folder, authority, _own(scheme), asked), []) for scheme in _SCHEMES]
        for _ in range(effort.rounds):
            for name, dovecot, logins, also in runs:
                places = [Place(dovecot.ports.imap, login.name, login.secret) for login in logins[_MEAN]]
                servers = (dovecot.pid, *also)
                figures.add(name, door_load.log_in_to_imap(servers, places, effort.door_seconds, _clients(name)))
    return _beside(figures, "Dovecot, IMAP", "Lua door")


def _postfix(
    folder: Path, authority: CertificateAuthority, asked: _Asked, sasl: AskingPostfix, effort: Effort
) -> list[Finding]:
    figures = _Figures()
    with ExitStack() as stack:
        _start(stack, sasl)
        runs: list[tuple[str, int, Sequence[Login], Callable[[], Sequence[int]]]] = [
            ("SASL door", sasl.ports.relay, asked.logins, lambda: (sasl.pid, asked.pid))
        ]
        for scheme in _SCHEMES:
            dovecot, logins = _running_dovecot(stack, folder, authority, _own(scheme), asked)
            postfix = Postfix(_room(folder, f"postfix-{scheme}"), authority, folder / "mail", dovecot.sasl_socket)
            _start(stack, postfix)
            pids = (postfix, dovecot)
            runs.append((scheme, postfix.ports.submission, logins, lambda pids=pids: [each.pid for each in pids]))
        for _ in range(effort.rounds):
            for name, port, logins, servers in runs:
                places = [Place(port, login.name, login.secret) for login in logins[_MEAN]]
                figures.add(name, door_load.log_in_to_smtp(servers(), places, effort.door_seconds, _clients(name)))
    return _beside(figures, "Postfix, SMTP", "SASL door")


def _beside(figures: _Figures, server: str, ours: str) -> list[Finding]:
    found = []
    for name in figures.rounds:
        kept = name if name == ours else f"passwd-file {name}"
        found += [
            Finding(PART, f"{server}, {kept}: logins per core-second", figures.per_core(name), "/s"),
            Finding(PART, f"{server}, {kept}: logins per second", figures.per_second(name), "/s"),
        ]
    found += [
        Finding(PART, f"{server}: {ours} ÷ passwd-file {name}", figures.per_core(ours) / figures.per_core(name), "×")
        for name in figures.rounds
        if name != ours
    ]
    return found


def _clients(name: str) -> int:
    """Give how many log in at the same time. Postfix waits ten seconds for an answer, and Argon2id would take longer."""
    return 1 if name == "ARGON2ID" else _CLIENTS


def _own(scheme: str) -> DovecotOptions:
    files = (f"passdb {{\n  driver = passwd-file\n  args = {{directory}}/users{n}\n}}\n" for n in range(_EACH))
    return DovecotOptions(reuse_login_processes=True, passdbs="".join(files), scheme=scheme)


def _running_dovecot(
    stack: ExitStack, folder: Path, authority: CertificateAuthority, options: DovecotOptions, asked: _Asked
) -> tuple[Dovecot, Sequence[Login]]:
    """Run a Dovecot with one mailbox; gives it, and how one logs in to it."""
    name = asked.logins[0].name
    person = Person(name, secrets.token_urlsafe(18))
    room = _room(folder, f"dovecot{len(list(folder.iterdir()))}")
    dovecot = Dovecot(room, authority, replace(options, scheme="PLAIN"), [person])
    logins: Sequence[Login] = asked.logins
    if options.scheme != "PLAIN":
        logins = [Login(name, secrets.token_urlsafe(18)) for _ in range(_EACH)]
        for number, login in enumerate(logins):
            kept = _kept(room, options.scheme, login.secret)
            (room / f"users{number}").write_text(f"{name}:{kept}\n")
            (room / f"users{number}").chmod(0o644)
    with on_cores(cores()[0]):
        dovecot.start()
    stack.callback(dovecot.stop)
    return dovecot, logins


def _kept(room: Path, scheme: str, password: str) -> str:
    command = ["doveadm", "-c", str(room / "dovecot.conf"), "pw", "-s", scheme, "-p", password]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def _start(stack: ExitStack, postfix: Postfix) -> None:
    with on_cores(cores()[0]):
        postfix.start()
    stack.callback(postfix.stop)


# Valetkey


@contextmanager
def _valetkey(room: Path, authority: CertificateAuthority, sasl: AskingPostfix) -> Iterator[_Asked]:
    population = populate(room, ((_EACH, 200),), drawn=200 * _EACH)
    name = population.groups[0].logins[0].name
    logins = [login for login in population.groups[0].logins if login.name == name]
    population.store.close()
    peer_room = _room(room, "peer")
    peer = Peer(peer_room, more=("nginx = true",))  # and a Dovecot
    sasl.socket.parent.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(sasl.socket.parent, "postfix")
    sections = {"http": peer.sections, "sasl": sasl.sections()[:-1]}
    (room / "valetkey.toml").write_text(_configuration(room, authority, sections))
    command = [sys.executable, "-m", "valetkey", "--config", room / "valetkey.toml", "serve"]
    with running(command, room / "log") as pid:
        if closed := wait_until_listening([peer.port, sasl.doors.sasl]):
            raise RuntimeError(f"Valetkey does not listen on {closed}:\n{(room / 'log').read_text()[-3000:]}")
        yield _Asked(pid, peer.port, peer, logins)


def _configuration(room: Path, authority: CertificateAuthority, sections: Mapping[str, Sequence[str]]) -> str:
    certificate = authority.issue()
    portal, ops, imap = free_ports(3)
    doors = "\n".join(line for part in sections.values() for line in part)
    http, rest = doors.split("\n", 1)
    return f"""
[server]
hostname = "localhost"
workers = 1
run_directory = "{room}/run"
[store]
path = "{room}/valetkey.db"
[keys]
path = "{room}/keys.toml"
[portal]
listen = "127.0.0.1:{portal}"
[ops]
listen = "127.0.0.1:{ops}"
[policy]
require_tls = false
[[listener]]
protocol = "imap"
listen = "127.0.0.1:{imap}"
[[certificate]]
chain = "{certificate.certificate}"
key = "{certificate.key}"
[[domain]]
name = "*"
[domain.imap]
host = "127.0.0.1"
port = 10143
tls = "none"
login = "master-user"
master_user = "valetkey"
master_secret_file = "{room}/peer/peer-secret"
{http}
peers = ["dovecot"]
{rest}
"""


def _room(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(mode=0o755)
    return path
