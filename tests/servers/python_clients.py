"""Python's own mail clients, logged in, with TLS from a `Login`. Each is closed at the end of its block."""

import imaplib
import poplib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.clients import Login
from tests.servers.dialogue import Dialogue, dialogue, plain

SECONDS = 30
GONE = (OSError, imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException)


def trusting(login: Login) -> ssl.SSLContext:
    """Make a context that trusts the login's CA only, and checks names."""
    return ssl.create_default_context(cafile=str(login.ca))


@contextmanager
def imap(login: Login) -> Iterator[imaplib.IMAP4]:
    """Log in with imaplib; a refusal is `imaplib.IMAP4.error`."""
    context = trusting(login)
    if login.implicit:
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(login.host, login.port, ssl_context=context, timeout=SECONDS)
    else:
        client = imaplib.IMAP4(login.host, login.port, timeout=SECONDS)
    try:
        if not login.implicit:
            client.starttls(context)
        client.login(login.name, login.secret)
        yield client
    finally:
        with suppress(*GONE):
            client.logout()
        with suppress(*GONE):  # after a good logout it is closed
            client.shutdown()


@contextmanager
def imap_named(login: Login, name: str) -> Iterator[imaplib.IMAP4]:
    """Log in over implicit TLS as a program that calls itself so (RFC 2971), said before the login."""
    client = imaplib.IMAP4_SSL(login.host, login.port, ssl_context=trusting(login), timeout=SECONDS)
    try:
        client.xatom("ID", f'("name" "{name}")')
        client.login(login.name, login.secret)
        yield client
    finally:
        with suppress(*GONE):
            client.logout()


@contextmanager
def smtp_named(login: Login, name: str) -> Iterator[smtplib.SMTP]:
    """Log in over implicit TLS as a host that calls itself so in EHLO (RFC 5321 section 4.1.1.1)."""
    client = smtplib.SMTP_SSL(login.host, login.port, local_hostname=name, context=trusting(login), timeout=SECONDS)
    try:
        client.login(login.name, login.secret)
        yield client
    finally:
        with suppress(*GONE):
            client.quit()
        client.close()


@contextmanager
def pop3(login: Login) -> Iterator[poplib.POP3]:
    """Log in with poplib; a refusal is `poplib.error_proto`."""
    context = trusting(login)
    if login.implicit:
        client: poplib.POP3 = poplib.POP3_SSL(login.host, login.port, context=context, timeout=SECONDS)
    else:
        client = poplib.POP3(login.host, login.port, timeout=SECONDS)
    try:
        if not login.implicit:
            client.stls(context)
        client.user(login.name)
        client.pass_(login.secret)
        yield client
    finally:
        with suppress(*GONE):
            client.quit()
        client.close()


@contextmanager
def smtp(login: Login) -> Iterator[smtplib.SMTP]:
    """Log in with smtplib; a refusal is `smtplib.SMTPAuthenticationError`."""
    context = trusting(login)
    if login.implicit:
        client: smtplib.SMTP = smtplib.SMTP_SSL(login.host, login.port, context=context, timeout=SECONDS)
    else:
        client = smtplib.SMTP(login.host, login.port, timeout=SECONDS)
    try:
        if not login.implicit:
            client.starttls(context=context)
        client.login(login.name, login.secret)
        yield client
    finally:
        with suppress(*GONE):
            client.quit()
        client.close()


@contextmanager
def sieve(login: Login) -> Iterator[Dialogue]:
    """Log in by ManageSieve with STARTTLS (RFC 5804); a refusal is PermissionError with the server's answer."""
    with dialogue(login.port, host=login.host, seconds=SECONDS) as talk:
        talk.until("OK")
        talk.sieve("STARTTLS")
        talk.start_tls(trusting(login))
        talk.until("OK")
        answer = talk.sieve(f'AUTHENTICATE "PLAIN" "{plain(login.name, login.secret)}"')[-1]
        if not answer.startswith("OK"):
            raise PermissionError(answer)
        yield talk
        with suppress(OSError, EOFError):
            talk.sieve("LOGOUT")
