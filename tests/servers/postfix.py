"""A real Postfix: submission with XCLIENT, delivery into the Maildirs that Dovecot serves. Needs root."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import CertificateAuthority, ServerCertificate
from tests.servers.listening import running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import MAIL_UID
from tests.servers.people import DOMAIN, EVERYBODY, Person
from tests.servers.places import LOCALHOST, free_ports, own_directory, wait_until_closed, wait_until_listening

DAEMONS = """\
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
tlsmgr    unix  -  -  n  1000? 1  tlsmgr
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
trace     unix  -  -  n  -     0  bounce
verify    unix  -  -  n  -     1  verify
flush     unix  n  -  n  1000? 0  flush
proxymap  unix  -  -  n  -     -  proxymap
showq     unix  n  -  n  -     -  showq
error     unix  -  -  n  -     -  error
retry     unix  -  -  n  -     -  error
discard   unix  -  -  n  -     -  discard
virtual   unix  -  n  n  -     -  virtual
anvil     unix  -  -  n  -     1  anvil
postlog   unix-dgram n - n -   1  postlogd
"""


@dataclass(frozen=True, slots=True)
class PostfixPorts:
    """The ports of 127.0.0.1: 587-like, 465-like, and the one on which local servers relay without a login."""

    submission: int
    submissions: int
    relay: int

    def all(self) -> list[int]:
        """Give every port."""
        return [self.submission, self.submissions, self.relay]


@dataclass
class Postfix:
    """One Postfix with its own configuration, queue and log, under `directory`.

    The submission ports take mail from who has logged in (through `sasl_socket`, a Dovecot's) or for whom a
    peer at 127.0.0.1 vouches by XCLIENT LOGIN, and only with a sender address of their own.
    """

    directory: Path
    authority: CertificateAuthority
    mail_root: Path
    sasl_socket: Path | None = None
    people: Sequence[Person] = EVERYBODY
    host: str = LOCALHOST

    def __post_init__(self) -> None:
        self.ports = PostfixPorts(*free_ports(3))
        self.log = ServerLog("Postfix", self.directory / "postfix.log")
        self._etc = self.directory / "etc"
        self._runs = False

    @property
    def pid(self) -> int:
        """The process that all its others come from; only while it runs."""
        return int((self.directory / "queue" / "pid" / "master.pid").read_text())

    def start(self) -> None:
        """Start and wait until every port is open; raises RuntimeError with the log if that fails."""
        self._write()
        said = self._postfix("start")
        self._runs = True
        closed = wait_until_listening(self.ports.all())
        if said.returncode or closed:
            self.stop()
            raise RuntimeError(f"Postfix does not listen on {closed}\n{said.stdout}\n{self.log.text()}")

    def stop(self) -> None:
        """Stop it and all its processes. Does nothing if it does not run."""
        if not self._runs:
            return
        self._runs = False
        if self._postfix("stop").returncode:
            self._postfix("abort")
        # Its daemons hold the ports a moment longer than its master.
        if still := wait_until_closed(self.ports.all()):
            raise RuntimeError(f"Postfix still listens on {still}")

    def end(self) -> None:
        """Stop it as nobody needs it any more: at once, as its own way looks for its end once a second."""
        if self._runs:
            with suppress(ProcessLookupError):  # it ends with its children, whose group is its own
                os.killpg(self.pid, signal.SIGKILL)
            self._runs = False
            if still := wait_until_closed(self.ports.all()):
                raise RuntimeError(f"Postfix still listens on {still}")

    def _postfix(self, verb: str) -> subprocess.CompletedProcess[str]:
        command = ["/usr/sbin/postfix", "-c", str(self._etc), verb]
        return subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )

    def _write(self) -> None:
        self._etc.mkdir(exist_ok=True)
        self._etc.chmod(0o755)
        (self.directory / "queue").mkdir(exist_ok=True)
        names = "".join(f"{person.address} {person.address}\n" for person in self.people)
        (self._etc / "senders").write_text(names)
        (self._etc / "mailboxes").write_text("".join(f"{each.address} {each.address}/\n" for each in self.people))
        (self._etc / "main.cf").write_text(self._main(self.authority.issue()))
        (self._etc / "master.cf").write_text(self._master())

    def _main(self, certificate: ServerCertificate) -> str:
        sasl = f"smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {self.sasl_socket}\n" if self.sasl_socket else ""
        return f"""\
compatibility_level = 3.6
queue_directory = {self.directory}/queue
data_directory = {self.directory}/data
maillog_file = {self.log.path}
maillog_file_prefixes = {self.directory}
myhostname = smtp.{DOMAIN}
mydestination =
inet_interfaces = {LOCALHOST}
inet_protocols = ipv4
mynetworks = {LOCALHOST}/32
alias_maps =
alias_database =
local_transport = error:no local users
local_recipient_maps =
default_transport = error:no mail leaves the tests
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {self.mail_root}
virtual_mailbox_maps = texthash:{self._etc}/mailboxes
virtual_uid_maps = static:{MAIL_UID}
virtual_gid_maps = static:{MAIL_UID}
virtual_minimum_uid = {MAIL_UID}
smtpd_authorized_xclient_hosts = {LOCALHOST}
smtpd_sasl_auth_enable = yes
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_sender_login_maps = texthash:{self._etc}/senders
smtpd_tls_chain_files = {certificate.key}, {certificate.certificate}
smtpd_tls_security_level = may
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtputf8_enable = yes
{sasl}"""

    def _master(self) -> str:
        # `smtpd_tls_auth_only` stays off: with it, XCLIENT LOGIN counts for nothing until TLS is on.
        known = "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
        login = f"{known}  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
        submission = f"{LOCALHOST}:{self.ports.submission} inet n - n - - smtpd\n{login}"
        submissions = f"{LOCALHOST}:{self.ports.submissions} inet n - n - - smtpd\n{login}"
        relay = f"{LOCALHOST}:{self.ports.relay} inet n - n - - smtpd\n  -o smtpd_tls_security_level=none\n"
        return DAEMONS + submission + submissions + "  -o smtpd_tls_wrappermode=yes\n" + relay


@contextmanager
def running_postfix(
    authority: CertificateAuthority, mail_root: Path, sasl_socket: Path | None = None
) -> Iterator[Postfix]:
    """Run a Postfix in a directory of its own, delivering below `mail_root`."""
    with (
        own_directory("postfix") as directory,
        running(Postfix(directory, authority, mail_root, sasl_socket)) as postfix,
    ):
        yield postfix
