"""What a change does not speak of: it is not sent, and stays as it is. None is sent, as null, and lifts it."""

from enum import Enum
from typing import Final


class Unsaid(Enum):
    """The type of `UNSAID`."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID
