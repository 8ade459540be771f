"""Real mail clients, each set up in the way its manual says, with a configuration of its own in a test's directory.

Every function returns a `Command`: `.run()` gives its exit code and output, `.start()` lets it run on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from tests.servers.commands import Command


class Tls(Enum):
    """How a connection becomes TLS."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"


@dataclass(frozen=True, slots=True)
class Login:
    """Where a client logs in, and as whom. `ca` is the file of the CA that it trusts."""

    port: int
    ca: Path
    name: str
    secret: str = field(repr=False)
    tls: Tls = Tls.IMPLICIT
    host: str = "localhost"

    @property
    def implicit(self) -> bool:
        """Whether TLS begins with the first octet."""
        return self.tls is Tls.IMPLICIT


def curl(home: Path, login: Login, protocol: str, path: str = "", *settings: str) -> Command:
    """Let curl ask one thing: `protocol` is imap, pop3 or smtp; `settings` are lines of curl's own configuration.

    `path` is what follows the port's slash: a folder with `;UID=1` or `?SUBJECT%20x`, or a POP3 message's number.
    """
    scheme = f"{protocol}s" if login.implicit else protocol
    lines = [
        f'url = "{scheme}://{login.host}:{login.port}/{path}"',
        f"user = {_quoted(f'{login.name}:{login.secret}')}",
        f'cacert = "{login.ca}"',
        "ssl-reqd",
        "silent",
        "show-error",
        "max-time = 25",
        *settings,
    ]
    return Command(("curl", "--disable", "--config", _private(home, "curl.conf", lines)), home)


def curl_send(home: Path, login: Login, sender: str, recipients: Sequence[str], message: bytes) -> Command:
    """Let curl send a message by SMTP."""
    letter = home / "letter"
    letter.write_bytes(message)
    addressed = [f'mail-rcpt = "{recipient}"' for recipient in recipients]
    settings = (f'mail-from = "{sender}"', *addressed, f'upload-file = "{letter}"', "crlf")
    return curl(home, login, "smtp", "client.example.test", *settings)


def msmtp(home: Path, login: Login, sender: str, recipients: Sequence[str], message: bytes) -> Command:
    """Let msmtp send a message."""
    lines = [
        "account default",
        f"host {login.host}",
        f"port {login.port}",
        "tls on",
        f"tls_starttls {'off' if login.implicit else 'on'}",
        f"tls_trust_file {login.ca}",
        "auth on",
        f"user {login.name}",
        f'passwordeval "cat {_secret(home, login)}"',
        f"from {sender}",
        "timeout 20",
    ]
    return Command(("msmtp", "-C", _private(home, "msmtprc", lines), "--", *recipients), home, stdin=message)


def mbsync(home: Path, login: Login, patterns: str = "*", sync: str = "All") -> Command:
    """Let mbsync make `home/mail` and the mailbox alike; `sync` is its own word (All, Pull, Push …)."""
    (home / "mail").mkdir(exist_ok=True)
    lines = [
        "IMAPAccount there",
        f"Host {login.host}",
        f"Port {login.port}",
        f"User {login.name}",
        f'PassCmd "cat {_secret(home, login)}"',
        f"SSLType {'IMAPS' if login.implicit else 'STARTTLS'}",
        f"CertificateFile {login.ca}",
        "Timeout 20",
        "",
        "IMAPStore there",
        "Account there",
        "",
        "MaildirStore here",
        f"Path {home}/mail/",
        f"Inbox {home}/mail/INBOX",
        "SubFolders Verbatim",
        "",
        "Channel all",
        "Far :there:",
        "Near :here:",
        f"Patterns {patterns}",
        "Create Both",
        "Expunge Both",
        f"Sync {sync}",
        "SyncState *",
    ]
    return Command(("mbsync", "-c", _private(home, "mbsyncrc", lines), "-V", "-a"), home)


def fetchmail(home: Path, login: Login, protocol: str = "IMAP", *, keep: bool = True, idle: bool = False) -> Command:
    """Let fetchmail append all messages to `home/fetched`; with `idle` it stays and waits for more (IMAP).

    It ends with 0 when there was mail, 1 when there was none, 3 when the login was refused.
    """
    tls = "ssl" if login.implicit else 'sslproto "TLS1.2+"'
    lines = [
        f"poll {login.host} service {login.port} protocol {protocol} auth password timeout 20",
        f"  user {_quoted(login.name)} password {_quoted(login.secret)}",
        f'  {tls} sslcertck sslcertfile "{login.ca}"',
        f"  {'keep' if keep else 'nokeep'} fetchall {'idle' if idle else ''}",
        f'  mda "cat >> {home}/fetched"',
    ]
    files = ("--fetchmailrc", _private(home, "fetchmailrc", lines), "--pidfile", str(home / "fetchmail.pid"))
    return Command(
        ("fetchmail", *files, "--idfile", str(home / "fetchids"), "--nosyslog", "--nodetach", "-v"),
        home,
        environment={"FETCHMAILHOME": str(home)},
    )


