"""The client machines log in to a real Dovecot and Postfix, and the filters stand in front of them."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.servers.maildirs import a_message
from tests.servers.people import ALICE, BOB
from tests.servers.places import LOCALHOST
from tests.servers.site import MailSite

from valetkey.wire.imap_client import ImapClient
from valetkey.wire.machine import (
    ClientFacts,
    ClientMachine,
    Credentials,
    LoggedIn,
    LoginFailed,
    SessionFilter,
    StartTlsAsked,
)
from valetkey.wire.pop3_client import Pop3Client
from valetkey.wire.pop3_command import Pop3Command
from valetkey.wire.pop3_filter import Pop3Filter, Pop3Refusal
from valetkey.wire.sieve_client import SieveClient
from valetkey.wire.sieve_filter import SieveFilter
from valetkey.wire.smtp_client import SmtpClient
from valetkey.wire.smtp_filter import SmtpFilter

pytestmark = pytest.mark.integration


def facts(session: str, address: str = "203.0.113.9") -> ClientFacts:
    return ClientFacts(address, 50123, "198.51.100.2", 993, session, {"app_id": "a7"}, helo="client.example")


def master(site: MailSite, *, secret: str | None = None) -> Credentials:
    return Credentials(ALICE.address, site.dovecot.master_name, secret or site.dovecot.master_password)


@contextmanager
def logged_in(
    site: MailSite, machine: ClientMachine, port: int
) -> Iterator[tuple[LoggedIn | LoginFailed, socket.socket]]:
    """Drive a client machine to its end; give what came of it and the connection."""
    connection = socket.create_connection((LOCALHOST, port), timeout=10)
    try:
        while True:
            event = machine.next_event()
            if output := machine.take_output():
                connection.sendall(output)
            if isinstance(event, StartTlsAsked):
                assert not machine.has_pending
                connection = site.authority.client_context().wrap_socket(connection, server_hostname="localhost")
                machine.tls_started()
            elif event is not None:
                yield event, connection
                return
            else:
                data = connection.recv(65536)
                assert data, "the upstream closed the connection"
                machine.receive(data)
    finally:
        connection.close()


class Session:
    """A client's side of a filtered session."""

    def __init__(self, session: SessionFilter, connection: socket.socket) -> None:
        self.filter, self.connection, self.heard = session, connection, b""

    def ask(self, data: bytes, until: bytes) -> bytes:
        """Send bytes, then read until the pattern is at the end of what was heard."""
        self.filter.from_client(data)
        while True:
            if output := self.filter.take_to_server():
                self.connection.sendall(output)
            self.heard += self.filter.take_to_client()
            if re.search(until + rb"\Z", self.heard, re.DOTALL):
                heard, self.heard = self.heard, b""
                return heard
            received = self.connection.recv(65536)
            assert received, f"the upstream closed the connection after {self.heard!r}"
            self.filter.from_server(received)


REPLY = rb"(?:^|\n)\d{3} [^\n]*\r\n"


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::9"])
@pytest.mark.parametrize("protocol", ["pop3", "submission", "sieve"])
def test_a_master_user_logs_in_and_dovecot_learns_who_the_client_is(mail_site: MailSite, protocol: str, address: str):
    make = {"pop3": Pop3Client, "submission": SmtpClient, "sieve": SieveClient}[protocol]
    session = f"gw-{protocol}-{len(address)}"
    machine = make(master(mail_site), starttls=True, facts=facts(session, address))
    with logged_in(mail_site, machine, getattr(mail_site.dovecot.ports, protocol)) as (event, _):
        assert isinstance(event, LoggedIn)
        assert event.capabilities
    logged = mail_site.dovecot.log.wait_for(f"session=<{session}>")
    assert f"rip={address}" in logged
    assert f"user=<{ALICE.address}>" in logged


@pytest.mark.parametrize("protocol", ["imap", "pop3", "submission", "sieve"])
def test_a_client_that_is_not_known_is_not_said_to_be_anywhere(mail_site: MailSite, protocol: str):
    make = {"imap": ImapClient, "pop3": Pop3Client, "submission": SmtpClient, "sieve": SieveClient}[protocol]
    session = f"gw-unknown-{protocol}"
    machine = make(master(mail_site), starttls=True, facts=ClientFacts("", 0, "127.0.0.1", 993, session))
    with logged_in(mail_site, machine, getattr(mail_site.dovecot.ports, protocol)) as (event, _):
        assert isinstance(event, LoggedIn), event
    mail_site.dovecot.log.wait_for(f"session=<{session}>")


