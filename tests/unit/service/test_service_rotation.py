"""Putting a new app password in the place of one."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from tests.verbs.site import EVERYTHING, HOME, OPERATOR, House, attempt

from valetkey.core.app_password import SecretFormat
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain
from valetkey.core.event import AppPasswordIssued, AppPasswordLapsed, AppPasswordRotated
from valetkey.core.limits import Limits, Overstep, Sent
from valetkey.core.login import Allowed, Reason, Refused
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.service import activity, app_passwords, login, rotation, sending
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import LiveSession

WEEK = timedelta(days=7)
READS = Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset({MailProtocol.IMAP}))


async def opens(house: House, secret, name: str = "alice") -> bool:
    return isinstance(await login.check(house.ports, attempt(name, secret.text)), Allowed)


async def events_of(house: House, account_id: str, number: int):
    records = await activity.audit(house.ports, OPERATOR, account_id=account_id, limit=number)
    return [(record.event, record.credential_id) for record in records]


async def test_both_work_until_the_overlap_ends(house: House):
    alice = await house.person()
    old = await house.issue(alice, "Backup", scope=READS, format=SecretFormat.DEVICE)
    house.clock.move(days=3)
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.app_password.id, WEEK)
    new = rotated.app_password
    assert (new.description, new.scope, new.format) == ("Backup", READS, SecretFormat.DEVICE)
    assert (new.rotated_from, new.created_by, new.created_from) == (old.app_password.id, alice.account.id, HOME)
    assert rotated.replaced.restrictions.expires_at == house.clock.now() + WEEK
    assert await app_passwords.get(house.ports, alice.actor, new.id) == new
    assert await app_passwords.get(house.ports, alice.actor, old.app_password.id) == rotated.replaced
    assert await rotation.successor_of(house.ports, alice.actor, old.app_password.id) == new
    assert await rotation.successor_of(house.ports, alice.actor, new.id) is None
    assert await opens(house, old.secret)
    assert await opens(house, rotated.secret)
    house.clock.move(days=7)
    assert not await opens(house, old.secret)
    assert await opens(house, rotated.secret)
    assert rotated.secret.text not in repr(rotated)


async def test_both_ends_are_recorded(house: House):
    alice = await house.person()
    old = (await house.issue(alice)).app_password
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.id, WEEK)
    (rotation_event, of_old), (issued, of_new) = await events_of(house, alice.account.id, 2)
    until = (house.clock.now() + WEEK).isoformat()
    assert (rotation_event, of_old) == (AppPasswordRotated("Phone", rotated.app_password.id, until), old.id)
    assert isinstance(issued, AppPasswordIssued)
    assert of_new == rotated.app_password.id


async def test_without_overlap_the_old_one_ends_at_once_with_its_connections(house: House):
    alice = await house.person()
    old = await house.issue(alice)
    house.live.sessions = [
        LiveSession("s1", alice.account.id, old.app_password.id, MailProtocol.IMAP, HOME, "", house.clock.now(), "1")
    ]
    house.live.fails = lambda session: session.credential_id == old.app_password.id
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.app_password.id)
    assert rotated.closed.total == 1
    assert not rotated.replaced.is_live
    assert (await app_passwords.get(house.ports, alice.actor, old.app_password.id)) == rotated.replaced
    verdict = await login.check(house.ports, attempt("alice", old.secret.text))
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.EXPIRED
    house.clock.move(hours=-1)  # a clock set back does not bring it to life again
    assert not await opens(house, old.secret)
    assert await opens(house, rotated.secret)
    assert isinstance((await events_of(house, alice.account.id, 1))[0][0], AppPasswordLapsed)


async def test_the_old_one_never_lives_longer_by_it(house: House):
    alice = await house.person()
    soon = house.clock.now() + timedelta(days=2)
    old = (await house.issue(alice, expires_at=soon)).app_password
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.id, WEEK)
    assert rotated.replaced.restrictions.expires_at == soon


async def test_the_new_one_lives_as_long_again_within_the_policy(house: House):
    alice = await house.person()
    month = timedelta(days=30)
    old = (await house.issue(alice, expires_at=house.clock.now() + month, idle_for=WEEK)).app_password
    house.clock.move(days=20)
    second = await rotation.rotate(house.ports, house.acting(alice.account), old.id, timedelta(days=1))
    limits = second.app_password.restrictions
    assert (limits.expires_at, limits.idle_for) == (house.clock.now() + month, WEEK)
    house.with_ports(policy=Policy(max_lifetime=timedelta(days=9), max_idle_for=timedelta(days=3)))
    third = await rotation.rotate(house.ports, house.acting(alice.account), second.app_password.id)
    limits = third.app_password.restrictions
    assert (limits.expires_at, limits.idle_for) == (house.clock.now() + timedelta(days=9), timedelta(days=3))


async def test_a_pinned_network_stays_with_the_new_one(house: House):
    alice = await house.person()
    old = await house.issue(alice, network_rule=NetworkRule.PINNED)
    assert await opens(house, old.secret)
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.app_password.id)
    assert rotated.app_password.restrictions.pinned_network == ip_network("198.51.100.0/24")
    elsewhere = await login.check(house.ports, attempt("alice", rotated.secret.text, address="203.0.113.1"))
    assert isinstance(elsewhere, Refused)


async def test_it_needs_what_issuing_needs(house: House):
    alice, mallory = await house.person(), await house.person("mallory@example.org", role=Role.ADMIN)
    old = (await house.issue(alice)).app_password
    stale = house.acting(alice.account)
    house.clock.move(minutes=6)
    with pytest.raises(ProveAgain):
        await rotation.rotate(house.ports, stale, old.id)
    with pytest.raises(NotFound):
        await rotation.rotate(house.ports, house.acting(mallory.account), old.id)
    with pytest.raises(NotAllowed):
        await rotation.rotate(house.ports, OPERATOR, old.id)
    with pytest.raises(InvalidInput):
        await rotation.rotate(house.ports, house.acting(alice.account), old.id, timedelta(days=2))
    await app_passwords.revoke(house.ports, house.acting(alice.account), old.id)
    with pytest.raises(Conflict):
        await rotation.rotate(house.ports, house.acting(alice.account), old.id)
    assert len(await app_passwords.of_account(house.ports, OPERATOR, alice.account.id)) == 1


async def test_the_command_line_does_it_for_shared_accounts(house: House):
    scanner = await house.shared()
    old = await app_passwords.issue(house.ports, OPERATOR, scanner.id, Wanted("Scanner", EVERYTHING))
    rotated = await rotation.rotate(house.ports, OPERATOR, old.app_password.id, WEEK)
    assert await opens(house, rotated.secret, "scanner")


async def test_what_is_replaced_is_not_replaced_twice(house: House):
    alice = await house.person()
    old = (await house.issue(alice)).app_password
    first = await rotation.rotate(house.ports, house.acting(alice.account), old.id, WEEK)
    with pytest.raises(Conflict, match="replaced already"):
        await rotation.rotate(house.ports, house.acting(alice.account), old.id, WEEK)
    await app_passwords.revoke(house.ports, alice.actor, first.app_password.id)  # such as one that got lost on the way
    again = await rotation.rotate(house.ports, house.acting(alice.account), old.id, WEEK)
    assert again.app_password.rotated_from == old.id


async def test_two_side_by_side_need_room(house: House):
    alice = await house.person()
    house.with_ports(policy=Policy(max_app_passwords=1))
    old = (await house.issue(alice)).app_password
    with pytest.raises(PolicyForbids, match="1 app passwords"):
        await rotation.rotate(house.ports, house.acting(alice.account), old.id, WEEK)
    rotated = await rotation.rotate(house.ports, house.acting(alice.account), old.id)
    alive = await app_passwords.of_account(house.ports, alice.actor, alice.account.id, live_only=True)
    assert alive == (rotated.app_password,)


async def test_a_successor_goes_on_with_the_count_of_the_day(house: House):
    alice = await house.person()
    limits = Limits(messages_per_day=2)
    old = (await house.issue(alice, limits=limits)).app_password
    other = (await house.issue(alice, "Other", limits=limits)).app_password
    yesterday = house.clock.now().date() - timedelta(days=1)
    today = house.clock.now().date()
    await house.store.write(lambda writer: writer.count_sent(old.id, yesterday, 9))
    await house.store.write(lambda writer: writer.count_sent(old.id, today, 3))
    await house.store.write(lambda writer: writer.count_sent(other.id, today, 7))
    new = await rotation.rotate(house.ports, house.acting(alice.account), old.id)
    sent = await app_passwords.sent_today(house.ports, house.acting(alice.account), new.app_password.id)
    assert sent.sent == Sent(messages=1, recipients=3)
    verdict = await login.check(house.ports, attempt("alice", new.secret.text, protocol=MailProtocol.SMTP))
    assert isinstance(verdict, Allowed)
    assert await sending.count_message(house.ports, verdict.grant, 1) is None
    assert await sending.count_message(house.ports, verdict.grant, 1) is Overstep.MESSAGES_PER_DAY
    assert await house.store.read(lambda reader: reader.sent_on(new.app_password.id, yesterday)) == Sent()
    assert await house.store.read(lambda reader: reader.sent_on(other.id, today)) == Sent(1, 7)
