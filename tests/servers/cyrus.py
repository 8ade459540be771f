"""A real Cyrus IMAP in a Debian of its own: IMAP, POP3 and ManageSieve; it makes a mailbox at its owner's first login."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.certificates import CertificateAuthority
from tests.servers.listening import InCopy, running
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import free_ports
from tests.servers.unpacked import Unpacked, unpacked

# How passwords are asked for: from its own file of `people`, or from whoever serves `Cyrus.mux` as saslauthd does.
OWN_PASSWORDS = "sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: /etc/sasldb2\n"
SASLAUTHD = "sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: /run/saslauthd/mux\n"
_FOLDERS = (
    *("/var/lib/cyrus", "/var/lib/cyrus/db", "/var/lib/cyrus/socket", "/var/spool/cyrus", "/var/spool/cyrus/mail"),
    *("/var/spool/sieve", "/run/cyrus", "/run/cyrus/proc", "/run/cyrus/lock", "/run/cyrus/socket"),
)


@dataclass(frozen=True, slots=True)
class CyrusPorts:
    """The ports of 127.0.0.1 on which one Cyrus listens. `imaps` speaks TLS from the first octet."""

    imap: int
    imaps: int
    pop3: int
    sieve: int

    def all(self) -> list[int]:
        """Give every port."""
        return [self.imap, self.imaps, self.pop3, self.sieve]


@dataclass
class Cyrus(InCopy):
    """One Cyrus. `passwords` are lines of imapd.conf; `mux` is where it looks for saslauthd, to be served by the test."""

    title = "Cyrus"
    authority: CertificateAuthority
    passwords: str = OWN_PASSWORDS
    people: Sequence[Person] = EVERYBODY

    def __post_init__(self) -> None:
        self.ports = CyrusPorts(*free_ports(4))
        self.log = self.place.log  # it says all to syslog
        self.mux = self.place.folder("/run/saslauthd") / "mux"
        self._write()

    def _listens_on(self) -> list[int]:
        return self.ports.all()

    def _launch(self) -> None:
        self._processes.append(self.place.start("cyrmaster"))

    def _write(self) -> None:
        for each in _FOLDERS:
            self.place.folder(each, owner="cyrus", mode=0o750)
        certificate = self.authority.issue()
        self.place.write("/etc/cyrus.pem", certificate.certificate.read_text())
        self.place.write("/etc/cyrus.key", certificate.key.read_text(), owner="cyrus", mode=0o600)
        self.place.write("/etc/imapd.conf", _SETTINGS + self.passwords)
        self.place.write("/etc/cyrus.conf", _services(self.ports))
        write_sasldb(self.place, self.people, owner="cyrus")


@contextmanager
def running_cyrus(
    authority: CertificateAuthority, passwords: str = OWN_PASSWORDS, people: Sequence[Person] = EVERYBODY
) -> Iterator[Cyrus]:
    """Run a Cyrus in a copy of its own."""
    with unpacked("cyrus") as place, running(Cyrus(place, authority, passwords, people)) as cyrus:
        yield cyrus


_SETTINGS = """
configdirectory: /var/lib/cyrus
defaultpartition: default
partition-default: /var/spool/cyrus/mail
sievedir: /var/spool/sieve
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
idlesocket: /run/cyrus/socket/idle
syslog_prefix: cyrus
virtdomains: userid
unixhierarchysep: yes
altnamespace: yes
admins: cyrus
autocreate_quota: 0
allowplaintext: yes
failedloginpause: 0
imapidlepoll: 0
tls_server_cert: /etc/cyrus.pem
tls_server_key: /etc/cyrus.key
sasl_mech_list: PLAIN LOGIN
"""


def _services(ports: CyrusPorts) -> str:
    return f"""
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="imapd" listen="127.0.0.1:{ports.imap}" prefork=0
  imaps cmd="imapd -s" listen="127.0.0.1:{ports.imaps}" prefork=0
  pop3 cmd="pop3d" listen="127.0.0.1:{ports.pop3}" prefork=0
  sieve cmd="timsieved" listen="127.0.0.1:{ports.sieve}" prefork=0
}}
EVENTS {{
}}
"""


def write_sasldb(place: Unpacked, people: Sequence[Person], *, owner: str) -> None:
    """Write Cyrus SASL's own file of passwords into a copy, for a server that runs as `owner`."""
    file = place.path("/etc/sasldb2")
    for person in people:
        name, _, domain = person.address.partition("@")
        command = ["saslpasswd2", "-p", "-c", "-f", str(file), "-u", domain, name]
        subprocess.run(command, input=person.password.encode(), check=True, timeout=30)
        file.chmod(0o600)  # sendmail takes no file of passwords that others may read
        os.chown(file, *place.numbers(owner))
