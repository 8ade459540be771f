"""The portal on a free port of localhost, over a real store, with people in it; for browsers and for pictures of it."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.browser.compiled import compile_once
from tests.browser.component_pages import add_component_pages
from tests.verbs.outbox import Outbox
from tests.verbs.served_site import ServedSite
from tests.verbs.site import OPERATOR, House, Person

from valetkey.core.app_password import SecretFormat
from valetkey.core.limits import Limits
from valetkey.core.login import Reason
from valetkey.core.network import NamedNetworks
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, ready_made
from valetkey.core.second_factor import code_at, step_of
from valetkey.doors.web.app import create_portal
from valetkey.doors.web.settings import ClientEndpoint, Encryption, WebSettings
from valetkey.service import accounts, app_passwords
from valetkey.service.mail_parts import Mailer
from valetkey.service.mailing import Letterhead, send_due
from valetkey.service.ports import LiveSession, LoginEvent

ENDPOINTS = (
    ClientEndpoint(MailProtocol.IMAP, "mail.example.org", 993),
    ClientEndpoint(MailProtocol.SMTP, "mail.example.org", 465),
    ClientEndpoint(MailProtocol.POP3, "mail.example.org", 995),
    ClientEndpoint(MailProtocol.SIEVE, "mail.example.org", 4190, Encryption.STARTTLS),
)


def settings_at(base_url: str, **changes: Any) -> WebSettings:
    """Give settings for a portal at an address."""
    return replace(WebSettings(base_url, client_settings=ENDPOINTS), **changes)


class PortalSite(ServedSite):
    """A running portal."""

    def __init__(self, folder: Path, site_name: str = "Valetkey", mailer: Mailer | None = None) -> None:
        super().__init__(lambda: _made(folder, mailer))
        self.app = create_portal(self.house.ports, settings_at(self.url, site_name=site_name))
        compile_once(self.app)
        add_component_pages(self.app)
        self.serve(self.app)

    def send_notices(self) -> int:
        """Send the notices that wait; give how many were sent."""
        letterhead = Letterhead(self.url, "Valetkey")
        return self.do(lambda: send_due(self.house.ports, self.house.ports.mailer, letterhead))

    def link_mailed_to(self, address: str) -> str:
        """Send what waits and give the path of the link in the newest mail to an address."""
        self.send_notices()
        outbox = self.house.ports.mailer
        assert isinstance(outbox, Outbox)
        found = re.search(re.escape(self.url) + r"(/\S+/[A-Za-z0-9_-]{43})", outbox.to(address)[-1].text)
        assert found is not None
        return found[1]

    def next_code(self, person: Person) -> str:
        """Give a code that was not used yet; the clock moves on for it."""
        self.house.clock.move(seconds=30)
        return self.house.code(person.seed)

    def code_of_text(self, seed: str) -> str:
        """Give the code that an authenticator shows now for a seed as it is written out."""
        return code_at(base64.b32decode(seed.replace(" ", "")), step_of(self.house.clock.now()))


async def _made(folder: Path, mailer: Mailer | None) -> House:
    house = House(folder, mailer=mailer or Outbox())
    house.with_ports(
        networks=NamedNetworks({"office": (ip_network("203.0.113.0/24"),), "vpn": (ip_network("2001:db8:7::/48"),)})
    )
    return house


async def fill(house: House) -> Person:
    """Give alice the app passwords, logins and refusals of an ordinary year."""
    house.clock.time = datetime(2026, 2, 16, 9, 12, tzinfo=UTC)
    alice = await house.person("alice@example.org")
    shared = await accounts.create(house.ports, OPERATOR, "scanner@example.org", kind=accounts.AccountKind.SHARED)
    await accounts.add_owner(house.ports, OPERATOR, shared.id, alice.account.id)
    await accounts.add_alias(house.ports, OPERATOR, alice.account.id, "alice.baker@example.org")

    async def make(name: str, ready: str, **wanted: Any) -> str:
        choice = ready_made(ready)
        assert choice is not None
        issued = await house.issue(alice, name, scope=choice.scope, **wanted)
        return issued.app_password.id

    now = house.clock.now()
    old = await make("Old phone", "mail-app")
    backup = await make("Nightly backup", "mail-app-read-only", idle_for=timedelta(days=30))
    laptop = await make("Thunderbird, laptop", "mail-app")
    scanner = await make(
        "Office scanner",
        "send-only",
        format=SecretFormat.DEVICE,
        network_rule=NetworkRule.ALLOWED,
        allowed_ips=("office",),
        limits=Limits(senders=("alice@example.org",), recipients=("@example.org",), messages_per_day=100),
    )
    await make("Travel tablet", "mail-app", expires_at=now + timedelta(days=4))
    house.clock.move(days=25, hours=2)
    phone = await make("My phone", "mail-app")
    await app_passwords.lapse_expired(house.ports)
    await app_passwords.revoke(house.ports, house.acting(alice.account), old, "Device lost or stolen")
    house.clock.move(days=3, hours=4, minutes=11)
    await make("Contact form", "send-only", expires_at=house.clock.now() + timedelta(days=6))
    now = house.clock.now()

    def event(
        credential: str, protocol: MailProtocol, place: str, client: str, ago: timedelta, **more: Any
    ) -> LoginEvent:
        at = now - ago
        return LoginEvent(
            alice.account.id, credential, protocol, place, client, more.pop("result", "allowed"), at, at, **more
        )

    imap, smtp = MailProtocol.IMAP, MailProtocol.SMTP
    await house.store.add_login_events(
        (
            event(phone, imap, "198.51.100.7", "iPhone Mail (20F66)", timedelta(minutes=4), count=12),
            event(laptop, imap, "198.51.100.7", "Thunderbird 140.2", timedelta(hours=3), count=31),
            event(laptop, smtp, "198.51.100.7", "Thunderbird 140.2", timedelta(hours=5)),
            event(backup, imap, "192.0.2.44", "mbsync", timedelta(hours=13)),
            event(scanner, smtp, "203.0.113.19", "MFP-2040", timedelta(days=2, hours=2), count=4),
            event(scanner, smtp, "192.0.2.81", "MFP-2040", timedelta(hours=1), count=3, result=Reason.NETWORK.value),
        )
    )
    await house.ports.store.write(lambda writer: writer.count_sent(scanner, now.date(), 3))
    opened = now - timedelta(minutes=50)
    house.live.sessions = [
        LiveSession(f"s{n}", alice.account.id, phone, imap, "198.51.100.7", "iPhone Mail (20F66)", opened, "1")
        for n in range(2)
    ]
    return alice