def test_postfix_takes_a_client_that_is_not_known(mail_site: MailSite):
    credentials = Credentials(ALICE.address, ALICE.address, None)
    machine = SmtpClient(credentials, starttls=True, facts=ClientFacts("", 0, "127.0.0.1", 587, "gw-unknown"))
    mail_site.mail.empty(BOB)
    with logged_in(mail_site, machine, mail_site.postfix.ports.submission) as (event, connection):
        assert isinstance(event, LoggedIn), event
        session = Session(SmtpFilter(lambda command: command, event.capabilities), connection)
        session.ask(f"MAIL FROM:<{ALICE.address}>\r\nRCPT TO:<{BOB.address}>\r\nDATA\r\n".encode(), rb"354 [^\n]*\r\n")
        assert session.ask(b"Subject: from-nowhere\r\n\r\nx\r\n.\r\n", REPLY).startswith(b"250")
    received = mail_site.mail.wait_for(BOB, "from-nowhere").split(b"by smtp.", 1)[0]
    assert b"127.0.0.1" not in received, received


@pytest.mark.parametrize(
    ("make", "server", "said"),
    [
        (Pop3Client, "pop3", b"TOP"),
        (SmtpClient, "submission", b"SIZE"),
        (SieveClient, "sieve", b'"SIEVE"'),
    ],
)
def test_a_machine_that_only_looks_hears_what_is_announced(mail_site: MailSite, make: Any, server: str, said: bytes):
    with logged_in(mail_site, make(None, starttls=True), getattr(mail_site.dovecot.ports, server)) as (event, _):
        assert isinstance(event, LoggedIn), event
        assert any(line.startswith(said) for line in event.capabilities)


@pytest.mark.parametrize("protocol", ["pop3", "submission", "sieve"])
def test_a_wrong_secret_is_a_final_no(mail_site: MailSite, protocol: str):
    make = {"pop3": Pop3Client, "submission": SmtpClient, "sieve": SieveClient}[protocol]
    machine = make(master(mail_site, secret="wrong"), starttls=True, facts=facts("gw-wrong"))
    with logged_in(mail_site, machine, getattr(mail_site.dovecot.ports, protocol)) as (event, _):
        assert isinstance(event, LoginFailed)
        assert not event.temporary


def test_a_user_logs_in_as_themselves(mail_site: MailSite):
    credentials = Credentials(ALICE.address, ALICE.address, ALICE.password)
    with logged_in(mail_site, Pop3Client(credentials, starttls=False), mail_site.dovecot.ports.pop3) as (event, _):
        assert isinstance(event, LoggedIn)


def _read_only(command: Pop3Command) -> Pop3Command | Pop3Refusal:
    if command.name == "DELE":
        return Pop3Refusal("This app password may only read")
    return Pop3Command("TOP", (*command.arguments, 2147483647)) if command.name == "RETR" else command


def test_reading_by_pop3_changes_nothing(mail_site: MailSite):
    mail_site.mail.empty(BOB)
    mail_site.mail.deliver(BOB, a_message(ALICE.address, BOB.address, "pop3-filtered", ".dot\n..\n" + "line\n" * 5000))
    before = mail_site.mail.messages(BOB)
    credentials = Credentials(BOB.address, BOB.address, BOB.password)
    machine = Pop3Client(credentials, starttls=True)
    with logged_in(mail_site, machine, mail_site.dovecot.ports.pop3) as (event, connection):
        assert isinstance(event, LoggedIn)
        session = Session(Pop3Filter(_read_only, event.capabilities), connection)
        heard = session.ask(
            b"STAT\r\nDELE 1\r\nRETR 1\r\nDELE 1\r\nUIDL\r\n", rb"\.\r\n-ERR [^\n]*\r\n\+OK[^.]*\r\n\.\r\n"
        )
        assert heard.startswith(b"+OK 1 ")
        assert heard.count(b"-ERR This app password may only read\r\n") == 2
        assert b"\r\n..dot\r\n...\r\n" in heard
        assert heard.count(b"\r\nline") == 5000
        assert session.ask(b"QUIT\r\n", rb"\n").startswith(b"+OK")
    assert mail_site.mail.messages(BOB) == before
    assert not any(name.endswith("S") for name in mail_site.mail.file_names(BOB))


