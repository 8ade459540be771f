"""The gateway counts a message on the day on which it begins."""

import asyncio
from datetime import date, timedelta
from pathlib import Path

from tests.verbs.site import House, attempt

from valetkey.core.limits import Limits, Sent
from valetkey.core.login import Allowed
from valetkey.core.scope import MailProtocol
from valetkey.doors.gateway.counting import MessageCounting
from valetkey.service.login import check
from valetkey.service.sending import count_message
from valetkey.wire.smtp_command import SmtpRefusal

ALICE = "alice@example.org"


async def test_what_is_given_back_after_midnight_is_given_back_to_the_day_before(tmp_path: Path) -> None:
    house = House(tmp_path)
    person = await house.person(ALICE)
    issued = await house.issue(person, limits=Limits(messages_per_day=1))
    verdict = await check(house.ports, attempt(ALICE, issued.secret.shown, protocol=MailProtocol.SMTP))
    assert isinstance(verdict, Allowed)
    counting = MessageCounting(house.ports, verdict.grant, "session")
    answers: asyncio.Queue[SmtpRefusal | None] = asyncio.Queue()
    counting.answer = answers.put_nowait
    day = house.clock.now().date()

    async def sent_on(when: date) -> Sent:
        return await house.store.read(lambda reader: reader.sent_on(issued.app_password.id, when))

    counting.asked(1)
    assert await asyncio.wait_for(answers.get(), 30) is None
    house.clock.move(days=1)
    assert await count_message(house.ports, verdict.grant, 1) is None
    counting.not_taken(1)
    async with asyncio.timeout(30):
        while await sent_on(day) != Sent():
            await asyncio.sleep(0)
    assert await sent_on(day + timedelta(days=1)) == Sent(1, 1)
    house.close()