def getmail(home: Path, login: Login, protocol: str = "IMAP") -> Command:
    """Let getmail fetch all messages (`protocol` IMAP or POP3, TLS from the first octet) and append them to `home/got`.

    As root it writes no Maildir itself, but runs a command if that is allowed by name.
    """
    lines = [
        "[retriever]",
        f"type = Simple{protocol}SSLRetriever",
        f"server = {login.host}",
        f"port = {login.port}",
        f"username = {login.name}",
        f"password = {login.secret}",
        f"ca_certs = {login.ca}",
        "timeout = 20",
        "[destination]",
        "type = MDA_external",
        "path = /bin/sh",
        f"arguments = ('-c', 'cat >> {home}/got')",
        "allow_root_commands = true",
        "[options]",
        "read_all = true",
        "delete = false",
        "delivered_to = false",
        "received = false",
    ]
    return Command(("getmail", f"--getmaildir={home}", f"--rcfile={_private(home, 'getmailrc', lines)}"), home)


def swaks(home: Path, login: Login, sender: str, recipient: str, subject: str, *, mechanism: str = "PLAIN") -> Command:
    """Let swaks send a message; `mechanism` is PLAIN or LOGIN. It ends with 28 when no login passed."""
    lines = [
        f"server {login.host}",
        f"port {login.port}",
        "tls-on-connect" if login.implicit else "tls",
        "tls-verify",
        f"tls-ca-path {login.ca}",
        f"auth {mechanism}",
        f"auth-user {login.name}",
        f"auth-password {login.secret}",
        f"from {sender}",
        f"to {recipient}",
        f"header Subject: {subject}",
        "timeout 20",
    ]
    return Command(("swaks", "--config", _private(home, "swaksrc", lines)), home)


def neomutt_send(home: Path, login: Login, sender: str, recipient: str, subject: str) -> Command:
    """Let NeoMutt send a message without a terminal."""
    scheme = "smtps" if login.implicit else "smtp"
    more = [
        f'set smtp_url = "{scheme}://{quote(login.name, safe="")}@{login.host}:{login.port}/"',
        f"set smtp_pass = {_quoted(login.secret)}",
        f'set from = "{sender}"',
        "set use_envelope_from = yes",
    ]
    rc = _neomuttrc(home, login, more)
    return Command(("neomutt", "-n", "-F", rc, "-s", subject, "--", recipient), home, stdin=b"Hello.\n")


def neomutt_open(home: Path, login: Login, folder: str = "INBOX", keys: str = "") -> Command:
    """Let NeoMutt open a folder on a terminal and then press `keys` (in NeoMutt's notation) by itself."""
    scheme = "imaps" if login.implicit else "imap"
    more = [
        f"set imap_pass = {_quoted(login.secret)}",
        f'set imap_user = "{login.name}"',
        "set imap_idle = yes",
        f'push "{keys}"' if keys else "",
    ]
    address = f"{scheme}://{quote(login.name, safe='')}@{login.host}:{login.port}/{folder}"
    return Command(("neomutt", "-n", "-F", _neomuttrc(home, login, more), "-f", address), home, terminal=True)


def neomutt_copy(home: Path, login: Login, folder: str = "INBOX") -> Command:
    """Let NeoMutt copy all messages of a folder into `home/copied` (mbox) and leave."""
    keys = f"<tag-pattern>~A<enter><tag-prefix><copy-message>{home}/copied<enter><exit>"
    return neomutt_open(home, login, folder, keys)


def _neomuttrc(home: Path, login: Login, more: Sequence[str]) -> str:
    lines = [
        f'set ssl_ca_certificates_file = "{login.ca}"',
        f'set certificate_file = "{home}/certificates"',
        "set ssl_usesystemcerts = no",
        "set ssl_force_tls = yes",
        "set ssl_starttls = yes",
        "set mbox_type = mbox",
        f'set folder = "{home}"',
        f'set spool_file = "{home}/spool"',
        'set record = ""',
        "set copy = no",
        "set confirm_append = no",
        "set confirm_create = no",
        "set sleep_time = 0",
        "set quit = yes",
        "set imap_poll_timeout = 15",
        "set socket_timeout = 15",
        *more,
    ]
    return _private(home, "neomuttrc", lines)


def _private(home: Path, name: str, lines: Sequence[str]) -> str:
    """Write a configuration that only its owner may read, as most of these clients demand."""
    path = home / name
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def _secret(home: Path, login: Login) -> str:
    return _private(home, "secret", [login.secret])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
