"""A real sendmail in a Debian of its own: submission by Cyrus SASL in the clear on one port, sent on to a relay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.cyrus import write_sasldb
from tests.servers.listening import InCopy, running
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import free_port
from tests.servers.unpacked import unpacked

# Lines of Sendmail.conf: its own file of `people`, or whoever serves `Sendmail.mux` as saslauthd does.
OWN_PASSWORDS = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /etc/sasldb2\n"
SASLAUTHD = "pwcheck_method: saslauthd\nsaslauthd_path: /run/saslauthd/mux\n"
_MACROS = "/usr/share/sendmail/cf"


@dataclass
class Sendmail(InCopy):
    """One sendmail, which takes mail from whoever has logged in and hands it to `relay_port`."""

    title = "sendmail"
    relay_port: int
    passwords: str = OWN_PASSWORDS
    people: Sequence[Person] = EVERYBODY

    def __post_init__(self) -> None:
        self.port = free_port()
        self.log = self.place.log  # it says all to syslog
        self.mux = self.place.folder("/run/saslauthd") / "mux"
        self._write()

    def _listens_on(self) -> list[int]:
        return [self.port]

    def _launch(self) -> None:
        self._processes.append(self.place.start("/usr/libexec/sendmail/sendmail", "-bD", "-q30m"))

    def _write(self) -> None:
        self.place.folder("/run/sendmail/mta")
        self.place.folder("/var/spool/mqueue", owner="smmta", mode=0o750)
        self.place.write("/etc/mail/sasl/Sendmail.conf.2", f"{self.passwords}mech_list: PLAIN LOGIN\n")
        link = self.place.folder("/usr/lib/sasl2") / "Sendmail.conf"  # Debian's own script makes it; SASL looks there
        link.symlink_to("/etc/mail/sasl/Sendmail.conf.2")
        write_sasldb(self.place, self.people, owner="smmta")
        self.place.write("/etc/mail/sendmail.mc", _macros(self.port, self.relay_port))
        make = f"m4 -D_CF_DIR_={_MACROS}/ {_MACROS}/m4/cf.m4 /etc/mail/sendmail.mc >/etc/mail/sendmail.cf"
        made = self.place.command("sh", "-c", make).run()
        if made.code != 0:
            raise RuntimeError(made.output)


@contextmanager
def running_sendmail(
    relay_port: int, passwords: str = OWN_PASSWORDS, people: Sequence[Person] = EVERYBODY
) -> Iterator[Sendmail]:
    """Run a sendmail in a copy of its own."""
    with unpacked("sendmail") as place, running(Sendmail(place, relay_port, passwords, people)) as sendmail:
        yield sendmail


def _macros(port: int, relay_port: int) -> str:
    # M=a: nobody sends without a login. In m4 a text is quoted by ` and '.
    return f"""divert(0)dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
DAEMON_OPTIONS(`Family=inet, Name=MSA, Port={port}, Addr=127.0.0.1, M=Ea')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
TRUST_AUTH_MECH(`PLAIN LOGIN')dnl
define(`confDOMAIN_NAME', `smtp.example.test')dnl
define(`confTO_IDENT', `0s')dnl
define(`confLOG_LEVEL', `12')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {relay_port}')dnl
MAILER(`smtp')dnl
"""
