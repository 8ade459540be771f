"""Logs in to a mail server as a mail program would: one connection, one login, and what came of it."""

import socket
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from valetkey.core.scope import MailProtocol
from valetkey.wire.imap_client import ImapClient
from valetkey.wire.machine import ClientMachine, Credentials, LoggedIn, LoginFailed, StartTlsAsked
from valetkey.wire.pop3_client import Pop3Client
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.smtp_client import SmtpClient

_WITHIN = 30.0  # seconds for one answer: servers make those wait that were refused before
_CONNECT_WITHIN = 3.0
_READ = 16384
_HELLO = "valetkey-connect.localdomain"


class End(Enum):
    """How a login ended."""

    IN = "in"
    REFUSED = "refused"
    LATER = "later"  # the server says to try again, or has no way to log in
    UNREACHABLE = "unreachable"
    NO_TLS = "no-tls"


@dataclass(frozen=True, slots=True)
class Port:
    """A port where mail programs log in. `name` is such as imaps; those in s speak TLS from the first octet."""

    name: str
    host: str
    number: int
    protocol: MailProtocol

    @property
    def is_implicit(self) -> bool:
        """Whether TLS begins with the first octet; otherwise by STARTTLS."""
        return self.name.endswith("s")

    def __str__(self) -> str:
        return f"{self.name} at {self.host}:{self.number}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a login ended, and the server's words."""

    end: End
    text: str = ""


USUAL_PORTS = {
    "imaps": (993, MailProtocol.IMAP),
    "imap": (143, MailProtocol.IMAP),
    "pop3s": (995, MailProtocol.POP3),
    "pop3": (110, MailProtocol.POP3),
    "submissions": (465, MailProtocol.SMTP),
    "submission": (587, MailProtocol.SMTP),
    "sieve": (4190, MailProtocol.SIEVE),
}


def listens(port: Port) -> bool:
    """Tell whether anybody answers at a port."""
    try:
        with socket.create_connection((port.host, port.number), _CONNECT_WITHIN):
            return True
    except OSError:
        return False


def log_in(port: Port, name: str, secret: str, context: ssl.SSLContext) -> Outcome:
    """Connect, begin TLS, log in, and leave."""
    machine = _machine(port, Credentials(name, name, secret))
    try:
        plain = socket.create_connection((port.host, port.number), _CONNECT_WITHIN)
    except OSError as error:
        return Outcome(End.UNREACHABLE, error.strerror or str(error))
    talk = _Talk(plain, port.host, context)
    try:
        plain.settimeout(_WITHIN)
        if port.is_implicit:
            talk.begin_tls()
        return talk.lead(machine)
    except ssl.SSLCertVerificationError as error:
        return Outcome(End.NO_TLS, f"its certificate is not accepted: {error.verify_message}")
    except ssl.SSLError as error:
        return Outcome(End.NO_TLS, f"no TLS: {error.reason or error}")
    except TimeoutError:
        return Outcome(End.LATER, f"no answer in {_WITHIN:.0f} seconds")
    except OSError as error:
        return Outcome(End.LATER, f"the connection broke: {error.strerror or error}")
    finally:
        talk.close()


class _Talk:
    """One connection, inside TLS or not yet."""

    def __init__(self, plain: socket.socket, host: str, context: ssl.SSLContext) -> None:
        self._sock = plain
        self._host = host
        self._context = context

    def begin_tls(self) -> None:
        self._sock = self._context.wrap_socket(self._sock, server_hostname=self._host)

    def close(self) -> None:
        self._sock.close()

    def lead(self, machine: ClientMachine) -> Outcome:
        while True:
            event = machine.next_event()
            if output := machine.take_output():
                self._sock.sendall(output)
            match event:
                case None:
                    data = self._sock.recv(_READ)
                    if not data:
                        return Outcome(End.LATER, "the server closed the connection")
                    machine.receive(data)
                case StartTlsAsked():
                    self.begin_tls()
                    machine.tls_started()
                case LoginFailed(temporary=temporary, text=text):
                    return Outcome(End.LATER if temporary else End.REFUSED, _of_server(text))
                case LoggedIn():
                    return Outcome(End.IN)
                case _:
                    assert_never(event)


def _machine(port: Port, credentials: Credentials) -> ClientMachine:
    starttls = not port.is_implicit
    match port.protocol:
        case MailProtocol.IMAP:
            return ImapClient(credentials, starttls=starttls)
        case MailProtocol.POP3:
            return Pop3Client(credentials, starttls=starttls)
        case MailProtocol.SMTP:
            return SmtpClient(credentials, starttls=starttls, hostname=_HELLO)
        case MailProtocol.SIEVE:
            return SieveClient(credentials, starttls=starttls)
        case _:
            assert_never(port.protocol)


def _of_server(text: str) -> str:
    """Say it in the words of who stands outside: our machines call every mail server their upstream."""
    return text.removeprefix("The upstream answers: ").replace("The upstream's", "its").replace("The upstream", "it")
