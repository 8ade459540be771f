"""What an idle session costs in memory: TLS to the client, logged in, nothing being said."""

from contextlib import AbstractContextManager

from benchmarks import servers
from benchmarks.findings import Finding, at_most
from benchmarks.load import Client, Place, context_of
from benchmarks.processes import allow_open_files, cores, memory_kib, on_cores, settle
from benchmarks.servers import Ground, Server
from benchmarks.settings import Effort

PART = "memory"
_OWN_PROCESS_EACH = 200  # Dovecot's own sessions are a process each: fewer tell the same


def measure(where: Ground, effort: Effort, lacking: dict[str, str]) -> list[Finding]:
    """Measure one server after the other."""
    sessions = min(effort.sessions, allow_open_files(effort.sessions * 2 + 500) - 200)
    found = [at_most(PART, *_of(servers.gateway(where), sessions), 18)]
    if "nginx" not in lacking:
        found.append(Finding(PART, *_of(servers.nginx(where), sessions)))
    if "dovecot" not in lacking:
        proxy = servers.dovecot(where, "PLAIN", is_proxy=True, sessions=sessions)
        found.append(Finding(PART, *_of(proxy, sessions)))
        own = servers.dovecot(where, "PLAIN", is_proxy=False, sessions=sessions)
        found.append(Finding(PART, *_of(own, _OWN_PROCESS_EACH)))
    return found


def _of(starting: AbstractContextManager[Server], sessions: int) -> tuple[str, float, str]:
    """Open sessions and give what one of them takes."""
    with starting as server, on_cores(cores()[1]):
        assert server.tls is not None
        first = _open(server.tls, 20)  # what is made once, by the first sessions, is not the next one's price
        settle(server.pid)
        before = memory_kib(server.pid)
        clients = _open(server.tls, sessions)
        settle(server.pid)
        grown = memory_kib(server.pid) - before
        for client in (*first, *clients):
            client.sock.close()
        return f"{server.name}: one of {sessions:,} idle TLS sessions", grown / sessions, "KiB"


def _open(place: Place, count: int) -> list[Client]:
    context = context_of(place)
    return [Client(place, context) for _ in range(count)]
