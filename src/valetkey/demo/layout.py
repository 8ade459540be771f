"""Where the demo's things are: its ports, its files, and the configuration that says so."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from valetkey.adapters.mailer import MailEncryption
from valetkey.config.kinds import Endpoint
from valetkey.config.sections import (
    Config,
    Domain,
    Keys,
    Listener,
    MailerSection,
    Ops,
    PolicySection,
    Portal,
    Server,
    Store,
    Upstream,
)
from valetkey.core.errors import CannotStart
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin

HOST = "localhost"
DOMAIN = "example.test"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PortNumbers:
    """The demo's ports, counted from the first."""

    base: int

    @property
    def portal(self) -> int:
        """The portal, http://localhost."""
        return self.base

    @property
    def portal_tls(self) -> int:
        """The portal, https://localhost."""
        return self.base + 1

    @property
    def listeners(self) -> dict[str, int]:
        """The gateway's listeners by name."""
        names = ("imaps", "imap", "pop3s", "pop3", "smtps", "submission", "sieve")
        return {name: self.base + 2 + number for number, name in enumerate(names)}

    @property
    def ops(self) -> int:
        """Health and metrics."""
        return self.base + 9

    @property
    def mailbox(self) -> dict[MailProtocol, int]:
        """The embedded mailbox behind the gateway."""
        return {protocol: self.base + 10 + number for number, protocol in enumerate(MailProtocol)}


@dataclass(frozen=True, slots=True)
class Files:
    """The demo's files."""

    state: Path

    @property
    def mail(self) -> Path:
        """The sample people's Maildirs."""
        return self.state / "mail"

    @property
    def config(self) -> Path:
        """A configuration that the other commands can be given with --config."""
        return self.state / "valetkey.toml"

    @property
    def people(self) -> Path:
        """The sample people and their secrets: what a second start needs to go on."""
        return self.state / "people.json"

    @property
    def facts(self) -> Path:
        """Everything that a script wants to know; there while the demo runs."""
        return self.state / "demo.json"

    @property
    def log(self) -> Path:
        """The log."""
        return self.state / "demo.log"

    @property
    def ca(self) -> Path:
        """The local certificate authority."""
        return self.state / "tls" / "ca.pem"


@contextmanager
def held(state: Path) -> Iterator[Files]:
    """Hold the demo's folder for this run.

    Raises:
        CannotStart: It is in use, is somebody else's, or cannot be written.
    """
    marker = state / ".valetkey-demo"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not marker.exists() and any(state.iterdir()):
            raise CannotStart(f"{state} is not empty, and not a demo's. Name another folder with --state.")
        descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"The folder {state} cannot be used: {error.strerror}.") from None
    with os.fdopen(descriptor, "r+"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mend = "Stop it first, or name another folder with --state and other ports with --base-port."
            raise CannotStart(f"A demo is running in {state} already. {mend}") from None
        yield Files(state.absolute())


def require_free(ports: PortNumbers) -> None:
    """Make sure that the mailbox's ports are free; the others are bound before anything starts.

    Raises:
        CannotStart: One is taken; the text names it.
    """
    for port in ports.mailbox.values():
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((LOOPBACK, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                mend = "Choose others with --base-port."
                raise CannotStart(
                    f"Port {port} is in use already, so the demo's mailbox cannot use it. {mend}"
                ) from None


def configuration(files: Files, ports: PortNumbers, workers: int) -> Config:
    """Give the demo's configuration."""
    return Config(
        server=Server(HOST, DOMAIN, workers, "", files.state / "run", files.state / "tls"),
        store=Store(files.state / "valetkey.db"),
        keys=Keys(files.state / "keys.toml"),
        portal=Portal(
            Endpoint(HOST, ports.portal), "", Endpoint(HOST, ports.portal_tls), f"https://{HOST}:{ports.portal_tls}"
        ),
        ops=Ops(Endpoint(LOOPBACK, ports.ops)),
        policy=PolicySection(main_password_opens_mail=True),
        mailer=MailerSection(
            LOOPBACK, ports.mailbox[MailProtocol.SMTP], MailEncryption.NONE, sender=f"valetkey@{DOMAIN}"
        ),
        networks={
            "this-computer": (ip_network("127.0.0.1/32"), ip_network("::1/128")),
            "office": (ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/48")),
        },
        listener=tuple(_listeners(ports)),
        domain=(_domain(ports),),
    )


def _listeners(ports: PortNumbers) -> Iterator[Listener]:
    protocols = {
        "imaps": (MailProtocol.IMAP, TlsMode.IMPLICIT),
        "imap": (MailProtocol.IMAP, TlsMode.STARTTLS),
        "pop3s": (MailProtocol.POP3, TlsMode.IMPLICIT),
        "pop3": (MailProtocol.POP3, TlsMode.STARTTLS),
        "smtps": (MailProtocol.SMTP, TlsMode.IMPLICIT),
        "submission": (MailProtocol.SMTP, TlsMode.STARTTLS),
        "sieve": (MailProtocol.SIEVE, TlsMode.STARTTLS),
    }
    for name, port in ports.listeners.items():
        protocol, tls = protocols[name]
        yield Listener(protocol, Endpoint(LOOPBACK, port), tls)


def _domain(ports: PortNumbers) -> Domain:
    by_protocol = {
        protocol: Upstream(LOOPBACK, port, TlsMode.NONE, UpstreamLogin.STORED_PASSWORD)
        for protocol, port in ports.mailbox.items()
    }
    return Domain(
        DOMAIN,
        by_protocol[MailProtocol.IMAP],
        by_protocol[MailProtocol.POP3],
        by_protocol[MailProtocol.SMTP],
        by_protocol[MailProtocol.SIEVE],
    )
