"""Sending notices: what is mailed, what is tried again and how often, and what happens without a mail server."""

from datetime import timedelta

import pytest
from tests.verbs.outbox import LETTERHEAD, PORTAL, Outbox, send_all
from tests.verbs.site import START, House

from valetkey.core.errors import Refused, Unavailable
from valetkey.core.notice import NoticeKind
from valetkey.service.mailing import GIVE_UP_AFTER, Letterhead, send_due
from valetkey.service.notices import seal_token, tell, tell_with_link


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, mailer=Outbox())
    yield house
    house.close()


@pytest.fixture
async def alice(house):
    account = (await house.person(two_factor=False)).account
    await house.store.write(lambda writer: writer.remove_notices())
    return account


async def tell_alice(house, alice, kind=NoticeKind.FACTOR_ADDED, **facts):
    facts = facts or {"name": "Phone", "address": "192.0.2.1"}
    await house.store.write(lambda writer: tell(writer, alice.id, kind, house.clock.now(), **facts))


async def waiting(house):
    far = house.clock.now() + timedelta(days=30)
    return await house.store.read(lambda reader: reader.due_notices(far))


async def test_a_notice_says_what_when_from_where_and_what_to_do(house, alice):
    await tell_alice(house, alice)
    (mail,) = (await send_all(house)).mails
    assert (mail.recipient, mail.subject) == ("alice@example.org", "New second factor for alice@example.org")
    assert mail.date == START
    for said in ("“Phone”", "192.0.2.1", "2026-03-01", PORTAL, "If this was not you", "Example Mail"):
        assert said in mail.text, said
    assert max(len(line) for line in mail.text.splitlines()) <= 72
    assert await waiting(house) == ()


async def test_it_is_said_in_the_language_of_the_site(house, alice):
    await tell_alice(house, alice)
    letterhead = Letterhead(PORTAL, "Example Mail", lambda sentence: f"DE {sentence.message[:10]}")
    await send_due(house.ports, house.ports.mailer, letterhead)
    (mail,) = house.ports.mailer.mails
    assert mail.subject == "DE New second"


async def test_a_link_is_whole_and_on_a_line_of_its_own(house, alice):
    link = seal_token(house.ports, alice.id, NoticeKind.INVITATION, "t" * 43)
    await house.store.write(
        lambda writer: tell_with_link(writer, alice.id, NoticeKind.INVITATION, START, link, expires_at=START)
    )
    (mail,) = (await send_all(house)).mails
    assert f"{PORTAL}/welcome/{'t' * 43}" in mail.text.splitlines()
    assert "t" * 43 not in repr(mail)


async def test_what_a_server_refuses_is_tried_again_ever_later_and_given_up(house, alice):
    await tell_alice(house, alice)
    outbox = house.ports.mailer
    outbox.fails = Refused("mailbox full")
    waits = []
    for _ in range(100):
        await send_due(house.ports, outbox, LETTERHEAD)
        left = await waiting(house)
        if not left:
            break
        waits.append(left[0].next_try_at - house.clock.now())
        house.clock.time = left[0].next_try_at
    assert waits[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert max(waits) == timedelta(hours=4)
    assert GIVE_UP_AFTER <= house.clock.now() - START <= GIVE_UP_AFTER + timedelta(hours=4)


async def test_one_refused_mail_does_not_hold_up_the_next(house, alice):
    bob = (await house.person("bob@example.org", two_factor=False)).account
    await house.store.write(lambda writer: writer.remove_notices())
    await tell_alice(house, alice)
    await tell_alice(house, bob)

    class OnlyBob(Outbox):
        async def send(self, mail):
            if mail.recipient != "bob@example.org":
                raise Refused("no")
            await super().send(mail)

    assert await send_due(house.ports, OnlyBob(), LETTERHEAD) == 1
    assert [notice.recipient for notice in await waiting(house)] == ["alice@example.org"]


async def test_a_server_that_is_away_is_asked_once_per_round(house, alice):
    for _ in range(5):
        await tell_alice(house, alice)
    asked = []

    class Away(Outbox):
        async def send(self, mail):
            asked.append(mail)
            raise Unavailable("away")

    assert await send_due(house.ports, Away(), LETTERHEAD) == 0
    assert len(asked) == 1
    assert len(await waiting(house)) == 5


async def test_a_mail_tried_again_is_the_same_mail(house, alice):
    await tell_alice(house, alice)
    outbox = house.ports.mailer
    ids = set()

    class Fails(Outbox):
        async def send(self, mail):
            ids.add(mail.id)
            raise Refused("later")

    await send_due(house.ports, Fails(), LETTERHEAD)
    house.clock.move(minutes=2)
    await send_due(house.ports, outbox, LETTERHEAD)
    assert ids == {outbox.mails[0].id}


async def test_without_a_mail_server_nothing_piles_up(house, alice):
    await tell_alice(house, alice)
    assert await send_due(house.ports, None, LETTERHEAD) == 0
    assert await waiting(house) == ()


async def test_a_notice_that_cannot_be_written_holds_up_no_other(house, alice):
    now = house.clock.now()

    def queue(writer):
        for kind, facts, sealed in (
            ("of-another-version", {}, None),
            ("factor-added", {}, None),
            ("recovery-open", {"closes_at": "nonsense"}, None),
            ("recovery-link", {"address": ""}, b"sealed by nobody"),
        ):
            writer.queue_notice(alice.id, "alice@example.org", kind, facts, at=now, sealed=sealed)
        tell(writer, alice.id, NoticeKind.ACCOUNT_DISABLED, now)

    await house.store.write(queue)
    (mail,) = (await send_all(house)).mails
    assert mail.subject == "Account alice@example.org disabled"
    assert len(await waiting(house)) == 4
