"""What sending notices asks from outside: a way to a mail server."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, in plain text."""

    recipient: str
    subject: str
    text: str = field(repr=False)  # it may hold a one-time link
    date: datetime
    id: str  # the same when it is tried again, so that a mailbox can tell that it is the same


class Mailer(Protocol):
    """The way to a mail server that takes mail for anybody."""

    async def send(self, mail: Mail) -> None:
        """Hand a mail over.

        Raises:
            core.errors.Refused: The server does not take this mail.
            core.errors.Unavailable: The server cannot be asked, or does not take any mail now.
        """
