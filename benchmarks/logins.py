"""What one IMAP login costs: connect, TLS 1.3, LOGIN, LOGOUT. CPU of the server's processes, its helpers included."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from statistics import median

from benchmarks import servers
from benchmarks.findings import Finding, at_most
from benchmarks.load import Place, log_in_and_out
from benchmarks.processes import settle
from benchmarks.servers import Ground, Server
from benchmarks.settings import Effort

PART = "login"
_CLIENTS = 8
_Figures = dict[tuple[str, str], list[tuple[float, float]]]


def measure(where: Ground, effort: Effort, lacking: dict[str, str]) -> list[Finding]:
    """Measure all servers in turns, and hold the gateway against the others."""
    figures: _Figures = defaultdict(list)
    with ExitStack() as stack:
        running = [stack.enter_context(start(where)) for start in _starts(lacking)]
        for server in running:
            _log_in(server, server.plain, 0.5)
            settle(server.pid)
        for _ in range(effort.rounds):
            for server in running:
                for kind, place in (("plain", server.plain), ("TLS", server.tls)):
                    if place is not None:
                        figures[server.name, kind].append(_log_in(server, place, effort.login_seconds))
    return _findings(figures)


def _starts(lacking: dict[str, str]) -> list[Callable[[Ground], AbstractContextManager[Server]]]:
    starts = [servers.gateway]
    if "nginx" not in lacking:
        starts.append(servers.nginx)
    if "dovecot" not in lacking:
        starts += [
            lambda where: servers.dovecot(where, "PLAIN", is_proxy=True),
            lambda where: servers.dovecot(where, "SHA512-CRYPT", is_proxy=True),
            lambda where: servers.dovecot(where, "PLAIN", is_proxy=False),
            lambda where: servers.dovecot(where, "SHA512-CRYPT", is_proxy=False),
            lambda where: servers.dovecot(where, "ARGON2ID", is_proxy=False),
        ]
    return starts


def _log_in(server: Server, place: Place, seconds: float) -> tuple[float, float]:
    """Give CPU microseconds per login, and logins per second of the whole: server, mailbox server and clients."""
    done = log_in_and_out(server.pid, place, seconds, _CLIENTS)
    return 1e6 / done.per_cpu_second, done.per_second


def _findings(figures: _Figures) -> list[Finding]:
    found = []
    costs = {key: median(cost for cost, _ in rounds) for key, rounds in figures.items()}
    for (name, kind), rounds in figures.items():
        found += [
            Finding(PART, f"{name}, {kind}: CPU per login", costs[name, kind], "µs"),
            Finding(PART, f"{name}, {kind}: all together", median(rate for _, rate in rounds), "/s"),
        ]
    ours = {kind: costs["Valetkey gateway", kind] for kind in ("plain", "TLS")}
    targets = {"nginx mail": 1.25, "Dovecot proxy, PLAIN": 0.9, "Dovecot proxy, SHA512-CRYPT": 0.35}
    for name, limit in targets.items():
        if (name, "TLS") in costs:
            found += [
                at_most(PART, f"gateway ÷ {name}, TLS", ours["TLS"] / costs[name, "TLS"], "×", limit),
                Finding(PART, f"gateway ÷ {name}, plain", ours["plain"] / costs[name, "plain"], "×"),
            ]
    for name in ("Dovecot, PLAIN", "Dovecot, SHA512-CRYPT", "Dovecot, ARGON2ID"):
        if (name, "TLS") in costs:
            found.append(Finding(PART, f"gateway ÷ {name}, TLS", ours["TLS"] / costs[name, "TLS"], "×"))
    return found
