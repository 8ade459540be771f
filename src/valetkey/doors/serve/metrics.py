"""What a worker counts, for the operator. Plain numbers: how they are published is the ops door's."""

from collections import Counter
from collections.abc import Callable, Iterator

from valetkey.wire.control import Sample

_HELP = {
    "valetkey_connections_total": "Connections accepted, by protocol.",
    "valetkey_logins_total": "Logins answered, by protocol and result.",
    "valetkey_door_logins_total": "Logins that mail servers asked about, by door, protocol and result.",
    "valetkey_door_requests_total": "Requests of mail servers, by door and what came of them.",
    "valetkey_door_connections": "Open connections from mail servers.",
    "valetkey_handshake_failures_total": "TLS handshakes with clients that failed.",
    "valetkey_closed_before_login_total": "Connections that ended before a login, by reason.",
    "valetkey_upstream_failures_total": "Logins that failed because the upstream was down or refused the gateway.",
    "valetkey_sessions_closed_total": "Live sessions that ended, by reason.",
    "valetkey_relayed_octets_total": "Octets relayed in sessions that have ended, both ways.",
    "valetkey_live_sessions": "Live sessions.",
    "valetkey_waiting_connections": "Connections that have not logged in yet.",
    "valetkey_connections": "Open connections from clients.",
    "valetkey_turned_away_total": "Connections closed at once because too many of their network were waiting.",
}


class Metrics:
    """The counters and gauges of one worker."""

    def __init__(self) -> None:
        self._counters: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._gauges: dict[str, Callable[[], float]] = {}

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Count up. The values of labels are our own words, never what a peer sent."""
        self._counters[name, tuple(labels.items())] += by

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Have `read` called when the value is wanted."""
        self._gauges[name] = read

    def samples(self) -> Iterator[Sample]:
        """Give every value."""
        for (name, labels), value in self._counters.items():
            yield Sample(name, "counter", _HELP[name], float(value), dict(labels))
        for name, read in self._gauges.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            yield Sample(name, kind, _HELP[name], float(read()))
