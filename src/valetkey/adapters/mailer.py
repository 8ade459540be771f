"""Handing mail to a submission server: where it is, as whom we come, and what is handed over."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from valetkey.core.errors import Refused
from valetkey.core.mail_address import is_mailable
from valetkey.late import late
from valetkey.service.mail_parts import Mail


class MailEncryption(StrEnum):
    """How the connection to the server is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"  # a server on this machine


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, as whom, and from which address."""

    host: str
    port: int
    encryption: MailEncryption
    sender: str
    sender_name: str
    user: str = ""  # "": without logging in
    ca_file: Path | None = None  # None: the system's authorities


_ReadPassword = Callable[[], str]
# The configuration imports this module at every start, and mail is sent in one process only.
_hand_over: Callable[[MailServer, _ReadPassword, Mail], Coroutine[Any, Any, None]] = late(
    "valetkey.adapters.submission:hand_over"
)
_knock: Callable[[MailServer, _ReadPassword], Coroutine[Any, Any, None]] = late("valetkey.adapters.submission:knock")


class SmtpMailer:
    """Fulfils `service.mail_parts.Mailer`; one connection per mail."""

    def __init__(self, server: MailServer, read_password: _ReadPassword) -> None:
        """Take a server; its password is read anew for each mail, so that a new one holds at once."""
        self._server = server
        self._read_password = read_password

    async def send(self, mail: Mail) -> None:
        """Hand a mail over.

        Raises:
            Refused: The address cannot be written to, or the server does not take this mail.
            Unavailable: The server cannot be reached, is not who it should be, or lets us not in.
        """
        if not is_mailable(mail.recipient):
            raise Refused("No mail can be sent to this address.")
        await _hand_over(self._server, self._read_password, mail)

    async def probe(self) -> None:
        """Connect, log in, and send nothing.

        Raises:
            Unavailable: As of `send`.
        """
        await _knock(self._server, self._read_password)
