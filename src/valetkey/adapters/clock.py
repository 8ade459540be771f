"""The time of this machine."""

from datetime import UTC, datetime


class SystemClock:
    """Fulfils `service.ports.Clock`."""

    def now(self) -> datetime:
        """Give the time now, aware, UTC, to the microsecond."""
        return datetime.now(UTC)
