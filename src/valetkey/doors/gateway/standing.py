"""How the mail servers behind the gateway stand, as one worker knows it: reached when, failed when and why."""

from collections.abc import Iterator, Mapping
from typing import Any

from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.live import LiveRegistry
from valetkey.doors.gateway.settings import Settings
from valetkey.doors.gateway.upstream import Upstreams


class ServerStandings:
    """Tells of every mail server of the configuration how it stands."""

    def __init__(self, settings: Settings, upstreams: Upstreams, live: LiveRegistry) -> None:
        self._settings = settings
        self._upstreams = upstreams
        self._live = live

    def items(self) -> Iterator[Mapping[str, Any]]:
        """Give one item for each server and protocol."""
        connections = self._connections()
        for protocol in MailProtocol:
            for upstream in self._upstreams.by_protocol[protocol]:
                seen = self._upstreams.seen(upstream, protocol)
                yield {
                    "protocol": protocol.value,
                    "host": upstream.host,
                    "port": upstream.port,
                    "tls": upstream.tls.value,
                    "domains": [
                        each.name for each in self._settings.domains if each.upstreams.get(protocol) == upstream
                    ],
                    "connections": connections.get((protocol, upstream), 0),
                    "reached_at": seen.reached_at,
                    "failed_at": seen.failed_at,
                    "why": seen.why,
                }

    def _connections(self) -> dict[Any, int]:
        counts: dict[Any, int] = {}
        for address, protocol in self._live.addresses():
            key = (protocol, self._upstreams.find(address, protocol))
            counts[key] = counts.get(key, 0) + 1
        return counts
