"""The gateway's configuration file, store and keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.population import Login, issue_one, populate
from tests.servers.certificates import ServerCertificate

_MASTER = "upstream-secret"
_SHAPE = ((1, 500), (10, 50))


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway listens."""

    plain: int
    tls: int
    ops: int
    portal: int


@dataclass(frozen=True, slots=True)
class Secrets:
    """App passwords: `user`'s unlimited one and one that may only read; and everybody's, for one account may hold few connections."""

    unlimited: str
    limited: str
    everybody: Sequence[Login]


def prepare(room: Path, ports: Ports, certificate: ServerCertificate, upstream: int, user: str) -> Secrets:
    """Write everything into `room`."""
    population = populate(room, _SHAPE, drawn=500)
    unlimited = next(login for login in population.groups[0].logins if login.name == user)
    limited = issue_one(population, 0, "mail-app-read-only")
    population.store.close()
    master = room / _MASTER
    master.write_text("let-the-gateway-in\n")
    master.chmod(0o600)
    (room / "valetkey.toml").write_text(_configuration(room, ports, certificate, upstream))
    return Secrets(unlimited.secret, limited.secret, population.groups[0].logins)


def _configuration(room: Path, ports: Ports, certificate: ServerCertificate, upstream: int) -> str:
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
listen = "127.0.0.1:{ports.portal}"

[ops]
listen = "127.0.0.1:{ports.ops}"

[policy]
require_tls = false

[gateway]
waiting_per_network = 10000
sessions_per_account = 1000000

[[listener]]
protocol = "imap"
listen = "127.0.0.1:{ports.tls}"
tls = "implicit"

[[listener]]
protocol = "imap"
listen = "127.0.0.1:{ports.plain}"
tls = "none"
plaintext_login = true

[[certificate]]
chain = "{certificate.certificate}"
key = "{certificate.key}"

[[domain]]
name = "*"

[domain.imap]
host = "127.0.0.1"
port = {upstream}
tls = "none"
login = "master-user"
master_user = "valetkey"
master_secret_file = "{room / _MASTER}"
"""
