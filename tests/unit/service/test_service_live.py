"""Open mail connections: who sees them, who closes them."""

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person

from valetkey.core.errors import NotAllowed, NotFound, Unavailable
from valetkey.core.event import ConnectionClosed
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service import activity, live
from valetkey.service.ports import LiveSession


def opened(house: House, account_id: str, name: str, credential_id: str | None = None) -> None:
    now = house.clock.now()
    house.live.sessions.append(LiveSession(name, account_id, credential_id, MailProtocol.IMAP, HOME, "K-9", now, "1"))
    house.clock.move(seconds=1)


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


async def records(house: House, account_id: str):
    found = await activity.audit(house.ports, OPERATOR, account_id=account_id)
    return [record for record in found if isinstance(record.event, ConnectionClosed)]


async def test_one_s_own_and_the_shared_ones_are_listed_and_nobody_else_s(house: House, alice: Person):
    scanner, bob = await house.shared(owner=alice), await house.person("bob@example.org")
    for account_id, name in ((alice.account.id, "s1"), (scanner.id, "s2"), (bob.account.id, "s3")):
        opened(house, account_id, name)
    found = await live.of_own(house.ports, alice.actor)
    assert [session.id for session in found.sessions] == ["s2", "s1"]
    assert [account.address for account in found.accounts] == ["alice@example.org", "scanner@example.org"]
    assert found.is_complete
    with pytest.raises(NotFound):
        await live.of_account(house.ports, alice.actor, bob.account.id)
    with pytest.raises(NotAllowed):
        await live.of_account(house.ports, alice.actor, None)
    assert len(await live.of_account(house.ports, OPERATOR, None)) == 3


async def test_a_silent_worker_is_said(house: House, alice: Person):
    house.live.silent = 1
    assert not (await live.of_own(house.ports, alice.actor)).is_complete
    assert (await live.survey(house.ports, alice.actor, alice.account.id)).silent == 1


async def test_closing_is_recorded_with_its_app_password(house: House, alice: Person):
    one = (await house.issue(alice)).app_password
    opened(house, alice.account.id, "s1", one.id)
    assert await live.close(house.ports, alice.actor, "s1")
    assert house.live.sessions == []
    (record,) = await records(house, alice.account.id)
    assert (record.event, record.credential_id) == (ConnectionClosed("imap", HOME), one.id)
    assert not await live.close(house.ports, alice.actor, "s1")
    assert len(await records(house, alice.account.id)) == 1


async def test_nobody_closes_another_s(house: House, alice: Person):
    mallory = await house.person("mallory@example.org")
    one = (await house.issue(alice)).app_password
    opened(house, alice.account.id, "s1", one.id)
    assert not await live.close(house.ports, mallory.actor, "s1")
    with pytest.raises(NotFound):
        await live.close_all_of(house.ports, mallory.actor, one.id)
    assert len(house.live.sessions) == 1
    assert await records(house, alice.account.id) == []


async def test_owners_close_those_of_shared_accounts_and_the_command_line_any(house: House, alice: Person):
    scanner = await house.shared(owner=alice)
    for name in ("s1", "s2"):
        opened(house, scanner.id, name)
    assert await live.close(house.ports, alice.actor, "s1")
    assert await live.close(house.ports, OPERATOR, "s2")
    assert [record.actor for record in await records(house, scanner.id)] == ["operator", alice.account.id]


async def test_helpdesk_closes_those_of_people_and_an_auditor_none(house: House, alice: Person):
    helper = await house.person("help@example.org", role=Role.HELPDESK)
    auditor = await house.person("audit@example.org", role=Role.AUDITOR)
    boss = await house.person("boss@example.org", role=Role.ADMIN)
    opened(house, alice.account.id, "s1")
    opened(house, boss.account.id, "s2")
    opened(house, auditor.account.id, "s3")
    assert len(await live.of_account(house.ports, house.acting(auditor.account), None)) == 3
    assert not await live.close(house.ports, house.acting(auditor.account), "s1")
    assert await live.close(house.ports, house.acting(auditor.account), "s3")  # their own
    assert await live.close(house.ports, house.acting(helper.account), "s1")
    with pytest.raises(NotAllowed):
        await live.close(house.ports, house.acting(helper.account), "s2")
    assert [session.id for session in house.live.sessions] == ["s2"]


async def test_all_of_one_app_password(house: House, alice: Person):
    one, other = (await house.issue(alice)).app_password, (await house.issue(alice)).app_password
    for name, credential in (("s1", one), ("s2", other), ("s3", one)):
        opened(house, alice.account.id, name, credential.id)
    assert await live.close_all_of(house.ports, alice.actor, one.id) == 2
    assert [session.id for session in house.live.sessions] == ["s2"]
    assert len(await records(house, alice.account.id)) == 2
    assert await live.close_all_of(house.ports, alice.actor, one.id) == 0


async def test_a_worker_that_does_not_say_whether_it_closed_is_no_success(house: House, alice: Person, monkeypatch):
    async def deaf(_session_id: str) -> bool:
        return False

    opened(house, alice.account.id, "s1")
    monkeypatch.setattr(house.live, "close", deaf)
    with pytest.raises(Unavailable, match="not known"):
        await live.close(house.ports, alice.actor, "s1")
