"""The mail servers: those behind the gateway, as its workers know them, and the places where others ask."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from valetkey.core.scope import MailProtocol


@dataclass(frozen=True, slots=True)
class MailServer:
    """One protocol of one mail server behind the gateway, and how it stands, as its workers know it."""

    protocol: MailProtocol
    host: str
    port: int
    tls: str  # "implicit", "starttls" or "none"
    domains: tuple[str, ...]  # "*" serves those that have no entry of their own
    connections: int  # open now
    reached_at: datetime | None  # when it last let the gateway in; None: not since the workers began
    failed_at: datetime | None
    why: str  # of the last failure, in the operator's words

    @property
    def is_failing(self) -> bool:
        """Whether the last thing that happened was a failure."""
        return self.failed_at is not None and (self.reached_at is None or self.failed_at > self.reached_at)


class MailServers(Protocol):
    """The mail servers behind the gateway."""

    async def standings(self) -> tuple[MailServer, ...]:
        """Tell how they stand.

        Raises:
            core.errors.Unavailable: No worker answers.
        """


@dataclass(frozen=True, slots=True)
class MailDoor:
    """A place where mail servers ask, as the configuration has it."""

    kind: str  # what is spoken there
    place: str  # address and port, or the path of a unix socket
    has_tls: bool
    peers: tuple[str, ...]  # who may ask there

    @property
    def name(self) -> str:
        """What its questions are counted under."""
        return f"{self.kind} {self.place}"
