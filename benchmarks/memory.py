"""What an idle session costs in memory: TLS to the client, logged in, nothing being said."""

from contextlib import AbstractContextManager
from itertools import cycle, islice

from benchmarks import servers
from benchmarks.findings import Finding, at_most
from benchmarks.load import Client, context_of
from benchmarks.processes import allow_open_files, cores, memory_kib, on_cores, settle
from benchmarks.servers import Ground, Server
from benchmarks.settings import Effort

PART = "memory"
_ENOUGH = 2_000  # sessions, for the target
_OWN_PROCESS_EACH = 200  # Dovecot's own sessions are a process each: fewer tell the same


def measure(where: Ground, effort: Effort, lacking: dict[str, str]) -> list[Finding]:
    """Measure one server after the other."""
    count = min(effort.sessions, (allow_open_files(effort.sessions * 4 + 500) - 200) // 3)
    # Fewer sessions live on what the start has freed, so they prove nothing.
    limit = 18 if count >= _ENOUGH else None
    found = _of(servers.gateway(where), count, limit=limit)
    if "nginx" not in lacking:
        found += _of(servers.nginx(where), count)
    if "dovecot" not in lacking:
        found += _of(servers.dovecot(where, "PLAIN", is_proxy=True, sessions=2 * count), count)
        own = servers.dovecot(where, "PLAIN", is_proxy=False, sessions=2 * _OWN_PROCESS_EACH)
        found += _of(own, _OWN_PROCESS_EACH, shared=True)
    return found


def _of(
    starting: AbstractContextManager[Server], count: int, *, limit: float | None = None, shared: bool = False
) -> list[Finding]:
    """Open sessions, then half as many more.

    What the start of a server has left free serves its first sessions, so the difference of the first `count` flatters
    it; the price of one more is what the second batch adds.
    """
    with starting as server, on_cores(cores()[1]):
        empty = memory_kib(server.pid, shared=shared)
        clients = _open(server, count)
        settle(server.pid)
        full = memory_kib(server.pid, shared=shared)
        more = _open(server, count // 2)
        settle(server.pid)
        price = (memory_kib(server.pid, shared=shared) - full) / len(more)
        for client in (*clients, *more):
            client.sock.close()
    name = f"{server.name}, idle TLS session"
    figures = {
        f"{name}: growth from 0 to {count:,}, each": (full - empty) / count,
        f"{name}: one more beyond {count:,}": price,
    }
    if limit is None:
        return [Finding(PART, what, figure, "KiB") for what, figure in figures.items()]
    return [at_most(PART, what, figure, "KiB", limit) for what, figure in figures.items()]


def _open(server: Server, count: int) -> list[Client]:
    places = server.everybody or [server.tls or server.plain]
    context = context_of(places[0])
    return [Client(place, context) for place in islice(cycle(places), count)]
