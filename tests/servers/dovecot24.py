"""A real Dovecot 2.4 from Debian 13: IMAP, POP3, ManageSieve and submission, in a Debian of its own.

What it reads and writes lies in its copy (`dovecot.place`, see tests/servers/unpacked.py), under usual paths:
/etc/dovecot/dovecot.conf, /var/log/dovecot.log, /run/dovecot. Paths in a test's own settings are the copy's.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.certificates import CertificateAuthority
from tests.servers.commands import Outcome
from tests.servers.dovecot_settings import MASTER_NAME, DovecotPorts, MasterAndPeople
from tests.servers.listening import InCopy, running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import MAIL_UID, Maildirs
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import free_ports
from tests.servers.unpacked import unpacked

CONFIGURATION = "/etc/dovecot/dovecot.conf"
# Everybody's own password, and the master user's before: `alice@example.test*gateway`, or an authorization identity.
OWN_PASSWORDS = """
passdb masters {
  driver = passwd-file
  passwd_file_path = /etc/dovecot/masters
  master = yes
  result_success = continue
}
passdb users {
  driver = passwd-file
  passwd_file_path = /etc/dovecot/users
}
"""
OWN_USERS = """
userdb users {
  driver = passwd-file
  passwd_file_path = /etc/dovecot/users
}
"""


@dataclass(frozen=True, slots=True)
class Dovecot24Options:
    """How one Dovecot differs from the usual.

    `passdbs` and `userdbs` are those parts of its configuration, whole. `files`: what they read, by its path in the
    copy. `trusted`: whether 127.0.0.1 may forward a client's address. `relay_port`: where submission sends mail.
    `extra`: lines put at the end.
    """

    passdbs: str = OWN_PASSWORDS
    userdbs: str = OWN_USERS
    files: tuple[tuple[str, str], ...] = ()
    trusted: bool = True
    relay_port: int | None = None
    extra: str = ""


USUAL = Dovecot24Options()


@dataclass
class Dovecot24(MasterAndPeople, InCopy):
    """One Dovecot 2.4 in its copy of Debian."""

    title = "Dovecot 2.4"
    authority: CertificateAuthority
    options: Dovecot24Options = USUAL
    people: Sequence[Person] = EVERYBODY
    master_name: str = MASTER_NAME
    master_password: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    def __post_init__(self) -> None:
        self.ports = DovecotPorts(*free_ports(7))
        self.mail = Maildirs(self.place.path("/var/vmail"))
        self.log = ServerLog("Dovecot 2.4", self.place.path("/var/log/dovecot.log"))
        self.sasl_socket = self.place.path("/run/sasl")
        self._write()

    def _listens_on(self) -> list[int]:
        return self.ports.all()

    def _launch(self) -> None:
        self._processes.append(self.place.start("dovecot", "-F", "-c", CONFIGURATION))

    def doveadm(self, *words: str) -> Outcome:
        """Run doveadm in the copy, to its end."""
        return self.place.command("doveadm", "-c", CONFIGURATION, *words).run()

    def _write(self) -> None:
        certificate = self.authority.issue()
        self.place.write("/etc/dovecot/server.pem", certificate.certificate.read_text())
        self.place.write("/etc/dovecot/server.key", certificate.key.read_text(), mode=0o600)
        for inside, text in self.options.files:
            self.place.write(inside, text)
        self.place.write(CONFIGURATION, configuration(self.ports, self.options))
        self._write_masters()
        self._write_users()
        for person in self.people:
            self.mail.make(person)
        self.place.folder("/var/homes", owner="vmail")

    def _write_masters(self) -> None:
        self.place.write("/etc/dovecot/masters", f"{self.master_name}:{{PLAIN}}{self.master_password}\n")

    def _write_users(self) -> None:
        lines = [f"{person.address}:{{PLAIN}}{person.password}::::::\n" for person in self.people]
        self.place.write("/etc/dovecot/users", "".join(lines))


@contextmanager
def running_dovecot24(
    authority: CertificateAuthority, options: Dovecot24Options = USUAL, people: Sequence[Person] = EVERYBODY
) -> Iterator[Dovecot24]:
    """Run a Dovecot 2.4 in a copy of its own."""
    with unpacked("dovecot24") as place, running(Dovecot24(place, authority, options, people)) as dovecot:
        yield dovecot


def configuration(ports: DovecotPorts, options: Dovecot24Options) -> str:
    """Write the whole dovecot.conf of one instance. The version must come first."""
    return "\n".join([_general(options), options.passdbs, options.userdbs, _listeners(ports), _mail(), options.extra])


def _general(options: Dovecot24Options) -> str:
    trusted = "login_trusted_networks = 127.0.0.1/32" if options.trusted else ""
    relay = f"submission_relay_host = 127.0.0.1\nsubmission_relay_port = {options.relay_port}\nsubmission_relay_trusted = yes"
    return f"""
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap pop3 sieve submission
base_dir = /run/dovecot
state_dir = /var/lib/dovecot
log_path = /var/log/dovecot.log
auth_verbose = yes
auth_failure_delay = 0
auth_mechanisms = plain login
auth_master_user_separator = *
listen = 127.0.0.1
hostname = imap.example.test
postmaster_address = postmaster@example.test
ssl = yes
ssl_server_cert_file = /etc/dovecot/server.pem
ssl_server_key_file = /etc/dovecot/server.key
mail_max_userip_connections = 200
login_log_format_elements = user=<%{{user}}> method=%{{mechanism}} rip=%{{remote_ip}} real_rip=%{{real_remote_ip}} %{{secured}} session=<%{{session}}>
{trusted}
{relay if options.relay_port else ""}
service auth {{
  unix_listener /run/sasl {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


def _listeners(ports: DovecotPorts) -> str:
    return "".join(
        [
            _service("imap", imap=ports.imap, imaps=ports.imaps),
            _service("pop3", pop3=ports.pop3, pop3s=ports.pop3s),
            _service("managesieve", sieve=ports.sieve),
            _service("submission", submission=ports.submission, submissions=ports.submissions),
        ]
    )


def _service(protocol: str, **listeners: int) -> str:
    inets = "".join(
        f"  inet_listener {name} {{\n    port = {port}\n    ssl = {_yes(name in {'imaps', 'pop3s', 'submissions'})}\n  }}\n"
        for name, port in listeners.items()
    )
    return f"service {protocol}-login {{\n{inets}}}\n"


def _yes(true: bool) -> str:
    return "yes" if true else "no"


def _mail() -> str:
    return f"""
mail_driver = maildir
mail_path = /var/vmail/%{{user}}
mail_home = /var/homes/%{{user}}
mail_uid = {MAIL_UID}
mail_gid = {MAIL_UID}
first_valid_uid = {MAIL_UID}
mailbox_list_index = no
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Archive {{
    auto = create
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
sieve_script personal {{
  driver = file
  path = ~/sieve
  active_path = ~/.dovecot.sieve
}}
"""
