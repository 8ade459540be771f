"""What a test Dovecot is told: the choices a test may make, and the configuration file made of them."""

import grp
import os
import pwd
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import ServerCertificate
from tests.servers.maildirs import MAIL_UID
from tests.servers.people import Person

MASTER_NAME = "gateway"


@dataclass(frozen=True, slots=True)
class DovecotPorts:
    """The ports of 127.0.0.1 on which one Dovecot listens. Names ending in s speak TLS from the first octet."""

    imap: int
    imaps: int
    pop3: int
    pop3s: int
    sieve: int
    submission: int
    submissions: int

    def all(self) -> list[int]:
        """Give every port."""
        return [self.imap, self.imaps, self.pop3, self.pop3s, self.sieve, self.submission, self.submissions]


@dataclass(frozen=True, slots=True)
class DovecotOptions:
    """How one Dovecot differs from the usual.

    `trusted`: whether 127.0.0.1 may forward a client's address (ID, XCLIENT). `capability`: the IMAP capabilities
    announced, when not Dovecot's own. `scheme`: how users' passwords are kept (PLAIN, SHA512-CRYPT, ARGON2ID …).
    `reuse_login_processes`: Dovecot's high-performance mode, for measurements. `penalty`: whether an address is
    kept waiting after its wrong passwords (2 to 15 seconds, also before a right one, and 127.0.0.1 too). `passdbs`:
    who compares passwords, in place of Dovecot's own files ({directory} is the instance's).
    `extra`: lines put at the end.
    """

    trusted: bool = True
    capability: str | None = None
    scheme: str = "PLAIN"
    reuse_login_processes: bool = False
    penalty: bool = False
    relay_port: int | None = None
    passdbs: str | None = None
    extra: str = ""


USUAL = DovecotOptions()


class MasterAndPeople(ABC):
    """What of a running Dovecot, older or newer, a test may change: the master user's password, and who has a mailbox."""

    master_password: str
    people: Sequence[Person]

    def change_master_password(self, password: str) -> None:
        """Let the master user have another password from now on; who still sends the old one is refused."""
        self.master_password = password
        self._write_masters()

    def remove(self, person: Person) -> None:
        """Let the mailbox's owner be unknown from now on."""
        self.people = [each for each in self.people if each != person]
        self._write_users()

    @abstractmethod
    def _write_masters(self) -> None:
        """Write the file of the master user."""

    @abstractmethod
    def _write_users(self) -> None:
        """Write the file of `people`."""


def configuration(directory: Path, ports: DovecotPorts, certificate: ServerCertificate, options: DovecotOptions) -> str:
    """Write the whole dovecot.conf of one instance."""
    parts = [
        _general(directory, certificate, options),
        _passwords(directory, options),
        _listeners(ports, options),
        _auth_socket(directory),
        "" if options.penalty else "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n",
        _mail(directory),
        _submission(options),
        "" if os.geteuid() == 0 else _without_root(),
        options.extra,
    ]
    return "\n".join(parts)


def _general(directory: Path, certificate: ServerCertificate, options: DovecotOptions) -> str:
    capability = f"imap_capability = {options.capability}" if options.capability else ""
    trusted = "login_trusted_networks = 127.0.0.1/32" if options.trusted else ""
    return f"""
protocols = imap pop3 sieve submission
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
auth_verbose = yes
auth_failure_delay = 0
auth_mechanisms = plain login
listen = 127.0.0.1
hostname = imap.example.test
postmaster_address = postmaster@example.test
ssl = yes
ssl_cert = <{certificate.certificate}
ssl_key = <{certificate.key}
ssl_min_protocol = TLSv1.2
mail_max_userip_connections = 200
login_log_format_elements = user=<%u> method=%m rip=%r real_rip=%{{real_rip}} %k session=<%{{session}}>
{trusted}
{capability}
"""


OWN_PASSWORDS = """
passdb {
  driver = passwd-file
  args = {directory}/masters
  master = yes
  result_success = continue
}
passdb {
  driver = passwd-file
  args = {directory}/users
}
"""


def _passwords(directory: Path, options: DovecotOptions) -> str:
    passdbs = OWN_PASSWORDS if options.passdbs is None else options.passdbs
    return f"""
auth_master_user_separator = *
{passdbs.replace("{directory}", str(directory))}
userdb {{
  driver = passwd-file
  args = {directory}/users
}}
"""


def _listeners(ports: DovecotPorts, options: DovecotOptions) -> str:
    reuse = "service_count = 0\n  process_min_avail = 2\n  client_limit = 2000" if options.reuse_login_processes else ""
    sessions = "service imap {\n  service_count = 100\n}\n" if options.reuse_login_processes else ""
    return sessions + "".join(
        [
            _service("imap", reuse, imap=ports.imap, imaps=ports.imaps),
            _service("pop3", reuse, pop3=ports.pop3, pop3s=ports.pop3s),
            _service("managesieve", reuse, sieve=ports.sieve),
            _service("submission", reuse, submission=ports.submission, submissions=ports.submissions),
        ]
    )


def _service(protocol: str, settings: str, **listeners: int) -> str:
    inets = "\n".join(
        f"  inet_listener {name} {{\n    port = {port}\n    ssl = {_yes(name in {'imaps', 'pop3s', 'submissions'})}\n  }}"
        for name, port in listeners.items()
    )
    return f"service {protocol}-login {{\n  {settings}\n{inets}\n}}\n"


def _yes(true: bool) -> str:
    return "yes" if true else "no"


def _auth_socket(directory: Path) -> str:
    return f"service auth {{\n  unix_listener {directory}/sasl {{\n    mode = 0666\n  }}\n}}\n"


def _mail(directory: Path) -> str:
    owner = f"mail_uid = {MAIL_UID}\nmail_gid = {MAIL_UID}\nfirst_valid_uid = {MAIL_UID}" if os.geteuid() == 0 else ""
    return f"""
mail_location = maildir:{directory}/mail/%u
mail_home = {directory}/homes/%u
{owner}
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
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
"""


def _submission(options: DovecotOptions) -> str:
    if options.relay_port is None:
        return ""
    return f"""
submission_relay_host = 127.0.0.1
submission_relay_port = {options.relay_port}
submission_relay_trusted = yes
"""


def _without_root() -> str:
    user = pwd.getpwuid(os.geteuid()).pw_name
    group = grp.getgrgid(os.getegid()).gr_name
    services = ("anvil", "imap-login", "pop3-login", "managesieve-login", "submission-login", "stats")
    chroots = "".join(f"service {name} {{\n  chroot =\n}}\n" for name in services)
    lowest = f"first_valid_uid = {os.geteuid()}\nmail_uid = {os.geteuid()}\nmail_gid = {os.getegid()}\n"
    names = f"default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}\n"
    return names + lowest + chroots
