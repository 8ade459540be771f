"""The estimate of passwords, in a thread of its own, one at a time."""

from collections.abc import Callable, Sequence

from valetkey.adapters.lane import Lane
from valetkey.core.password_strength import Strength
from valetkey.late import late

_WAITING = 20
_DEADLINE = 10.0  # seconds
# Loaded when a password is first set: its word lists take 15 MB, which no gateway worker needs.
_measure: Callable[[str, Sequence[str]], Strength] = late("valetkey.adapters.password_estimate:measure")


class ZxcvbnGauge:
    """Fulfils `service.sign_in_parts.PasswordGauge`."""

    def __init__(self) -> None:
        self._lane = Lane("password-gauge", threads=1, waiting=_WAITING)

    async def measure(self, password: str, known: Sequence[str]) -> Strength:
        """Estimate a password, given what a guesser knows of the person. Only its beginning is looked at.

        Raises:
            Unavailable: Too many wait already, or it took too long.
        """
        return await self._lane.run(
            lambda: _measure(password, known), timeout=_DEADLINE, what="The estimate of the password"
        )

    def close(self) -> None:
        """End its thread."""
        self._lane.close()
