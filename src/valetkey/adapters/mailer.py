"""The submission server that mail is handed to, as the configuration names it; `submission` does the handing over."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from valetkey.service.mail_parts import Mailer


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


class ServerMailer(Mailer, Protocol):
    """A way to a mail server that can be tried."""

    async def probe(self) -> None:
        """Connect, log in, and send nothing.

        Raises:
            core.errors.Unavailable: The server cannot be reached, is not who it should be, or lets us not in.
        """
