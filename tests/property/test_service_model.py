"""A model of accounts and app passwords against the real store: any order of verbs, and the promises hold.

After `revoke` returns a secret is never allowed again; a valid one is always allowed, whatever was thrown at the door.
"""

import asyncio
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from tests.verbs.site import OPERATOR, House, Person, attempt

from valetkey.adapters.keys import KeyFile
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids
from valetkey.core.login import Allowed, Reason, Refused
from valetkey.core.restriction import Restrictions
from valetkey.core.scope import ALL_PERMISSIONS, OPENS, MailProtocol, Permission, PermissionMode, Scope
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import accounts, app_passwords, login
from valetkey.service.key_moves import finish_moves

NAMES = ("alice@example.org", "bob@example.org")
permissions = st.frozensets(st.sampled_from(Permission), min_size=1)
protocols = st.frozensets(st.sampled_from(MailProtocol), min_size=1)


@dataclass
class Made:
    """What the model knows of an app password."""

    id: str
    secret: str
    owner: int
    permissions: frozenset[Permission]
    protocols: frozenset[MailProtocol]
    expires_at: datetime | None
    is_revoked: bool = False
    was_seen_expired: bool = False


class Verbs(RuleBasedStateMachine):
    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.house = House(Path(self.folder.name), throttle=ThrottleLimits(per_network=3, overall=5))
        self.people: list[Person] = []
        self.rights = [ALL_PERMISSIONS, ALL_PERMISSIONS]
        self.disabled = [False, False]
        self.all: list[Made] = []
        self.keys = 1

    def run(self, verb):
        return self.loop.run_until_complete(verb)

    def teardown(self) -> None:
        self.run(finish_moves())
        self.house.close()
        self.loop.close()
        self.folder.cleanup()

    @initialize()
    def two_people(self) -> None:
        self.people = [self.run(self.house.person(name)) for name in NAMES]

    @rule(
        target=made,
        owner=st.integers(0, 1),
        permissions=permissions,
        protocols=protocols,
        minutes=st.none() | st.integers(1, 90),
    )
    def issue(self, owner, permissions, protocols, minutes):
        expires_at = None if minutes is None else self.house.clock.now() + timedelta(minutes=minutes)
        scope = Scope(PermissionMode.REPLACE, permissions, protocols)
        could_open = any(OPENS[p] & permissions & self.rights[owner] for p in protocols)
        try:
            issued = self.run(self.house.issue(self.people[owner], scope=scope, expires_at=expires_at))
        except NotAllowed:
            assert self.disabled[owner]
            return self._nothing(owner)
        except InvalidInput:
            assert not could_open
            return self._nothing(owner)
        assert could_open
        assert not self.disabled[owner]
        one = Made(issued.app_password.id, issued.secret.shown, owner, permissions, protocols, expires_at)
        self.all.append(one)
        return one

    def _nothing(self, owner: int) -> Made:
        return Made("ap_nothing", "vkey" + "a" * 24, owner, frozenset(), frozenset(), None, is_revoked=True)

    @rule(one=made)
    def revoke(self, one: Made) -> None:
        actor = self.house.acting(self.people[one.owner].account)
        try:
            self.run(app_passwords.revoke(self.house.ports, actor, one.id))
        except (NotFound, Conflict):
            assert one.is_revoked
        except NotAllowed:
            assert self.disabled[one.owner]
        else:
            assert not one.is_revoked
            one.is_revoked = True

    @rule(one=made)
    def revoke_by_the_command_line(self, one: Made) -> None:
        try:
            self.run(app_passwords.revoke(self.house.ports, OPERATOR, one.id, "by the model"))
        except (NotFound, Conflict):
            assert one.is_revoked
        else:
            assert not one.is_revoked
            one.is_revoked = True

    @rule(one=made, permissions=permissions, protocols=protocols, minutes=st.none() | st.integers(1, 90))
    def narrow(self, one: Made, permissions, protocols, minutes) -> None:
        smaller, fewer = one.permissions & permissions, one.protocols & protocols
        until = one.expires_at
        if minutes is not None:
            cut = self.house.clock.now() + timedelta(minutes=minutes)
            until = cut if until is None else min(until, cut)
        stale = replace(self.people[one.owner].actor, proven_at=None)  # narrowing needs no fresh proof
        try:
            self.run(
                app_passwords.change(
                    self.house.ports,
                    stale,
                    one.id,
                    scope=Scope(PermissionMode.REPLACE, smaller, fewer),
                    restrictions=Restrictions(expires_at=until),
                )
            )
        except (NotFound, Conflict):
            assert one.is_revoked or self._is_expired(one)
        except NotAllowed:
            assert self.disabled[one.owner]
        except InvalidInput:
            assert self._is_expired(one) or not any(OPENS[p] & smaller & self.rights[one.owner] for p in fewer)
        else:
            one.permissions, one.protocols, one.expires_at = smaller, fewer, until

    @rule(owner=st.integers(0, 1), disabled=st.booleans())
    def disable_or_enable(self, owner: int, disabled: bool) -> None:
        verb = accounts.disable if disabled else accounts.enable
        self.run(verb(self.house.ports, OPERATOR, self.people[owner].account.id))
        self.disabled[owner] = disabled

    @rule(owner=st.integers(0, 1), rights=permissions)
    def set_rights(self, owner: int, rights) -> None:
        self.run(accounts.set_rights(self.house.ports, OPERATOR, self.people[owner].account.id, rights))
        self.rights[owner] = rights

    @rule(minutes=st.integers(-30, 60))
    def time_passes_or_the_clock_is_set_back(self, minutes: int) -> None:
        self.house.clock.move(minutes=minutes)

    @rule()
    def stamp_the_expired(self) -> None:
        self.run(app_passwords.lapse_expired(self.house.ports))
        for one in self.all:
            one.was_seen_expired |= not one.is_revoked and self._is_expired(one)

    @precondition(lambda self: self.keys < 4)
    @rule()
    def rotate_the_key(self) -> None:
        KeyFile.rotate(self.house.keys.path)
        self.keys += 1

    @rule(count=st.integers(1, 8), salt=st.integers(0, 5))
    def throw_wrong_secrets(self, count: int, salt: int) -> None:
        for n in range(count):
            verdict = self.run(login.check(self.house.ports, attempt(NAMES[n % 2], f"wrong {salt} {n}")))
            assert isinstance(verdict, Refused)
            assert verdict.reason in {Reason.WRONG_SECRET, Reason.THROTTLED}

    @rule(one=made, protocol=st.sampled_from(MailProtocol))
    def log_in(self, one: Made, protocol: MailProtocol) -> None:
        self._log_in(one, protocol)
        self.run(finish_moves())

    @rule(one=consumes(made))
    def revoke_during_logins(self, one: Made) -> None:
        """Logins in parallel with the revocation may go either way; one that begins after it returned never passes."""
        if one.is_revoked:
            return

        async def race() -> None:
            trying = [
                asyncio.ensure_future(login.check(self.house.ports, attempt(NAMES[one.owner], one.secret)))
                for _ in range(3)
            ]
            await app_passwords.revoke(self.house.ports, OPERATOR, one.id)
            after = await login.check(self.house.ports, attempt(NAMES[one.owner], one.secret))
            assert isinstance(after, Refused)
            await asyncio.gather(*trying)
            await finish_moves()

        self.run(race())
        one.is_revoked = True

    @rule(one=made)
    def log_in_as_the_other(self, one: Made) -> None:
        verdict = self.run(login.check(self.house.ports, attempt(NAMES[1 - one.owner], one.secret)))
        assert isinstance(verdict, Refused)
        assert not verdict.proven

    def _is_expired(self, one: Made) -> bool:
        return one.was_seen_expired or (one.expires_at is not None and self.house.clock.now() >= one.expires_at)

    def _log_in(self, one: Made, protocol: MailProtocol) -> None:
        verdict = self.run(login.check(self.house.ports, attempt(NAMES[one.owner], one.secret, protocol=protocol)))
        granted = one.permissions & self.rights[one.owner]
        if one.is_revoked:
            assert isinstance(verdict, Refused)
            assert verdict.reason in {Reason.WRONG_SECRET, Reason.THROTTLED}
        elif self.disabled[one.owner]:
            assert isinstance(verdict, Refused)
            assert not verdict.proven
        elif self._is_expired(one):
            assert isinstance(verdict, Refused)
            assert verdict.reason is Reason.EXPIRED
            one.was_seen_expired = True
        elif protocol not in one.protocols:
            assert verdict == Refused(Reason.PROTOCOL, proven=True, credential_id=one.id)
        elif not OPENS[protocol] & granted:
            assert verdict == Refused(Reason.PERMISSION, proven=True, credential_id=one.id)
        else:
            assert isinstance(verdict, Allowed)
            assert verdict.grant.permissions == granted

    @invariant()
    def each_change_has_its_record(self) -> None:
        newest = self.house.store.change_number()
        records = self.run(self.house.store.read(lambda reader: reader.audit(limit=1)))
        assert (records[0].number if records else 0) == newest


Verbs.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestVerbs = Verbs.TestCase


async def test_the_chain_of_a_long_day_verifies(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        alice = await house.person()
        for _ in range(20):
            issued = await house.issue(alice)
            await app_passwords.revoke(house.ports, alice.actor, issued.app_password.id)
        number, _ = await house.store.verify_audit()
        assert number == house.store.change_number()
    finally:
        house.close()


@pytest.mark.parametrize("at_most", [1, 3])
async def test_parallel_issues_do_not_outrun_the_limit(tmp_path: Path, at_most: int) -> None:
    house = House(tmp_path)
    try:
        alice = await house.person()
        house.with_ports(policy=replace(house.ports.policy, max_app_passwords=at_most))
        results = await asyncio.gather(*(house.issue(alice, f"Device {n}") for n in range(12)), return_exceptions=True)
        assert sum(isinstance(one, PolicyForbids) for one in results) == 12 - at_most
        found = await app_passwords.of_account(house.ports, OPERATOR, alice.account.id, live_only=True)
        assert len(found) == at_most
    finally:
        house.close()
