"""What a login may send; the doors' tests ask the same through Postfix's protocol."""

import asyncio

import pytest
from tests.verbs.site import House, attempt

from valetkey.core.errors import Unavailable
from valetkey.core.limits import Limits, Overstep, Sent
from valetkey.core.login import Allowed, CannotTell, Grant
from valetkey.core.scope import MailProtocol
from valetkey.service.login import check
from valetkey.service.sending import count_message, judge_message, judge_recipient, judge_sender

ALICE = "alice@example.org"


async def grant(house: House, limits: Limits | None = None) -> Grant:
    """Log in with an app password of these limits."""
    person = await house.person(ALICE)
    issued = await house.issue(person, **({"limits": limits} if limits else {}))
    verdict = await check(house.ports, attempt(ALICE, issued.secret.shown, protocol=MailProtocol.SMTP))
    assert isinstance(verdict, Allowed)
    return verdict.grant


async def sent(house: House, given: Grant) -> Sent:
    today = house.clock.now().date()
    return await house.store.read(lambda reader: reader.sent_on(given.credential_id or "", today))


async def test_where_no_day_is_limited_nothing_is_read_or_written(house):
    given = await grant(house, Limits(recipients_per_message=2))
    calls, _ = house.count_calls()
    assert await judge_recipient(house.ports, given, ALICE, "bob@example.net") is None
    assert await count_message(house.ports, given, 2) is None
    assert await count_message(house.ports, given, 3) is Overstep.RECIPIENTS_PER_MESSAGE
    assert await judge_recipient(house.ports, given, ALICE, "bob@example.net", recipients=3) is (
        Overstep.RECIPIENTS_PER_MESSAGE
    )
    assert not calls


async def test_main_passwords_are_not_counted(house):
    given = Grant("ac_x", ALICE, None, MailProtocol.SMTP, frozenset(), None, 0)
    assert await count_message(house.ports, given, 1000) is None


async def test_sender_recipient_and_day_in_this_order(house):
    limits = Limits(senders=(ALICE,), recipients=("@example.net",), messages_per_day=1)
    given = await grant(house, limits)
    assert judge_sender(limits, "") is Overstep.SENDER
    assert await count_message(house.ports, given, 1) is None
    assert await judge_recipient(house.ports, given, "x@example.org", "x@example.com") is Overstep.SENDER
    assert await judge_recipient(house.ports, given, ALICE, "x@example.com") is Overstep.RECIPIENT
    assert await judge_recipient(house.ports, given, ALICE, "x@example.net") is Overstep.MESSAGES_PER_DAY
    assert await judge_message(house.ports, given, 1) is Overstep.MESSAGES_PER_DAY
    house.clock.move(days=1)
    assert await judge_recipient(house.ports, given, ALICE, "x@example.net") is None


async def test_what_does_not_fit_counts_nothing(house):
    given = await grant(house, Limits(recipients_per_day=5))
    assert await count_message(house.ports, given, 3) is None
    assert await count_message(house.ports, given, 3) is Overstep.RECIPIENTS_PER_DAY
    assert await sent(house, given) == Sent(1, 3)
    assert await count_message(house.ports, given, 2) is None
    assert await sent(house, given) == Sent(2, 5)


async def test_the_last_place_is_taken_once(house):
    given = await grant(house, Limits(messages_per_day=10))
    said = await asyncio.gather(*(count_message(house.ports, given, 1) for _ in range(30)))
    assert said.count(None) == 10
    assert await sent(house, given) == Sent(10, 10)


@pytest.mark.parametrize("verb", [judge_message, count_message])
async def test_a_broken_store_is_cannot_tell(house, verb):
    given = await grant(house, Limits(messages_per_day=10))

    async def away(_):
        raise Unavailable("The store is away.")

    house.store.read = house.store.write = away
    assert await verb(house.ports, given, 1) == CannotTell("The store is away.")
