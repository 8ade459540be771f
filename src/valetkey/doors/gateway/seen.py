"""When a mail server was reached and when it failed last."""

import time
from dataclasses import dataclass

_MAX_WHY = 300


@dataclass(slots=True)
class Seen:
    """When an upstream was reached and when it failed last; seconds since 1970, 0 is never in this worker's life."""

    reached_at: float = 0.0
    failed_at: float = 0.0
    why: str = ""

    def reached(self) -> None:
        """Note that it let the gateway in, or answered when it was looked at."""
        self.reached_at = time.time()

    def failed(self, why: str) -> None:
        """Note that it did not."""
        self.failed_at, self.why = time.time(), why[:_MAX_WHY]
