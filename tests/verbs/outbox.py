"""A mailer for tests that keeps what it is given, and finds the links in it."""

import re
from dataclasses import dataclass, field

from tests.verbs.site import House

from valetkey.service.mail_parts import Mail
from valetkey.service.mailing import Letterhead, send_due

PORTAL = "https://portal.example"
LETTERHEAD = Letterhead(PORTAL, "Example Mail")


@dataclass
class Outbox:
    """Takes every mail, unless it is told to fail."""

    mails: list[Mail] = field(default_factory=list)
    fails: Exception | None = None

    async def send(self, mail: Mail) -> None:
        if self.fails is not None:
            raise self.fails
        self.mails.append(mail)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.recipient == address]

    def subjects(self, address: str) -> list[str]:
        return [mail.subject for mail in self.to(address)]


async def send_all(house: House) -> Outbox:
    """Send what is due and give the mails that this sent."""
    outbox = house.ports.mailer
    assert isinstance(outbox, Outbox)
    before = len(outbox.mails)
    await send_due(house.ports, outbox, LETTERHEAD)
    return Outbox(outbox.mails[before:])


def token_in(mail: Mail, path: str) -> str:
    """Give the token of the link in a mail."""
    found = re.search(re.escape(PORTAL + path) + r"([A-Za-z0-9_-]+)", mail.text)
    assert found is not None, mail.text
    return found[1]
