"""Joins what sends notices: the mail server of the configuration, the language and the portal's address."""

from collections.abc import Callable

import structlog

from valetkey.adapters.mailer import MailServer, ServerMailer
from valetkey.app.repeating import again_and_again
from valetkey.app.settings import portal_urls, read_secret
from valetkey.config.sections import Config
from valetkey.core.mail_address import mail_address
from valetkey.doors.web.catalogues import installed_catalogues
from valetkey.doors.web.languages import Languages
from valetkey.late import late
from valetkey.service.mailing import Letterhead, send_due
from valetkey.service.ports import Ports

_log = structlog.get_logger("valetkey.mailing")

_smtp_mailer: Callable[[MailServer, Callable[[], str]], ServerMailer] = late("valetkey.adapters.submission:SmtpMailer")
_SECONDS = 3.0  # a person waits for the link


def mailer_of(config: Config) -> ServerMailer | None:
    """Give the way to the configured mail server, or None if there is none. Nothing is connected or read yet."""
    section = config.mailer
    if not section.host:
        return None
    server = MailServer(
        host=section.host,
        port=section.port,
        encryption=section.encryption,
        sender=mail_address(section.sender),
        sender_name=config.portal.site_name,
        user=section.user,
        ca_file=section.ca_file,
    )
    password_file = section.password_file
    return _smtp_mailer(server, lambda: read_secret(password_file, "[mailer] password_file") if password_file else "")


def letterhead_of(config: Config) -> Letterhead:
    """Give in whose name, where from and in which language notices are sent."""
    language = Languages(installed_catalogues()).choose(config.portal.language, "")
    return Letterhead(portal_urls(config)[0], config.portal.site_name, language.translated)


async def keep_sending(ports: Ports, letterhead: Letterhead) -> None:
    """Send what is due every few seconds, until cancelled. In one process of an installation only."""

    async def send() -> None:
        sent = await send_due(ports, ports.mailer, letterhead)
        if sent:
            _log.info("notices_sent", count=sent)

    await again_and_again(send, _SECONDS, "notices_not_sent")
