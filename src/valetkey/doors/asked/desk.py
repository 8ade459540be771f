"""What all doors for mail servers share in one worker."""

from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from valetkey.doors.asked.attempts import Asking
from valetkey.doors.asked.listening import Listening, Talk
from valetkey.doors.asked.settings import Door, Settings
from valetkey.doors.serve import Driver, ServerCertificates
from valetkey.doors.serve.metrics import Metrics
from valetkey.service.ports import Ports
from valetkey.service.tallies import Asked, AskedOutcome


@dataclass(frozen=True, slots=True)
class Desk:
    """The worker's settings, ports and registries."""

    settings: Settings
    ports: Ports
    driver: Driver
    metrics: Metrics
    certificates: ServerCertificates | None  # None: no door has TLS
    open_to_streams: list[Listening] = field(default_factory=list)

    def count(self, door: Door, outcome: AskedOutcome, peer: str, place: str = "") -> None:
        """Count what came of a question at a door, for the page that shows who asks; `peer` may be `NOBODY_KNOWN`."""
        self.ports.recorder.count(Asked(door.counted_as, peer, outcome), self.ports.clock.now(), place)

    def asking(self, door: Door) -> Asking:
        """Give what asks the one decision on behalf of a door."""
        return Asking(self.ports, self.metrics, door, self.settings.help_url)

    def listening(self, door: Door, talk: Talk) -> Listening:
        """Give what accepts the connections of a door."""
        turned_away = partial(self.count, door, AskedOutcome.TURNED_AWAY)
        listening = Listening(self.driver, door, self.settings.limits, talk, self.certificates, turned_away=turned_away)
        self.open_to_streams.append(listening)
        return listening


class OpenDoor(Protocol):
    """A door that is being served."""

    async def end(self) -> None:
        """Serve no more; answers that are due have a moment."""
