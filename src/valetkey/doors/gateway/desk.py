"""What all sessions of one worker share."""

from dataclasses import dataclass, field

from valetkey.doors.gateway.announcing import Announcements
from valetkey.doors.gateway.live import LiveRegistry
from valetkey.doors.gateway.relay import Relay
from valetkey.doors.gateway.settings import Settings
from valetkey.doors.gateway.upstream import Upstreams
from valetkey.doors.serve import Acceptor, Driver, ServerCertificates
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.ports import Ports


@dataclass(slots=True)
class Desk:
    """The worker's settings, ports and registries."""

    worker: str
    settings: Settings
    ports: Ports
    driver: Driver
    certificates: ServerCertificates | None  # None: no listener does TLS
    acceptor: Acceptor
    upstreams: Upstreams
    announcements: Announcements
    live: LiveRegistry
    metrics: Metrics
    relays: set[Relay] = field(default_factory=set)
