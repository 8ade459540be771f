"""A real sendmail in a Debian of its own: submission by Cyrus SASL in the clear on one port, sent on to a relay."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.cyrus import write_sasldb
from tests.servers.logs import ServerLog
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import LOCALHOST, free_port, greeting, wait_until_closed, wait_until_listening
from tests.servers.unpacked import Unpacked, unpacked

# Lines of Sendmail.conf: its own file of `people`, or whoever serves `Sendmail.mux` as saslauthd does.
OWN_PASSWORDS = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /etc/sasldb2\n"
SASLAUTHD = "pwcheck_method: saslauthd\nsaslauthd_path: /run/saslauthd/mux\n"
_MACROS = "/usr/share/sendmail/cf"


@dataclass
class Sendmail:
    """One sendmail, which takes mail from whoever has logged in and hands it to `relay_port`."""

    place: Unpacked
    relay_port: int
    passwords: str = OWN_PASSWORDS
    people: Sequence[Person] = EVERYBODY
    host: str = LOCALHOST
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.mux = self.place.folder("/run/saslauthd") / "mux"
        self._write()

    @property
    def log(self) -> ServerLog:
        """What it sends to syslog, which is all it says."""
        return self.place.log

    @property
    def logs(self) -> list[ServerLog]:
        """The log that a failed test shows."""
        return [self.log]

    def start(self) -> None:
        """Start and wait until it greets; raises RuntimeError with the log if that fails."""
        self._process = self.place.start("/usr/libexec/sendmail/sendmail", "-bD", "-q30m")
        closed = wait_until_listening([self.port])
        if closed or not greeting(self.port):
            self.stop()
            said = self.place.output.read_text()
            raise RuntimeError(f"sendmail does not listen on {closed}\n{said}\n{self.log.text()}")

    def stop(self) -> None:
        """Stop it and all its processes; sessions are closed. Does nothing if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        self.place.stop(process)
        if still := wait_until_closed([self.port]):
            raise RuntimeError(f"sendmail still listens on {still}")

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
    with unpacked("sendmail") as place:
        sendmail = Sendmail(place, relay_port, passwords, people)
        try:
            sendmail.start()
            yield sendmail
        finally:
            sendmail.stop()


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
