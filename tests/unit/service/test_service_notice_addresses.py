"""Where notices go beside the mailbox: outside, confirmed by its reader, and never changed without a word."""

import pytest
from tests.verbs.api_client import token_for
from tests.verbs.outbox import Outbox, send_all, token_in
from tests.verbs.site import HOME, House

from valetkey.core.errors import InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain, Refused
from valetkey.service import notice_addresses
from valetkey.service.ports import Actor, ActorKind

OUTSIDE = "Alice.Private@elsewhere.example"
CONFIRM = "/account/notices/confirm/"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, mailer=Outbox())
    yield house
    house.close()


@pytest.fixture
async def alice(house):
    person = await house.person()
    await send_all(house)
    return person


async def asked(house, person, address=OUTSIDE):
    await notice_addresses.ask_for(house.ports, house.acting(person.account), address)
    return token_in((await send_all(house)).to(address)[-1], CONFIRM)


async def confirmed(house, person, address=OUTSIDE):
    return await notice_addresses.confirm(house.ports, person.actor, await asked(house, person, address))


async def kept(house, person):
    return (await notice_addresses.show(house.ports, person.actor)).kept


async def test_nothing_changes_before_the_link_is_used(house, alice):
    token = await asked(house, alice)
    shown = await notice_addresses.show(house.ports, alice.actor)
    assert (shown.kept, shown.pending, shown.can_mail) == (None, OUTSIDE, True)
    assert await notice_addresses.pending(house.ports, alice.actor, token) == OUTSIDE
    assert await kept(house, alice) is None
    assert await notice_addresses.confirm(house.ports, alice.actor, token) == OUTSIDE
    assert (await kept(house, alice)).address == OUTSIDE
    assert {mail.recipient for mail in (await send_all(house)).mails} == {OUTSIDE, "alice@example.org"}
    with pytest.raises(NotFound):
        await notice_addresses.confirm(house.ports, alice.actor, token)


async def test_the_address_before_is_told(house, alice):
    await confirmed(house, alice)
    await send_all(house)
    await confirmed(house, alice, "new@another.example")
    outbox = await send_all(house)
    assert {mail.recipient for mail in outbox.mails} == {OUTSIDE, "alice@example.org", "new@another.example"}
    assert all("new@another.example" in mail.text for mail in outbox.mails)


async def test_a_removed_address_is_told(house, alice):
    await confirmed(house, alice)
    await send_all(house)
    await notice_addresses.remove(house.ports, house.acting(alice.account))
    assert {mail.recipient for mail in (await send_all(house)).mails} == {OUTSIDE, "alice@example.org"}
    assert await kept(house, alice) is None
    await notice_addresses.remove(house.ports, house.acting(alice.account))
    assert (await send_all(house)).mails == []


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.org",
        "anybody@example.org",
        "anybody@EXAMPLE.org",
        "alice+private@example.org",
        "",
        "nobody",
        "a@b@elsewhere.example",
        "a@localhost",
        "Alice <a@elsewhere.example>",
        "a@elsewhere.example\r\nBcc: b@elsewhere.example",
        "a\r\nRCPT TO:<b@elsewhere.example>@elsewhere.example",
        "a>@elsewhere.example",
        '"a b"@elsewhere.example',
        "a,b@elsewhere.example",
        "a@elsewhere.example, b@elsewhere.example",
        "a..b@elsewhere.example",
        "a@[192.0.2.1]",
        "x" * 65 + "@elsewhere.example",
        "a\u202e@elsewhere.example",
        "a@" + "x." * 150 + "example",
    ],
)
async def test_addresses_that_are_not_outside_or_no_plain_ones_are_refused(house, alice, address):
    with pytest.raises(InvalidInput):
        await notice_addresses.ask_for(house.ports, alice.actor, address)
    assert (await send_all(house)).mails == []


async def test_an_alias_makes_a_domain_ours_even_after_the_link_was_mailed(house, alice):
    token = await asked(house, alice)
    await house.store.write(lambda writer: writer.add_alias(alice.account.id, "alice@elsewhere.example"))
    with pytest.raises(InvalidInput):
        await notice_addresses.confirm(house.ports, alice.actor, token)
    assert await kept(house, alice) is None


async def test_a_link_confirms_for_its_own_account_only(house, alice):
    token = await asked(house, alice)
    bob = await house.person("bob@example.org")
    for verb in (notice_addresses.pending, notice_addresses.confirm):
        with pytest.raises(NotFound):
            await verb(house.ports, bob.actor, token)
    await notice_addresses.confirm(house.ports, alice.actor, token)


async def test_a_new_link_ends_the_one_before(house, alice):
    first = await asked(house, alice)
    await asked(house, alice, "other@another.example")
    with pytest.raises(NotFound):
        await notice_addresses.confirm(house.ports, alice.actor, first)


async def test_a_link_lasts_a_day(house, alice):
    token = await asked(house, alice)
    house.clock.move(hours=24)
    assert (await notice_addresses.show(house.ports, alice.actor)).pending == ""
    with pytest.raises(NotFound):
        await notice_addresses.confirm(house.ports, alice.actor, token)


async def test_it_needs_a_second_factor_and_a_recent_proof(house, alice):
    bob = await house.person("bob@example.org", two_factor=False)
    with pytest.raises(PolicyForbids):
        await notice_addresses.ask_for(house.ports, bob.actor, OUTSIDE)
    house.clock.move(minutes=6)
    for attempt in (
        notice_addresses.ask_for(house.ports, alice.actor, OUTSIDE),
        notice_addresses.remove(house.ports, alice.actor),
    ):
        with pytest.raises(ProveAgain):
            await attempt


async def test_a_token_changes_nothing(house, alice):
    token = Actor(ActorKind.TOKEN, alice.account.id, HOME, token_id="at_nothing")
    for attempt in (
        notice_addresses.ask_for(house.ports, token, OUTSIDE),
        notice_addresses.remove(house.ports, token),
        notice_addresses.show(house.ports, token),
    ):
        with pytest.raises(NotAllowed):
            await attempt


async def test_a_token_that_may_all_it_can_uses_no_link(house, alice):
    link = await asked(house, alice)
    made = await token_for(house, alice)
    token = Actor(ActorKind.TOKEN, alice.account.id, HOME, token_id=made.token.id)
    assert (await notice_addresses.show(house.ports, token)).pending == OUTSIDE
    for attempt in (notice_addresses.pending, notice_addresses.confirm):
        with pytest.raises(NotAllowed):
            await attempt(house.ports, token, link)
    assert await kept(house, alice) is None


async def test_without_mail_it_is_said(house, alice):
    house.with_ports(mailer=None)
    assert (await notice_addresses.show(house.ports, alice.actor)).can_mail is False
    with pytest.raises(Refused, match="sends no mail"):
        await notice_addresses.ask_for(house.ports, alice.actor, OUTSIDE)


async def test_links_are_bounded(house, alice):
    for number in range(notice_addresses.MOST_LINKS):
        await asked(house, alice, f"a{number}@elsewhere.example")
    with pytest.raises(Refused, match="Several links"):
        await notice_addresses.ask_for(house.ports, house.acting(alice.account), OUTSIDE)