@pytest.mark.parametrize("through", ["dovecot", "postfix"])
def test_mail_is_sent_through_the_filter(mail_site: MailSite, through: str):
    subject = f"filtered-through-{through}"
    message = f"From: {ALICE.address}\r\nSubject: {subject}\r\n\r\n..dot\r\n" + "line\r\n" * 20000 + ".\r\n"
    if through == "dovecot":
        machine = SmtpClient(master(mail_site), starttls=True, facts=facts("gw-sends"))
        port = mail_site.dovecot.ports.submission
    else:
        credentials = Credentials(ALICE.address, ALICE.address, None)
        machine = SmtpClient(credentials, starttls=True, facts=facts("gw-sends"))
        port = mail_site.postfix.ports.submission
    with logged_in(mail_site, machine, port) as (event, connection):
        assert isinstance(event, LoggedIn)
        session = Session(SmtpFilter(lambda command: command, event.capabilities), connection)
        envelope = f"MAIL FROM:<{ALICE.address}>\r\nRCPT TO:<{BOB.address}>\r\nDATA\r\n"
        heard = session.ask(b"EHLO me\r\n" + envelope.encode(), rb"\n354 [^\n]*\r\n")
        assert b"XCLIENT" not in heard
        assert b"CHUNKING" not in heard
        heard = session.ask(message.encode() + b"RSET\r\nQUIT\r\n", rb"221 [^\n]*\r\n")
        assert [line[:3] for line in heard.splitlines()] == [b"250", b"250", b"221"]
    arrived = mail_site.mail.wait_for(BOB, subject)
    assert b"\n.dot\n" in arrived
    assert arrived.count(b"\nline") == 20000


def test_postfix_holds_the_client_to_the_name_that_the_gateway_gave(mail_site: MailSite):
    credentials = Credentials(ALICE.address, ALICE.address, None)
    machine = SmtpClient(credentials, starttls=True, facts=facts("gw-name"))
    with logged_in(mail_site, machine, mail_site.postfix.ports.submission) as (event, connection):
        assert isinstance(event, LoggedIn)
        session = Session(SmtpFilter(lambda command: command, event.capabilities), connection)
        for attempt in (f"XCLIENT LOGIN={BOB.address}", f"xclient login={BOB.address}"):
            assert session.ask(attempt.encode() + b"\r\n", REPLY).startswith(b"550 5.7.0")
        session.ask(f"MAIL FROM:<{BOB.address}>\r\n".encode(), REPLY)
        assert session.ask(f"RCPT TO:<{ALICE.address}>\r\n".encode(), REPLY).startswith(b"553 5.7.1")


def test_an_ipv6_client_and_a_postfix_without_ipv6(mail_site: MailSite):
    credentials = Credentials(ALICE.address, ALICE.address, None)
    machine = SmtpClient(credentials, starttls=True, facts=facts("gw-six", "2001:db8::9"))
    with logged_in(mail_site, machine, mail_site.postfix.ports.submission) as (event, _):
        assert isinstance(event, LoggedIn)


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\n.\r\n"])
def test_nothing_is_smuggled(mail_site: MailSite, end: bytes):
    mail_site.mail.empty(BOB)
    credentials = Credentials(ALICE.address, ALICE.address, None)
    machine = SmtpClient(credentials, starttls=False, facts=facts("gw-smuggler"))
    with logged_in(mail_site, machine, mail_site.postfix.ports.submission) as (event, connection):
        assert isinstance(event, LoggedIn)
        session = Session(SmtpFilter(lambda command: command, event.capabilities), connection)
        envelope = f"MAIL FROM:<{ALICE.address}>\r\nRCPT TO:<{BOB.address}>\r\nDATA\r\n".encode()
        session.ask(envelope, rb"354 [^\n]*\r\n")
        smuggled = envelope + b"Subject: smuggled\r\n\r\nx\r\n.\r\n"
        heard = session.ask(b"Subject: first\r\n\r\ntext" + end + smuggled, rb"421 [^\n]*\r\n")
        assert heard.startswith(b"550 5.6.11 ")
        assert session.filter.close_reason is not None
    mail_site.postfix.log.wait_for("lost connection after DATA")
    assert mail_site.mail.messages(BOB) == []


def test_scripts_are_kept_and_the_login_cannot_be_left(mail_site: MailSite):
    machine = SieveClient(master(mail_site), starttls=True, facts=facts("gw-scripts"))
    ok = rb"(?:^|\n)(?:OK|NO)[^\n]*\r\n"
    script = b'# "quoted" \\ and\r\nkeep;\r\n'
    with logged_in(mail_site, machine, mail_site.dovecot.ports.sieve) as (event, connection):
        assert isinstance(event, LoggedIn)
        session = Session(SieveFilter(), connection)
        put = b'PUTSCRIPT "filtered" {%d+}\r\n%s\r\n' % (len(script), script)
        assert session.ask(put, ok).startswith(b"OK")
        assert script in session.ask(b'GETSCRIPT "filtered"\r\n', ok)
        assert b'"filtered"' in session.ask(b"LISTSCRIPTS\r\n", ok)
        assert session.ask(b'CHECKSCRIPT "nonsense"\r\n', rb"NO.*\r\n").startswith(b"NO")
        assert b"UNAUTHENTICATE" not in session.ask(b"CAPABILITY\r\n", ok)
        assert session.ask(b"UNAUTHENTICATE\r\n", ok).startswith(b"NO")
        assert session.ask(b'DELETESCRIPT "filtered"\r\n', ok).startswith(b"OK")
        assert session.ask(b"LOGOUT\r\n", ok).startswith(b"OK")
