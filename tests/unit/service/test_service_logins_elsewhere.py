"""Logins that a mail server decides by itself: what stops them here, and what is recorded of them."""

from dataclasses import replace

import pytest
from tests.verbs.site import OPERATOR, House, attempt

from valetkey.core.login import CannotTell, Reason, Refused
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol, Permission
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import accounts
from valetkey.service.logins_elsewhere import may_begin, note

ALICE = "alice@example.org"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()


async def test_an_account_that_is_there_and_enabled_may_begin(house):
    assert await may_begin(house.ports, attempt(ALICE, "")) == Refused(Reason.WRONG_SECRET)
    person = await house.person(ALICE)
    assert await may_begin(house.ports, attempt("Alice@EXAMPLE.org", "")) is None
    await accounts.disable(house.ports, OPERATOR, person.account.id)
    assert await may_begin(house.ports, attempt(ALICE, "")) == Refused(Reason.ACCOUNT_DISABLED)


async def test_the_accounts_rights_and_the_policy_hold(house):
    person = await house.person(ALICE)
    await accounts.set_rights(house.ports, OPERATOR, person.account.id, frozenset({Permission.SEND}))
    assert await may_begin(house.ports, attempt(ALICE, "")) == Refused(Reason.PERMISSION)
    assert await may_begin(house.ports, attempt(ALICE, "", protocol=MailProtocol.SMTP)) is None
    bare = attempt(ALICE, "", protocol=MailProtocol.SMTP, tls=False)
    assert await may_begin(house.ports, bare) == Refused(Reason.TLS_NEEDED)
    house.with_ports(policy=Policy(require_tls=False))
    assert await may_begin(house.ports, bare) is None


async def test_failures_count_for_their_network(house):
    await house.person(ALICE)
    house.with_ports(throttle=ThrottleLimits(per_network=2))
    for mark in ("a", "b", "c", "d"):
        await note(house.ports, attempt(ALICE, ""), None, success=False, password_mark=mark)
    assert await may_begin(house.ports, attempt(ALICE, "")) == Refused(Reason.THROTTLED)
    assert await may_begin(house.ports, attempt(ALICE, "", address="203.0.113.9")) is None


async def test_the_same_wrong_password_again_counts_once(house):
    await house.person(ALICE)
    house.with_ports(throttle=ThrottleLimits(per_network=2))
    for _ in range(5):
        await note(house.ports, attempt(ALICE, ""), None, success=False, password_mark="a")
    assert await may_begin(house.ports, attempt(ALICE, "")) is None


async def test_a_use_is_kept_with_the_app_password_of_that_account_alone(house):
    person, other = await house.person(ALICE), await house.person("bob@example.org")
    mine, theirs = (await house.issue(person)).app_password, (await house.issue(other)).app_password
    for app_id in (mine.id, theirs.id, "ap_aaaaaaaaaaaaaaaa", None):
        await note(house.ports, attempt(ALICE, ""), app_id, success=True)
    await house.recorder.flush()
    found = await house.store.read(lambda reader: reader.login_events(person.account.id, 9))
    assert {event.credential_id: event.count for event in found} == {mine.id: 1, None: 3}
    assert await house.store.read(lambda reader: reader.login_events(other.account.id, 9)) == ()


async def test_failures_of_names_that_nobody_has_are_kept_too(house):
    await note(house.ports, replace(attempt("nobody", ""), client="x" * 500), None, success=False)
    await house.recorder.flush()
    (event,) = await house.store.read(lambda reader: reader.login_events(None, 9))
    assert event.result == "wrong-secret"
    assert len(event.client) == 200


async def test_a_store_that_is_away_cannot_tell(house):
    house.store.close()
    assert isinstance(await may_begin(house.ports, attempt(ALICE, "")), CannotTell)
