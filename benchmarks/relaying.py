"""What passes after login: a large FETCH, and small commands one after the other. Per second of the server's CPU."""

from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

from benchmarks import servers
from benchmarks.findings import Finding, at_least
from benchmarks.load import Done, Place, fetch_much, send_small_commands
from benchmarks.processes import settle
from benchmarks.servers import Ground, Server
from benchmarks.settings import Effort

PART = "relay"
MESSAGE = 64 * 1024 * 1024  # octets
_MB = 1e6
_FETCHERS, _COMMANDERS = 2, 4
_Load = Callable[[int, Place, float, int], Done]


def measure(where: Ground, effort: Effort, lacking: dict[str, str]) -> list[Finding]:
    """Measure all servers in turns."""
    with ExitStack() as stack:
        ours = stack.enter_context(servers.gateway(where))
        others = [stack.enter_context(servers.nginx(where))] if "nginx" not in lacking else []
        if "dovecot" not in lacking:
            others.append(stack.enter_context(servers.dovecot(where, "PLAIN", is_proxy=True)))
        all_servers = [ours, *others]
        for server in all_servers:
            settle(server.pid)
        fetched = _in_turns(all_servers, fetch_much, _FETCHERS, effort)
        asked = _in_turns(all_servers, send_small_commands, _COMMANDERS, effort)
        mailbox = servers.direct(where)
        direct = fetch_much(mailbox.pid, mailbox.plain, effort.relay_seconds, _FETCHERS)
    return _fetch_findings(fetched, direct) + _command_findings(asked)


_Figures = dict[tuple[str, str], tuple[float, float]]  # per CPU second, per second


def _places(server: Server) -> list[tuple[str, Place]]:
    wanted = {
        "plain": server.plain,
        "TLS": server.tls,
        "limited plain": server.limited_plain,
        "limited TLS": server.limited,
    }
    return [(kind, place) for kind, place in wanted.items() if place is not None]


def _in_turns(all_servers: list[Server], load: _Load, clients: int, effort: Effort) -> _Figures:
    rounds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(effort.rounds):
        for server in all_servers:
            for kind, place in _places(server):
                done = load(server.pid, place, effort.relay_seconds, clients)
                rounds.setdefault((server.name, kind), []).append((done.per_cpu_second, done.per_second))
    return {key: (median(a for a, _ in each), median(b for _, b in each)) for key, each in rounds.items()}


def _fetch_findings(figures: _Figures, direct: Done) -> list[Finding]:
    found = [Finding(PART, "direct connection, plain: FETCH", direct.per_second / _MB, "MB/s")]
    for (name, kind), (per_cpu, per_second) in figures.items():
        found += [
            Finding(PART, f"{name}, {kind}: FETCH", per_cpu / _MB, "MB/core-s"),
            Finding(PART, f"{name}, {kind}: FETCH, elapsed", per_second / _MB, "MB/s"),
        ]
    ours = {kind: per_cpu for (name, kind), (per_cpu, _) in figures.items() if name == "Valetkey gateway"}
    if ("nginx mail", "TLS") in figures:
        nginx = {kind: figures["nginx mail", kind][0] for kind in ("plain", "TLS")}
        found += [
            at_least(PART, "FETCH, gateway ÷ nginx mail, TLS", ours["TLS"] / nginx["TLS"], "×", 1.0),
            at_least(PART, "FETCH, gateway ÷ nginx mail, plain", ours["plain"] / nginx["plain"], "×", 2.0),
        ]
    return [
        *found,
        at_least(PART, "FETCH, limited ÷ unlimited, TLS", ours["limited TLS"] / ours["TLS"], "×", 0.5),
        at_least(PART, "FETCH, limited ÷ unlimited, plain", ours["limited plain"] / ours["plain"], "×", 0.5),
        Finding(
            PART,
            "FETCH, elapsed, gateway ÷ direct, plain",
            figures["Valetkey gateway", "plain"][1] / direct.per_second,
            "×",
        ),
    ]


def _command_findings(figures: _Figures) -> list[Finding]:
    found = [
        Finding(PART, f"{name}, {kind}: small commands", per_cpu, "/core-s")
        for (name, kind), (per_cpu, _) in figures.items()
    ]
    ours = figures["Valetkey gateway", "TLS"][0]
    for name, limit in (("nginx mail", 0.75), ("Dovecot proxy, PLAIN", 2.0)):
        if (name, "TLS") in figures:
            ratio = ours / figures[name, "TLS"][0]
            found.append(at_least(PART, f"small commands, gateway ÷ {name}, TLS", ratio, "×", limit))
    return found
