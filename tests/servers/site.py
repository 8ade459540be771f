"""Dovecot and Postfix together: a small mail provider on localhost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.servers.certificates import CertificateAuthority
from tests.servers.dovecot import Dovecot
from tests.servers.dovecot24 import Dovecot24
from tests.servers.dovecot_settings import USUAL, DovecotOptions
from tests.servers.listening import running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import Maildirs
from tests.servers.places import own_directory
from tests.servers.postfix import Postfix


@dataclass(frozen=True, slots=True)
class MailSite:
    """A Dovecot whose submission relays to a Postfix, which delivers into the Dovecot's mailboxes."""

    authority: CertificateAuthority
    dovecot: Dovecot | Dovecot24
    postfix: Postfix

    @property
    def mail(self) -> Maildirs:
        """The mailboxes on disk."""
        return self.dovecot.mail

    @property
    def logs(self) -> list[ServerLog]:
        """Both servers' logs."""
        return [self.dovecot.log, self.postfix.log]


@contextmanager
def running_site(authority: CertificateAuthority, options: DovecotOptions = USUAL) -> Iterator[MailSite]:
    """Run both servers, each in a directory of its own."""
    with own_directory("dovecot") as mail_place, own_directory("postfix") as post_place:
        postfix = Postfix(post_place, authority, mail_place / "mail", mail_place / "sasl")
        dovecot = Dovecot(mail_place, authority, replace(options, relay_port=postfix.ports.relay))
        with together(authority, dovecot, postfix) as site:
            yield site


@contextmanager
def together(authority: CertificateAuthority, dovecot: Dovecot | Dovecot24, postfix: Postfix) -> Iterator[MailSite]:
    """Run two that know of each other."""
    with running(dovecot), running(postfix):
        yield MailSite(authority, dovecot, postfix)
