"""The exact lines for programs that are set up by a file: what they connect to, as whom, with which app password."""

from dataclasses import dataclass, field

from valetkey.doors.web.settings import ClientEndpoint, Encryption

_PLAIN_BESIDE_LETTERS = str.maketrans("", "", "@.-_+")


@dataclass(frozen=True, slots=True)
class Login:
    """What a program logs in with."""

    address: str
    secret: str = field(repr=False)


def msmtp(smtp: ClientEndpoint, login: Login) -> str:
    """Give ~/.msmtprc."""
    return f"""\
account        default
host           {smtp.host}
port           {smtp.port}
tls            {_on(smtp.encryption is not Encryption.NONE)}
tls_starttls   {_on(smtp.encryption is Encryption.STARTTLS)}
auth           on
user           {_msmtp(login.address)}
password       {_msmtp(login.secret)}
from           {_msmtp(login.address)}
"""


def phpmailer(smtp: ClientEndpoint, login: Login) -> str:
    """Give the lines for PHPMailer."""
    return f"""\
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
{_phpmailer_lines(smtp, login)}
"""


def wordpress(smtp: ClientEndpoint, login: Login) -> str:
    """Give a file for wp-content/mu-plugins, which WordPress runs by itself."""
    lines = _phpmailer_lines(smtp, login).replace("\n", "\n    ")
    return f"""\
<?php
add_action('phpmailer_init', function ($mail) {{
    {lines}
}});
"""


def _phpmailer_lines(smtp: ClientEndpoint, login: Login) -> str:
    secure = {Encryption.TLS: "ssl", Encryption.STARTTLS: "tls", Encryption.NONE: ""}[smtp.encryption]
    return f"""\
$mail->isSMTP();
$mail->Host = {_php(smtp.host)};
$mail->Port = {smtp.port};
$mail->SMTPSecure = {_php(secure)};
$mail->SMTPAuth = true;
$mail->Username = {_php(login.address)};
$mail->Password = {_php(login.secret)};
$mail->setFrom({_php(login.address)});"""


def mbsync(imap: ClientEndpoint, login: Login) -> str:
    """Give ~/.mbsyncrc: every folder into ~/mail-backup, nothing changed on the server."""
    kind = {Encryption.TLS: "IMAPS", Encryption.STARTTLS: "STARTTLS", Encryption.NONE: "None"}[imap.encryption]
    return f"""\
IMAPAccount backup
Host {imap.host}
Port {imap.port}
User {_quoted(login.address)}
Pass {_quoted(login.secret)}
SSLType {kind}

IMAPStore backup-remote
Account backup

MaildirStore backup-local
Path ~/mail-backup/
Inbox ~/mail-backup/INBOX
SubFolders Verbatim

Channel backup
Far :backup-remote:
Near :backup-local:
Patterns *
Create Near
Sync Pull
SyncState *
"""


def imapsync(imap: ClientEndpoint, login: Login) -> str:
    """Give a command that copies everything to another server, whose own lines are left to fill in."""
    tls = {Encryption.TLS: "--ssl1 ", Encryption.STARTTLS: "--tls1 ", Encryption.NONE: ""}[imap.encryption]
    return f"""\
(umask 077; printf '%s\\n' {_shell(login.secret)} > ~/.mail-backup-password)
imapsync --host1 {imap.host} --port1 {imap.port} {tls}\\
    --user1 {_shell(login.address)} --passfile1 ~/.mail-backup-password \\
    --host2 backup.example --user2 alice --passfile2 ~/.backup-server-password
"""


def sieve_connect(sieve: ClientEndpoint, login: Login) -> str:
    """Give a command that opens the filters; it asks for the password."""
    return f"sieve-connect --server {sieve.host} --port {sieve.port} --user {_shell(login.address)}\n"


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"


def _msmtp(text: str) -> str:
    """Quote for msmtp if need be: it takes off the outer quotation marks and reads nothing inside of them."""
    return text if _is_plain(text) else f'"{text}"'


def _quoted(text: str) -> str:
    """Quote for mbsync if need be: inside quotation marks it reads a backslash as leave for the next character."""
    return text if _is_plain(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(text: str) -> bool:
    return text.isascii() and text.translate(_PLAIN_BESIDE_LETTERS).isalnum()


def _php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
