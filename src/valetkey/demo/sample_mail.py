"""The mail that lies in the sample people's inboxes at the first start."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from valetkey.demo.layout import DOMAIN
from valetkey.demo.maildir import deliver, make_maildir
from valetkey.demo.people import People


@dataclass(frozen=True, slots=True)
class _Letter:
    to: str
    sender: str
    subject: str
    age: timedelta
    text: str
    flags: str | None = None  # None: unread


_LETTERS = (
    _Letter(
        "alice",
        f"Ada Admin <admin@{DOMAIN}>",
        "Welcome, and one thing to do today",
        timedelta(days=12, hours=3),
        """Hello Alice,

from today you sign in with your password and a code from your phone. Your mail programs cannot
ask for a code, so each of them gets a password of its own from the portal: an app password.

Make one per device, give it a name you will recognise, and revoke it when the device is gone.
Your main password stays out of all of them.

Ada
""",
        "S",
    ),
    _Letter(
        "alice",
        f"Bob Baker <bob@{DOMAIN}>",
        "Saturday's walk",
        timedelta(days=6, hours=5),
        """Hi Alice,

the forecast says rain until noon and sun after that. Shall we start at one, from the old mill,
and take the path along the river? I will bring bread and the good cheese.

Bob
""",
        "RS",
    ),
    _Letter(
        "alice",
        f"Office scanner <scanner@{DOMAIN}>",
        "Scan 0042: lease agreement",
        timedelta(days=3, hours=1),
        """One document, 4 pages, scanned at the second-floor printer.

This scanner signs in with an app password that can send mail and nothing else. Whoever takes
the password out of it cannot read a single message.
""",
        "S",
    ),
    _Letter(
        "alice",
        "The Valetkey demo <demo@example.test>",
        "What to try first",
        timedelta(hours=4),
        """Hello Alice,

1. Sign in to the portal with your main password and the code that the demo's screen shows.
2. Make an app password for a mail program, and read this message with it.
3. Keep the program open, go back to the list and revoke the app password: the program is cut
   off within a second, and the page tells how many connections were closed.
4. Make one that is read only, and try to delete something with it.

Nothing here leaves this computer.
""",
    ),
    _Letter(
        "alice",
        f"Bob Baker <bob@{DOMAIN}>",
        "Re: Saturday's walk",
        timedelta(hours=1, minutes=20),
        """One it is. The cheese is bought.

> Yes to the river! One o'clock suits me well.

Bob
""",
    ),
    _Letter(
        "bob",
        f"Ada Admin <admin@{DOMAIN}>",
        "Your second factor is still missing",
        timedelta(days=2),
        """Hello Bob,

you have not set up a second factor yet. Until you do, your main password still opens your mail,
which is what we are moving away from. It takes two minutes: sign in to the portal, scan the
square with your phone, and type the code.

From then on your main password opens the portal only.

Ada
""",
    ),
    _Letter(
        "bob",
        f"Alice Archer <alice@{DOMAIN}>",
        "Yes to the river!",
        timedelta(hours=2),
        """Hi Bob,

yes to the river! One o'clock suits me well. I will bring tea.

Alice
""",
    ),
    _Letter(
        "admin",
        "The Valetkey demo <demo@example.test>",
        "For administrators",
        timedelta(hours=4),
        """Hello Ada,

everything the portal does can be seen from the command line too. Give each command the demo's
configuration (--config), and try:

  valetkey account list
  valetkey app-password list alice@example.test --all
  valetkey sessions list
  valetkey audit list
  valetkey audit verify
""",
    ),
)


def fill_mailboxes(mail: Path, people: People, now: datetime) -> None:
    """Make every Maildir, and put the sample mail into those that are new."""
    for person in people.persons:
        inbox = mail / person.address
        if not make_maildir(inbox):
            continue
        for letter in _LETTERS:
            if f"{letter.to}@{DOMAIN}" == person.address:
                written = now - letter.age
                message = _written(letter, person.name, person.address, written)
                deliver(inbox, message, at=written.timestamp(), flags=letter.flags)


def _written(letter: _Letter, name: str, address: str, at: datetime) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = letter.sender
    message["To"] = f"{name} <{address}>"
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{int(at.timestamp())}.{letter.to}@{DOMAIN}>"
    message.set_content(letter.text)
    return message.as_bytes()
