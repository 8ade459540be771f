"""What limits of an app password stop is told to its owner: counted at Postfix's policy service and at the gateway."""

import base64
from datetime import timedelta

from tests.doors.door_site import door, open_doors, peer
from tests.doors.fake_upstreams import running_upstream
from tests.doors.gateway_site import listeners, running_gateway, upstream
from tests.unit.doors.postfix.test_postfix_policy import ask, end, sender
from tests.verbs.site import House

from valetkey.core.limits import Limits, Overstep
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import DoorKind
from valetkey.service import app_passwords
from valetkey.service.sending import Stopped, note_stopped

ALICE = "alice@example.org"


async def stopped(house: House, person, credential_id: str) -> dict[Overstep, int]:
    await house.recorder.flush()
    today = await app_passwords.sent_today(house.ports, house.acting(person.account), credential_id)
    return {each.why: each.count for each in today.stopped}


async def test_postfix_has_each_refusal_counted_once(tmp_path) -> None:
    async with open_doors(tmp_path, door(DoorKind.POLICY, peer(secret=""))) as site:
        person, name, one = await sender(site, limits=Limits(recipients=("@example.net",), messages_per_day=1))
        talk = await site.connect()
        assert await end(talk, name, "a.0") == "action=DUNNO"
        await ask(talk, name, recipient="eve@example.com")
        for _ in range(2):  # two lists of Postfix ask the same
            await end(talk, name, "a.1")
        assert await stopped(site.house, person, one) == {Overstep.RECIPIENT: 1, Overstep.MESSAGES_PER_DAY: 1}


async def test_the_gateway_counts_senders_recipients_and_messages(tmp_path) -> None:
    house = House(tmp_path)
    person = await house.person(ALICE)
    limits = Limits(senders=(ALICE,), recipients=("@example.net",), recipients_per_message=1, messages_per_day=1)
    issued = await house.issue(person, limits=limits)
    login = base64.b64encode(f"\0{ALICE}\0{issued.secret.shown}".encode()).decode()
    smtp = MailProtocol.SMTP
    async with (
        running_upstream(smtp) as fake,
        running_gateway(tmp_path, {smtp: upstream(fake.port)}, house=house, listeners=listeners()) as site,
    ):
        talk = await site.connect(smtp)
        await talk.until("220")
        await talk.ask("EHLO client.example.org", "250 ")
        await talk.ask(f"AUTH PLAIN {login}", "235")
        await talk.ask("MAIL FROM:<boss@example.org>", "550")
        await talk.ask(f"MAIL FROM:<{ALICE}>", "250")
        for whom, heard in (("eve@example.com", "550"), ("bob@example.net", "250"), ("carl@example.net", "452")):
            await talk.ask(f"RCPT TO:<{whom}>", heard)
        await talk.ask("DATA", "354")
        await talk.ask("Subject: one\r\n\r\none\r\n.", "250")
        await talk.ask(f"MAIL FROM:<{ALICE}>", "250")
        await talk.ask("RCPT TO:<bob@example.net>", "250")
        await talk.ask("DATA", "550")
        assert await stopped(house, person, issued.app_password.id) == {
            Overstep.SENDER: 1,
            Overstep.RECIPIENT: 1,
            Overstep.RECIPIENTS_PER_MESSAGE: 1,
            Overstep.MESSAGES_PER_DAY: 1,
        }


async def test_days_add_up_for_a_month_the_latest_first(tmp_path) -> None:
    house = House(tmp_path)
    person = await house.person(ALICE)
    one = (await house.issue(person)).app_password.id
    ports, begun = house.ports, house.clock.now()
    for why, days in ((Overstep.SENDER, 0), (Overstep.RECIPIENT, 1), (Overstep.RECIPIENT, 1), (Overstep.SENDER, 30)):
        house.clock.time = begun + timedelta(days=days)
        note_stopped(ports, one, why)
    await house.recorder.flush()
    today = await app_passwords.sent_today(ports, house.acting(person.account), one)
    latest = begun + timedelta(days=30)
    assert today.stopped == (
        Stopped(Overstep.SENDER, 2, latest),
        Stopped(Overstep.RECIPIENT, 2, begun + timedelta(days=1)),
    )
    house.clock.move(days=1)
    today = await app_passwords.sent_today(ports, house.acting(person.account), one)
    assert [(each.why, each.count) for each in today.stopped] == [(Overstep.SENDER, 1), (Overstep.RECIPIENT, 2)]
    house.close()
