"""A real Exim in a Debian of its own: submission with TLS and SASL, delivering into Maildirs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.certificates import CertificateAuthority
from tests.servers.listening import InCopy, running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import Maildirs
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import free_ports
from tests.servers.unpacked import unpacked

# Everybody's own password. A `dovecot` authenticator finds a socket of ours as /run/… of the copy.
OWN_PASSWORDS = """
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{${lookup{$auth2}lsearch{/etc/exim4/users}{$value}fail}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if eq{$auth2}{${lookup{$auth1}lsearch{/etc/exim4/users}{$value}fail}}}
  server_set_id = $auth1
"""

# Who may send: everybody who has logged in, at RCPT and when the message is there.
LOGGED_IN = """
recipients:
  deny !authenticated = *
    message = authentication required
  accept
message:
  accept
"""


@dataclass(frozen=True, slots=True)
class EximPorts:
    """The ports of 127.0.0.1 on which one Exim listens. `submissions` speaks TLS from the first octet."""

    submission: int
    submissions: int

    def all(self) -> list[int]:
        """Give both."""
        return [self.submission, self.submissions]


@dataclass
class Exim(InCopy):
    """One Exim, which takes mail from whoever has logged in.

    `authenticators` and `acls` (with the names "recipients" and "message") are those parts of its configuration, whole.
    """

    title = "Exim"
    authority: CertificateAuthority
    authenticators: str = OWN_PASSWORDS
    people: Sequence[Person] = EVERYBODY
    acls: str = LOGGED_IN

    def __post_init__(self) -> None:
        self.ports = EximPorts(*free_ports(2))
        self.mail = Maildirs(self.place.path("/var/vmail"))
        self.log = ServerLog("Exim", self.place.path("/var/log/exim4/mainlog"))
        self.refusals = ServerLog("Exim's refusals", self.place.path("/var/log/exim4/rejectlog"))
        self.alarms = ServerLog("Exim's alarms", self.place.path("/var/log/exim4/paniclog"))
        self._write()

    @property
    def logs(self) -> list[ServerLog]:
        """The logs that a failed test shows."""
        return [self.log, self.refusals, self.alarms]

    def _listens_on(self) -> list[int]:
        return self.ports.all()

    def _launch(self) -> None:
        self._processes.append(self.place.start("exim4", "-bdf", "-q30m"))

    def _write(self) -> None:
        for each in ("/var/spool/exim4", "/var/log/exim4"):
            self.place.folder(each, owner="Debian-exim", mode=0o750)
        certificate = self.authority.issue()
        self.place.write("/etc/exim4/exim.pem", certificate.certificate.read_text())
        self.place.write("/etc/exim4/exim.key", certificate.key.read_text(), owner="Debian-exim", mode=0o600)
        users = "".join(f"{person.address}: {person.password}\n" for person in self.people)
        self.place.write("/etc/exim4/users", users)
        self.place.write("/etc/exim4/exim4.conf", configuration(self.ports, self.authenticators, self.acls))
        for person in self.people:
            self.mail.make(person)


@contextmanager
def running_exim(
    authority: CertificateAuthority, authenticators: str = OWN_PASSWORDS, people: Sequence[Person] = EVERYBODY
) -> Iterator[Exim]:
    """Run an Exim in a copy of its own."""
    with unpacked("exim") as place, running(Exim(place, authority, authenticators, people)) as exim:
        yield exim


def configuration(ports: EximPorts, authenticators: str, acls: str = LOGGED_IN) -> str:
    """Write the whole exim4.conf of one instance."""
    return f"""
primary_hostname = smtp.example.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {ports.submission} : {ports.submissions}
tls_on_connect_ports = {ports.submissions}
tls_advertise_hosts = *
tls_certificate = /etc/exim4/exim.pem
tls_privatekey = /etc/exim4/exim.key
log_selector = +smtp_protocol_error +smtp_syntax_error
acl_smtp_rcpt = recipients
acl_smtp_data = message
keep_environment =
begin acl
{acls}
begin routers
people:
  driver = accept
  address_data = ${{lookup{{$local_part@$domain}}lsearch,ret=key{{/etc/exim4/users}}{{$value}}fail}}
  transport = maildirs
begin transports
maildirs:
  driver = appendfile
  maildir_format
  directory = /var/vmail/$address_data
  user = vmail
  group = vmail
  delivery_date_add
  envelope_to_add
  return_path_add
begin authenticators
{authenticators}
"""
