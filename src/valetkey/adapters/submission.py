"""Handing mail to a submission server (RFC 6409), by aiosmtplib. Certificates are always verified."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from valetkey.adapters.mailer import MailEncryption, MailServer
from valetkey.core.errors import CannotStart, Refused, Unavailable
from valetkey.core.mail_address import is_mailable
from valetkey.service.mail_parts import Mail

_STEP_SECONDS = 10.0
_ALL_SECONDS = 30.0
_MAX_TOLD = 200  # of what a server says

_REFUSALS = (
    aiosmtplib.SMTPRecipientsRefused,
    aiosmtplib.SMTPRecipientRefused,
    aiosmtplib.SMTPSenderRefused,
    aiosmtplib.SMTPDataError,
    aiosmtplib.SMTPNotSupported,
)


class SmtpMailer:
    """Fulfils `service.mail_parts.Mailer`; one connection per mail."""

    def __init__(self, server: MailServer, read_password: Callable[[], str]) -> None:
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
        try:
            octets = bytes(_message(self._server, mail))
        except ValueError:  # a line break in a header, a lone surrogate
            raise Refused("This cannot be written as a mail.") from None
        options = [] if mail.recipient.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        sender, to = self._server.sender, [mail.recipient]
        await self._with_server(lambda smtp: smtp.sendmail(sender, to, octets, mail_options=options))

    async def probe(self) -> None:
        """Connect, log in, and send nothing.

        Raises:
            Unavailable: As of `send`.
        """
        await self._with_server(lambda smtp: smtp.noop())

    async def _with_server(self, use: Callable[[aiosmtplib.SMTP], Awaitable[object]]) -> None:
        place = f"{self._server.host}:{self._server.port}"
        try:
            async with asyncio.timeout(_ALL_SECONDS):
                await self._converse(use)
        except _REFUSALS as refusal:
            raise Refused("{place} refuses: {why}", place=place, why=_told(refusal)) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as trouble:  # TimeoutError and ssl.SSLError are OSErrors
            raise Unavailable("{place}: {why}", place=place, why=_told(trouble)) from None
        except CannotStart as trouble:
            raise Unavailable(trouble.sentence) from None

    async def _converse(self, use: Callable[[aiosmtplib.SMTP], Awaitable[object]]) -> None:
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=_STEP_SECONDS,
            use_tls=server.encryption is MailEncryption.TLS,
            start_tls=server.encryption is MailEncryption.STARTTLS,
            tls_context=_context(server),
        )
        try:
            await smtp.connect()
            if server.user:
                await smtp.login(server.user, self._read_password())
            await use(smtp)
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it is handed over; how we part is no matter
                await smtp.quit()
        finally:
            smtp.close()


def _context(server: MailServer) -> ssl.SSLContext | None:
    if server.encryption is MailEncryption.NONE:
        return None
    context = ssl.create_default_context(cafile=None if server.ca_file is None else str(server.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _message(server: MailServer, mail: Mail) -> EmailMessage:
    # The policy refuses line breaks in header values; addresses are checked before they come here.
    message = EmailMessage(policy=SMTP.clone(utf8=not mail.recipient.isascii()))
    message["From"] = _address(server.sender, server.sender_name)
    message["To"] = _address(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.date)
    message["Message-ID"] = f"<{mail.id}@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5
    message.set_content(mail.text)
    return message


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _told(trouble: Exception) -> str:
    """Say what went wrong, on one line; servers say what they like."""
    if isinstance(trouble, aiosmtplib.SMTPRecipientsRefused) and trouble.recipients:
        trouble = trouble.recipients[0]
    text = str(trouble) or type(trouble).__name__
    return "".join(c if c.isprintable() else " " for c in text)[:_MAX_TOLD]
