"""Mail servers that Debian does not let stand beside Postfix and Dovecot 2.3, or that only a newer Debian has.

scripts/unpack_test_packages makes of each a small Debian of its own in .venv/test-packages; `make test` runs it, and
scripts/unpacked_packages.txt lists them. A test takes a copy, `with unpacked("exim") as exim`, and runs the programs in
it with chroot, which needs root. So paths and configuration are those of the real Debian (/etc/exim4/exim4.conf is
`exim.path("/etc/exim4/exim4.conf")`), ports and addresses are this machine's, and no two tests meet in one copy.

No package's script has run: what such a script would make (a spool, a socket's folder) the test makes with `folder`.
The users are there, with the same numbers in all copies, vmail being the owner of the tests' mail (MAIL_UID).
A Unix socket of ours that a server shall find must lie in the copy: `exim.path("/run/valetkey.sock")`.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.commands import MOMENT, Command, end_group
from tests.servers.logs import ServerLog
from tests.servers.places import own_directory
from tests.servers.syslog import syslog_into

ROOMS = Path(__file__).parents[2] / ".venv" / "test-packages"
MADE_FROM = ".made-from"  # stands in each folder that is whole
NAMES = ("exim", "cyrus", "courier", "sendmail", "dovecot24")
_SHARED = "usr"  # programs and libraries: linked, so never to be written to
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": "/root", "LC_ALL": "C"}


@dataclass(slots=True)
class Unpacked:
    """One test's copy of a server's small Debian. `log` has what the server sent to syslog."""

    name: str
    root: Path
    log: ServerLog = field(init=False)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.log = ServerLog(f"{self.name}'s syslog", self.root / "var" / "log" / "syslog")

    @property
    def logs(self) -> list[ServerLog]:
        """The log that a failed test shows."""
        return [self.log]

    def path(self, inside: str) -> Path:
        """Give the path here of what is `inside` there; raises ValueError if a link leads out."""
        path = self.root / inside.removeprefix("/")
        real = path.resolve()
        if not real.is_relative_to(self.root.resolve()):  # Debian's /var/run is a link to /run
            raise ValueError(f"{inside} leads out of {self.name}'s root; say where the link goes")
        return path

    def write(self, inside: str, text: str, *, owner: str = "root", mode: int = 0o644) -> Path:
        """Write a file, with the folders above it, as a user of the copy; give its path here."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        passing = path.with_name(f"{path.name}.new")  # what stands there may be a link to the file of all copies
        passing.write_text(text)
        passing.chmod(mode)
        os.chown(passing, *self.numbers(owner))
        passing.rename(path)
        return path

    def folder(self, inside: str, *, owner: str = "root", mode: int = 0o755) -> Path:
        """Make a folder, with those above it, that belongs to a user of the copy; give its path here."""
        path = self.path(inside)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        os.chown(path, *self.numbers(owner))
        return path

    def numbers(self, user: str) -> tuple[int, int]:
        """Give a user's uid and gid; raises KeyError."""
        lines = (line.split(":") for line in (self.root / "etc" / "passwd").read_text().splitlines())
        return {words[0]: (int(words[2]), int(words[3])) for words in lines}[user]

    def command(self, *argv: str, user: str = "root", stdin: bytes = b"") -> Command:
        """Make a command that runs in the copy: `.run()` waits for its end, `.start()` lets it go on for a while."""
        return Command(tuple(self._chroot(argv, user)), self.root, stdin, _ENVIRONMENT)

    def start(self, *argv: str, user: str = "root") -> subprocess.Popen[bytes]:
        """Start a server that stays in the foreground; what it writes goes into `output`. `stop` ends it."""
        with self.output.open("ab") as file:
            process = subprocess.Popen(
                self._chroot(argv, user),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], seconds: float = MOMENT) -> None:
        """End what `start` has started, and all its children; politely first, for so long."""
        if process in self._started:
            self._started.remove(process)
        end_group(process, seconds)

    def stop_all(self) -> None:
        """End all that is still running, at once."""
        for process in list(self._started):
            self.stop(process, 0)

    @property
    def output(self) -> Path:
        """What started servers have written to their output and errors."""
        return self.root / "var" / "log" / "output"

    def _chroot(self, argv: tuple[str, ...], user: str) -> list[str]:
        uid, gid = self.numbers(user)
        return ["/usr/sbin/chroot", f"--userspec={uid}:{gid}", str(self.root), *argv]


@contextmanager
def unpacked(name: str) -> Iterator[Unpacked]:
    """Give a copy of one of NAMES to write to, whose log socket is heard.

    At the end what was started in it is ended, and it is removed. Raises RuntimeError if it cannot be had.
    """
    if words := lacking(name):
        raise RuntimeError(f"this machine lacks {words}")
    with own_directory(name) as root:
        _copy(ROOMS / name, root)
        copy = Unpacked(name, root)
        copy.folder("/var/log")
        with syslog_into(copy.log.path, listening_on=root / "dev" / "log"):
            try:
                yield copy
            finally:
                copy.stop_all()


def lacking(name: str) -> str | None:
    """Say in words what is missing for an unpacked server; None if it can run."""
    if os.geteuid() != 0:
        return f"to run as root ({name} runs in a chroot)"
    if (ROOMS / name / MADE_FROM).exists():
        return None
    return f"{name}, unpacked (on Debian, as root: scripts/unpack_test_packages)"


def _copy(source: Path, target: Path) -> None:
    """Copy a whole root. Where the file system allows it, the largest part is links: a tenth of a second, no space."""
    try:
        os.link(source / MADE_FROM, target / MADE_FROM)
        way = ["-a", "--link"]
    except OSError:  # .venv and the temporary directory lie on different file systems
        way = ["-a"]
    program = shutil.which("cp") or "cp"
    others = [str(each) for each in source.iterdir() if each.name not in {_SHARED, MADE_FROM}]
    for options, names in ((way, [str(source / _SHARED)]), (["-a"], others)):
        subprocess.run([program, *options, "--", *names, str(target)], check=True, timeout=120)
