"""The mailboxes on disk, looked at and filled without asking any server."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from tests.servers.people import Person

MAIL_UID = 20000  # owns the mail when the servers run as root; needs no entry in /etc/passwd
_numbers = itertools.count(1)


def a_message(sender: str, recipient: str, subject: str, body: str = "Hello.\n") -> EmailMessage:
    """Write one plain message."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = "Fri, 05 Jun 2026 09:00:00 +0000"
    message["Message-ID"] = f"<{next(_numbers)}.{os.getpid()}@tests.example.test>"
    message.set_content(body)
    return message


@dataclass(frozen=True, slots=True)
class Maildirs:
    """All mailboxes under one directory; the layout is Dovecot's Maildir++ (".Folder" beside "cur")."""

    root: Path

    def make(self, person: Person) -> None:
        """Make a person's empty inbox."""
        for part in ("cur", "new", "tmp"):
            (self.home(person) / part).mkdir(parents=True, exist_ok=True)
        self._give_away(self.home(person))

    def home(self, person: Person) -> Path:
        """Give the directory of a person's inbox."""
        return self.root / person.address

    def deliver(self, person: Person, message: EmailMessage | bytes, folder: str = "INBOX") -> None:
        """Put a message into a folder, as a delivery agent does."""
        octets = message if isinstance(message, bytes) else message.as_bytes().replace(b"\r\n", b"\n")
        place = self._folder(person, folder)
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        self._give_away(place)
        name = f"{int(time.time())}.N{next(_numbers)}P{os.getpid()}.tests"
        passing = place / "tmp" / name
        passing.write_bytes(octets)
        self._give_away(passing)
        passing.rename(place / "new" / name)

    def messages(self, person: Person, folder: str = "INBOX") -> list[bytes]:
        """Read all messages of a folder."""
        return [path.read_bytes() for path in self._files(person, folder)]

    def file_names(self, person: Person, folder: str = "INBOX") -> set[str]:
        """Give the messages' file names with "new/" or "cur/": a change of any flag changes them."""
        return {f"{path.parent.name}/{path.name}" for path in self._files(person, folder)}

    def wait_for(self, person: Person, token: str, folder: str = "INBOX", seconds: float = 10) -> bytes:
        """Wait until a message that holds the token is in the folder; raises TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for octets in self.messages(person, folder):
                if token.encode() in octets:
                    return octets
            time.sleep(0.05)  # a delivery tells nobody; the folder can only be looked at again
        raise TimeoutError(f"no message with {token!r} reached {folder} of {person.address} in {seconds} s")

    def empty(self, person: Person, folder: str = "INBOX") -> None:
        """Remove all messages of a folder, and what Dovecot remembers of them.

        It would else show a message for a while that was removed within the second in which it came. Sessions that still
        have the mailbox open are ended first: at their end they would mend what is not broken, beside the next session.
        """
        _end_sessions_in(self.home(person))
        for path in [*self._files(person, folder), *self._folder(person, folder).glob("dovecot[.-]*")]:
            path.unlink(missing_ok=True)

    def _folder(self, person: Person, folder: str) -> Path:
        return self.home(person) if folder == "INBOX" else self.home(person) / f".{folder}"

    def _files(self, person: Person, folder: str) -> list[Path]:
        place = self._folder(person, folder)
        return sorted([*(place / "new").glob("*"), *(place / "cur").glob("*")])

    def _give_away(self, path: Path) -> None:
        if os.geteuid() != 0:
            return
        for each in (self.root, path, *path.rglob("*")):
            os.chown(each, MAIL_UID, MAIL_UID)


def _end_sessions_in(home: Path, seconds: float = 30) -> None:
    """End Dovecot's processes that have a file of a mailbox open; raises TimeoutError."""
    end = time.monotonic() + seconds
    while holding := [process for process in _dovecots() if _holds(process, home)]:
        if time.monotonic() > end:
            raise TimeoutError(f"sessions do not let go of {home}")
        for process in holding:
            with suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGTERM)
        time.sleep(0.01)  # a process of others tells nobody that it has ended


def _dovecots() -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().strip() in {"imap", "pop3"}:
                yield process


def _holds(process: Path, home: Path) -> bool:
    with suppress(OSError):
        return any(each.readlink().is_relative_to(home) for each in (process / "fd").iterdir())
    return False
