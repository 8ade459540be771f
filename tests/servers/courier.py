"""A real Courier in a Debian of its own, with its authdaemond or without: IMAP and POP3, in the clear."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.listening import InCopy, running
from tests.servers.logs import ServerLog
from tests.servers.maildirs import MAIL_UID, Maildirs
from tests.servers.people import EVERYBODY, Person
from tests.servers.places import free_ports
from tests.servers.unpacked import unpacked

OWN_PASSWORDS = "authuserdb"  # the module that knows `people`
NO_DAEMON = ""  # somebody else serves the socket


@dataclass
class Courier(InCopy):
    """One Courier. `modules` is authdaemonrc's list, such as "authpam".

    With NO_DAEMON no authdaemond runs, and `socket` is the test's to serve; it must be writable for everybody.
    """

    title = "Courier"
    modules: str = OWN_PASSWORDS
    people: Sequence[Person] = EVERYBODY

    def __post_init__(self) -> None:
        self.port, self.pop3_port = free_ports(2)
        self.mail = Maildirs(self.place.path("/var/vmail"))
        self.log = ServerLog("Courier", self.place.output)
        room = self.place.folder("/run/courier/authdaemon", owner="courier")
        self.socket = room / "socket"
        self._write()

    @property
    def logs(self) -> list[ServerLog]:
        """The log that a failed test shows."""
        return [self.log, self.place.log]

    def _listens_on(self) -> list[int]:
        return [self.port, self.pop3_port]

    def _launch(self) -> None:
        if self.modules != NO_DAEMON:
            daemon = "set -a; . /etc/courier/authdaemonrc; exec /usr/lib/courier/courier-authlib/authdaemond"
            self._processes.append(self.place.start("sh", "-c", daemon))
        # Courier's own script for this puts it into the background, where nobody finds its children again.
        rooms = "/usr/lib/courier/courier"
        self._listen("imapd", self.port, f"{rooms}/imaplogin /usr/bin/imapd Maildir")
        self._listen("pop3d", self.pop3_port, f"{rooms}/courierpop3login {rooms}/courierpop3d Maildir")

    def _listen(self, name: str, port: int, program: str) -> None:
        listener = f"couriertcpd -address={self.host} -maxprocs=40 -maxperip=40 -nodnslookup -noidentlookup {port}"
        settings = f"set -a; . /etc/courier/{name}; . /etc/courier/{name}-ssl; IMAP_STARTTLS=NO POP3_STARTTLS=NO"
        self._processes.append(self.place.start("sh", "-c", f"{settings}; exec {listener} {program}"))

    def _write(self) -> None:
        settings = f'authmodulelist="{self.modules}"\ndaemons=3\nauthdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=1\n'
        self.place.write("/etc/courier/authdaemonrc", f'{settings}DEFAULTOPTIONS=""\nLOGGEROPTS=""\n')
        lines, users = [], ""
        for person in self.people:
            self.mail.make(person)
            home = f"/var/vmail/{person.address}"
            self.place.path(f"{home}/Maildir").symlink_to(".")  # where it looks if a module names only the home
            users += f"{person.address}:x:{MAIL_UID}:{MAIL_UID}::{home}:/bin/false\n"
            twice = f"{person.password}\n{person.password}\n".encode()
            kept = self.place.command("userdbpw", "-md5", stdin=twice).run().output.strip()
            lines.append(f"{person.address}\tuid={MAIL_UID}|gid={MAIL_UID}|home={home}|mail={home}|systempw={kept}\n")
        self.place.write("/etc/passwd", self.place.path("/etc/passwd").read_text() + users)  # authpam finds homes there
        self.place.write("/etc/courier/userdb", "".join(lines), mode=0o600)
        made = self.place.command("makeuserdb").run()
        if made.code != 0:
            raise RuntimeError(made.output)


@contextmanager
def running_courier(modules: str = OWN_PASSWORDS, people: Sequence[Person] = EVERYBODY) -> Iterator[Courier]:
    """Run a Courier in a copy of its own."""
    with unpacked("courier") as place, running(Courier(place, modules, people)) as courier:
        yield courier
