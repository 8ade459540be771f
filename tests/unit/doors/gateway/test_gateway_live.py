"""The registry of live sessions by itself, over a real store."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.site import HOME, OPERATOR, House, Person, attempt

from valetkey.core.account import AccountKind
from valetkey.core.errors import Unavailable
from valetkey.core.login import Allowed, CannotTell, Reason, Refused
from valetkey.core.policy import Policy
from valetkey.core.scope import ALL_PERMISSIONS, MailProtocol, Permission, PermissionMode, Scope
from valetkey.doors.gateway.live import Live, LiveRegistry
from valetkey.service import accounts, app_passwords
from valetkey.service.app_passwords import Issued
from valetkey.service.login import check
from valetkey.service.ports import LiveSession

OLD = "velvet harbour ninety candles"


class Broken:
    """A store that fails at what is named, and works otherwise."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.fails: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name in self.fails:
            raise Unavailable("The disk is on fire.")
        return getattr(self.store, name)


class Sessions:
    """Live sessions, and why they were closed."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.broken = Broken(house.store)
        house.with_ports(store=self.broken)
        self.registry = LiveRegistry(house.ports)
        self.closed: dict[str, str] = {}

    async def open(self, issued: Issued, session_id: str, protocol: MailProtocol = MailProtocol.IMAP) -> Live:
        asked = replace(attempt("alice@example.org", issued.secret.shown), protocol=protocol)
        verdict = await check(self.house.ports, asked)
        assert isinstance(verdict, Allowed)
        facts = LiveSession(
            session_id,
            verdict.grant.account_id,
            verdict.grant.credential_id,
            protocol,
            HOME,
            "",
            self.house.clock.now(),
            "1",
        )

        def close(reason: str) -> None:
            self.closed[session_id] = reason
            self.registry.remove(session_id)

        live = Live(facts, asked, verdict.grant, close)
        self.registry.add(live)
        return live


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    house = House(tmp_path)
    yield Sessions(house)
    house.close()


@pytest.fixture
async def alice(sessions: Sessions) -> Person:
    return await sessions.house.person("alice@example.org")


async def test_following_closes_what_a_change_ends_and_the_verb_still_learns_how_many(
    sessions: Sessions, alice: Person
):
    issued, other = await sessions.house.issue(alice), await sessions.house.issue(alice, "Laptop")
    await sessions.open(issued, "a")
    await sessions.open(issued, "b")
    await sessions.open(other, "c")
    assert sessions.registry.follow() == 0
    await app_passwords.revoke(sessions.house.ports, sessions.house.acting(alice.account), issued.app_password.id)
    assert sessions.registry.follow() == 2
    assert sessions.closed == {"a": "revoked", "b": "revoked"}
    assert sessions.registry.apply(alice.account.id) == 2
    assert sessions.registry.apply(alice.account.id) == 0
    assert [each.id for each in sessions.registry.of_account(alice.account.id)] == ["c"]


async def test_a_store_that_is_away_cuts_nobody_off_and_nothing_is_missed(sessions: Sessions, alice: Person):
    issued = await sessions.house.issue(alice)
    await sessions.open(issued, "a")
    sessions.registry.follow()
    await app_passwords.revoke(sessions.house.ports, sessions.house.acting(alice.account), issued.app_password.id)
    sessions.broken.fails = {"change_number"}
    assert sessions.registry.follow() == 0
    sessions.broken.fails = {"find_proven"}
    assert sessions.registry.follow() == 0, "the change is known now, and not what it means"
    sessions.broken.fails = set()
    assert sessions.registry.follow() == 1
    assert sessions.closed == {"a": "revoked"}


async def test_narrowing_closes_only_what_loses_something_it_could_use(sessions: Sessions, alice: Person):
    house, protocols = sessions.house, frozenset(MailProtocol)
    issued = await house.issue(alice, scope=Scope(PermissionMode.REPLACE, ALL_PERMISSIONS, protocols))
    opened = {each: await sessions.open(issued, each.value, each) for each in MailProtocol}
    sessions.registry.follow()

    async def narrowed(without: Permission) -> int:
        scope = Scope(PermissionMode.REPLACE, opened[MailProtocol.POP3].grant.permissions - {without}, protocols)
        await app_passwords.change(house.ports, house.acting(alice.account), issued.app_password.id, scope=scope)
        return sessions.registry.apply(alice.account.id)

    assert await narrowed(Permission.SEND) == 1
    assert sessions.closed == {"smtp": "permission"}
    assert await narrowed(Permission.FOLDERS) == 1
    assert sessions.closed == {"smtp": "permission", "imap": "narrowed"}
    assert await narrowed(Permission.WRITE) == 0
    for each in (MailProtocol.POP3, MailProtocol.SIEVE):
        assert opened[each].grant.permissions == ALL_PERMISSIONS - {
            Permission.SEND,
            Permission.FOLDERS,
            Permission.WRITE,
        }
    scope = Scope(PermissionMode.REPLACE, ALL_PERMISSIONS, frozenset({MailProtocol.POP3}))
    await app_passwords.change(house.ports, house.acting(alice.account), issued.app_password.id, scope=scope)
    assert sessions.registry.apply(alice.account.id) == 1
    assert sessions.closed["sieve"] == "protocol"
    assert Permission.SEND not in opened[MailProtocol.POP3].grant.permissions, "an open session gains nothing"
    assert [each.id for each in sessions.registry.of_account(alice.account.id)] == ["pop3"]


async def test_an_expiry_needs_no_store(sessions: Sessions, alice: Person):
    clock = sessions.house.clock
    soon = clock.now().replace(year=2027)
    issued = await sessions.house.issue(alice, expires_at=soon)
    await sessions.open(issued, "a")
    sessions.broken.fails = {"find_proven"}
    clock.time = soon.replace(second=0)
    assert sessions.registry.follow() == 0
    clock.time = soon
    assert sessions.registry.follow() == 1
    assert sessions.closed == {"a": "expired"}


async def test_a_later_expiry_counts_from_then_on(sessions: Sessions, alice: Person):
    house = sessions.house
    first, second = house.clock.now().replace(year=2027), house.clock.now().replace(year=2028)
    issued = await house.issue(alice, expires_at=first)
    await sessions.open(issued, "a")
    restrictions = issued.app_password.restrictions
    later = type(restrictions)(expires_at=second)
    await app_passwords.change(house.ports, house.acting(alice.account), issued.app_password.id, restrictions=later)
    assert sessions.registry.follow() == 0
    house.clock.time = first
    assert sessions.registry.follow() == 0
    house.clock.time = second
    assert sessions.registry.follow() == 1


async def test_the_heap_of_expiries_does_not_grow_with_sessions_that_are_gone(sessions: Sessions, alice: Person):
    issued = await sessions.house.issue(alice, expires_at=sessions.house.clock.now().replace(year=2027))
    live = await sessions.open(issued, "a")
    for _ in range(5000):
        sessions.registry.add(live)
        sessions.registry.remove("a")
    assert len(sessions.registry._expiries) <= 1001
    assert sessions.registry.of_account("") == ()


async def test_what_was_followed_before_the_registration_is_looked_at_again(sessions: Sessions, alice: Person):
    registry = sessions.registry
    issued = await sessions.house.issue(alice)
    registry.follow()
    live = await sessions.open(issued, "a")
    assert isinstance(registry.still_passes(live), Allowed)
    await accounts.disable(sessions.house.ports, OPERATOR, alice.account.id)
    registry.remove("a")
    registry.follow()
    registry.add(live)
    assert registry.still_passes(live) == Refused(Reason.ACCOUNT_DISABLED, credential_id=issued.app_password.id)


async def test_what_was_not_followed_yet_is_seen_at_the_registration(sessions: Sessions, alice: Person):
    issued = await sessions.house.issue(alice)
    live = await sessions.open(issued, "a")
    await app_passwords.revoke(sessions.house.ports, sessions.house.acting(alice.account), issued.app_password.id)
    assert sessions.registry.still_passes(live) == Refused(Reason.REVOKED, credential_id=issued.app_password.id)


async def test_nothing_is_registered_while_the_store_cannot_tell(sessions: Sessions, alice: Person):
    live = await sessions.open(await sessions.house.issue(alice), "a")
    sessions.broken.fails = {"find_proven"}
    assert isinstance(sessions.registry.still_passes(live), CannotTell)


@pytest.mark.parametrize("is_registered", [True, False])
async def test_a_new_main_password_ends_what_the_old_one_opened(sessions: Sessions, *, is_registered: bool):
    """Even if the worker was not asked in time, or the session was on its way when the password was set."""
    house = sessions.house
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    sessions.registry = LiveRegistry(house.ports)
    bob = await accounts.create(house.ports, OPERATOR, "bob@example.org", kind=AccountKind.PERSON, password=OLD)
    asked = attempt("bob@example.org", OLD)
    verdict = await check(house.ports, asked)
    assert isinstance(verdict, Allowed)
    facts = LiveSession("b", bob.id, None, MailProtocol.IMAP, HOME, "", house.clock.now(), "1")
    live = Live(facts, asked, verdict.grant, lambda reason: sessions.closed.update(b=reason))
    if is_registered:
        sessions.registry.add(live)
        assert isinstance(sessions.registry.still_passes(live), Allowed)
    await accounts.set_main_password(house.ports, OPERATOR, bob.id, OLD[::-1])
    if is_registered:
        assert sessions.registry.follow() == 1
        assert sessions.closed == {"b": "revoked"}
    else:
        sessions.registry.add(live)
        assert sessions.registry.still_passes(live) == Refused(Reason.REVOKED)


async def test_a_store_put_back_from_a_copy_has_everybody_looked_at(sessions: Sessions, alice: Person):
    issued = await sessions.house.issue(alice)
    await sessions.open(issued, "a")
    sessions.registry.follow()
    sessions.registry._follower.position += 100
    assert sessions.registry.follow() == 0
    await app_passwords.revoke(sessions.house.ports, sessions.house.acting(alice.account), issued.app_password.id)
    sessions.registry._follower.position += 100
    assert sessions.registry.follow() == 1
