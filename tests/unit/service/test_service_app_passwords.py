"""Issuing, changing, revoking and letting lapse."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from tests.verbs.site import EVERYTHING, HOME, OPERATOR, PASSWORD, House, attempt

from valetkey.core.app_password import SecretFormat
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain, Unavailable
from valetkey.core.event import AppPasswordChanged, AppPasswordIssued, AppPasswordLapsed, AppPasswordRevoked
from valetkey.core.login import Allowed, Reason, Refused
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.role import Role
from valetkey.core.scope import ALL_PROTOCOLS, MailProtocol, Permission, PermissionMode, Scope, ready_made
from valetkey.service import accounts, activity, app_passwords, login, upkeep
from valetkey.service.app_passwords import Wanted
from valetkey.service.closing import Closed
from valetkey.service.ports import Actor, ActorKind, LiveSession

SEND_ONLY = ready_made("send-only").scope


def live(house: House, issued, name: str = "s1") -> LiveSession:
    session = LiveSession(
        name,
        issued.app_password.account_id,
        issued.app_password.id,
        MailProtocol.IMAP,
        HOME,
        "",
        house.clock.now(),
        "1",
    )
    house.live.sessions.append(session)
    return session


async def newest(house: House, account_id: str):
    return (await activity.audit(house.ports, OPERATOR, account_id=account_id, limit=1))[0]


async def test_issuing_is_recorded_and_the_secret_is_nowhere(house: House, tmp_path):
    alice = await house.person()
    issued = await house.issue(alice, " My  phone ", expires_at=house.clock.now() + timedelta(days=9))
    stored = await app_passwords.get(house.ports, alice.actor, issued.app_password.id)
    assert stored == issued.app_password
    assert stored.description == "My phone"
    assert (stored.created_by, stored.created_from) == (alice.account.id, HOME)
    record = await newest(house, alice.account.id)
    assert isinstance(record.event, AppPasswordIssued)
    assert record.credential_id == stored.id
    assert issued.secret.text not in repr(issued)
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("valetkey.db"))
    assert issued.secret.text.encode() not in raw
    assert PASSWORD.encode() not in raw


async def test_a_person_needs_a_second_factor_and_a_fresh_proof(house: House):
    bob = await house.person("bob@example.org", two_factor=False)
    with pytest.raises(PolicyForbids, match="second factor"):
        await house.issue(bob)
    alice = await house.person()
    wanted = Wanted("Phone", EVERYTHING)
    stale = alice.actor
    house.clock.move(minutes=5, seconds=1)
    with pytest.raises(ProveAgain):
        await app_passwords.issue(house.ports, stale, alice.account.id, wanted)
    never = Actor(ActorKind.ACCOUNT, alice.account.id, HOME, None)
    with pytest.raises(ProveAgain):
        await app_passwords.issue(house.ports, never, alice.account.id, wanted)
    from_the_future = Actor(ActorKind.ACCOUNT, alice.account.id, HOME, house.clock.now() + timedelta(hours=1))
    with pytest.raises(ProveAgain):
        await app_passwords.issue(house.ports, from_the_future, alice.account.id, wanted)


async def test_nobody_makes_one_for_another_person(house: House):
    alice, mallory = await house.person(), await house.person("mallory@example.org", role=Role.ADMIN)
    wanted = Wanted("Phone", EVERYTHING)
    with pytest.raises(NotAllowed):
        await app_passwords.issue(house.ports, OPERATOR, alice.account.id, wanted)
    with pytest.raises(NotFound):
        await app_passwords.issue(house.ports, house.acting(mallory.account), alice.account.id, wanted)
    with pytest.raises(NotAllowed):
        await app_passwords.issue(
            house.ports, Actor(ActorKind.SYSTEM, proven_at=house.clock.now()), alice.account.id, wanted
        )


async def test_owners_and_the_command_line_make_them_for_shared_accounts(house: House):
    alice, mallory = await house.person(), await house.person("mallory@example.org")
    bob = await house.person("bob@example.org", two_factor=False)
    scanner = await house.shared(owner=alice)
    await accounts.add_owner(house.ports, OPERATOR, scanner.id, bob.account.id)
    wanted = Wanted("Scanner", SEND_ONLY, format=SecretFormat.DEVICE)
    for actor in (house.acting(alice.account), OPERATOR):
        issued = await app_passwords.issue(house.ports, actor, scanner.id, wanted)
        sending = attempt("scanner", issued.secret.text, protocol=MailProtocol.SMTP)
        assert isinstance(await login.check(house.ports, sending), Allowed)
    with pytest.raises(NotFound):
        await app_passwords.issue(house.ports, house.acting(mallory.account), scanner.id, wanted)
    with pytest.raises(PolicyForbids):
        await app_passwords.issue(house.ports, house.acting(bob.account), scanner.id, wanted)


async def test_a_disabled_account_gets_none_and_makes_none(house: House):
    alice = await house.person()
    scanner = await house.shared(owner=alice)
    await accounts.disable(house.ports, OPERATOR, scanner.id)
    with pytest.raises(NotAllowed):
        await app_passwords.issue(house.ports, OPERATOR, scanner.id, Wanted("Scanner", SEND_ONLY))
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    for verb in (house.issue(alice), app_passwords.of_account(house.ports, alice.actor, alice.account.id)):
        with pytest.raises(NotAllowed):
            await verb


async def test_policy_sets_number_defaults_and_ceilings(house: House):
    alice = await house.person()
    house.with_ports(
        policy=Policy(max_app_passwords=2, default_lifetime=timedelta(days=30), max_lifetime=timedelta(days=90))
    )
    first = await house.issue(alice)
    assert first.app_password.restrictions.expires_at == house.clock.now() + timedelta(days=30)
    with pytest.raises(PolicyForbids, match="90 days"):
        await house.issue(alice, expires_at=None)
    await house.issue(alice, expires_at=house.clock.now() + timedelta(days=90))
    with pytest.raises(PolicyForbids, match="2 app passwords"):
        await house.issue(alice)
    await app_passwords.revoke(house.ports, alice.actor, first.app_password.id)
    await house.issue(alice)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("", EVERYTHING),
        Wanted("x" * 101, EVERYTHING),
        Wanted("Phone", Scope(PermissionMode.REPLACE, frozenset(), ALL_PROTOCOLS)),
        Wanted("Phone", Scope(PermissionMode.INHERIT, frozenset(), frozenset())),
        Wanted("Phone", EVERYTHING, Restrictions(network_rule=NetworkRule.ALLOWED)),
        Wanted("Phone", EVERYTHING, Restrictions(network_rule=NetworkRule.ALLOWED, allowed_ips=("nowhere",))),
        Wanted("Phone", EVERYTHING, Restrictions(idle_for=timedelta(0))),
    ],
)
async def test_unfit_wishes_are_refused_and_leave_nothing(house: House, wanted: Wanted):
    alice = await house.person()
    with pytest.raises(InvalidInput):
        await app_passwords.issue(house.ports, house.acting(alice.account), alice.account.id, wanted)
    assert await app_passwords.of_account(house.ports, OPERATOR, alice.account.id) == ()


async def test_nobody_brings_a_pinned_network_along(house: House):
    alice = await house.person()
    issued = await house.issue(alice, network_rule=NetworkRule.PINNED, pinned_network=ip_network("10.0.0.0/8"))
    assert issued.app_password.restrictions.pinned_network is None


async def test_rights_that_go_while_a_secret_is_drawn_are_gone(house: House):
    class Meanwhile:
        """A slow hasher; while it works the administrator takes the rights away."""

        async def hash(self, password: str) -> str:
            await accounts.set_rights(house.ports, OPERATOR, alice.account.id, frozenset({Permission.FILTERS}))
            return await house.hasher.hash(password)

    alice = await house.person()
    house.with_ports(hasher=Meanwhile(), policy=Policy(strict_hash=True))
    with pytest.raises(InvalidInput):
        await house.issue(alice, scope=SEND_ONLY)
    assert await app_passwords.of_account(house.ports, OPERATOR, alice.account.id) == ()


async def test_narrowing_needs_no_fresh_proof_and_widening_does(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    stale = alice.actor
    house.clock.move(hours=1)
    narrow = Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset({MailProtocol.IMAP}))
    soon = Restrictions(expires_at=house.clock.now() + timedelta(days=1))
    changed = await app_passwords.change(
        house.ports, stale, issued.app_password.id, description="Old phone", scope=narrow, restrictions=soon
    )
    assert (changed.app_password.scope, changed.app_password.restrictions) == (narrow, soon)
    assert await app_passwords.get(house.ports, stale, issued.app_password.id) == changed.app_password
    for wider in ({"scope": EVERYTHING}, {"restrictions": Restrictions()}):
        with pytest.raises(ProveAgain):
            await app_passwords.change(house.ports, stale, issued.app_password.id, **wider)
        with pytest.raises(NotAllowed):
            await app_passwords.change(house.ports, OPERATOR, issued.app_password.id, **wider)
        await app_passwords.change(house.ports, house.acting(alice.account), issued.app_password.id, **wider)
    event = (await newest(house, alice.account.id)).event
    assert event == AppPasswordChanged(("restrictions",), "Old phone")


async def test_a_change_that_changes_nothing_is_no_event(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    before = house.store.change_number()
    await app_passwords.change(house.ports, alice.actor, issued.app_password.id, description="Phone", scope=EVERYTHING)
    assert house.store.change_number() == before


async def test_a_pin_stays_when_other_things_change(house: House):
    alice = await house.person()
    issued = await house.issue(alice, network_rule=NetworkRule.PINNED)
    await login.check(house.ports, attempt("alice", issued.secret.text))
    wanted = Restrictions(expires_at=house.clock.now() + timedelta(days=1), network_rule=NetworkRule.PINNED)
    changed = await app_passwords.change(house.ports, alice.actor, issued.app_password.id, restrictions=wanted)
    assert str(changed.app_password.restrictions.pinned_network) == "198.51.100.0/24"
    elsewhere = await login.check(house.ports, attempt("alice", issued.secret.text, address="203.0.113.1"))
    assert isinstance(elsewhere, Refused)
    assert elsewhere.reason is Reason.NETWORK


async def test_a_rename_is_not_held_against_a_stricter_policy(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    house.with_ports(policy=Policy(max_lifetime=timedelta(days=1)))
    renamed = await app_passwords.change(
        house.ports, alice.actor, issued.app_password.id, description="Other", restrictions=Restrictions()
    )
    assert renamed.app_password.description == "Other"


async def test_revoking_closes_what_it_opened_and_says_how_many(house: House):
    alice = await house.person()
    one, other = await house.issue(alice), await house.issue(alice)
    for name, issued in (("s1", one), ("s2", one), ("s3", other)):
        live(house, issued, name)
    house.live.fails = lambda session: session.credential_id == one.app_password.id
    house.clock.move(hours=9)
    revoked = await app_passwords.revoke(house.ports, alice.actor, one.app_password.id, " lost  it ")
    assert revoked.closed == Closed(here=2)
    assert revoked.app_password.revoked_reason == "lost it"
    record = await newest(house, alice.account.id)
    assert record.event == AppPasswordRevoked("Phone", "lost it")
    assert await app_passwords.get(house.ports, alice.actor, one.app_password.id) == revoked.app_password
    with pytest.raises(Conflict):
        await app_passwords.revoke(house.ports, alice.actor, one.app_password.id)
    with pytest.raises(Conflict):
        await app_passwords.change(house.ports, alice.actor, one.app_password.id, description="Again")
    assert [s.id for s in house.live.sessions] == ["s3"]


async def test_workers_that_cannot_be_reached_undo_no_revocation(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    house.live.broken = Unavailable("No worker answers.")
    assert (await app_passwords.revoke(house.ports, alice.actor, issued.app_password.id)).closed == Closed()
    assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Refused)


async def test_an_absurd_reason_is_refused(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    for reason in ("x" * 201, "a\x1bb"):
        with pytest.raises(InvalidInput):
            await app_passwords.revoke(house.ports, alice.actor, issued.app_password.id, reason)


async def test_revoke_all_takes_every_one_with_it(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    issued = [await house.issue(alice, f"Device {n}") for n in range(3)]
    of_bob = await house.issue(bob)
    await app_passwords.revoke(house.ports, alice.actor, issued[0].app_password.id)
    live(house, issued[1], "s1")
    house.live.fails = lambda _: True
    revoked = await app_passwords.revoke_all(house.ports, alice.actor, alice.account.id, "phone stolen")
    assert revoked.closed == Closed(here=1)
    assert {one.app_password.id: one.closed.here for one in revoked.app_passwords} == {
        issued[1].app_password.id: 1,
        issued[2].app_password.id: 0,
    }
    for one in issued:
        assert isinstance(await login.check(house.ports, attempt("alice", one.secret.text)), Refused)
    assert isinstance(await login.check(house.ports, attempt("bob", of_bob.secret.text)), Allowed)
    assert await app_passwords.of_account(house.ports, alice.actor, alice.account.id, live_only=True) == ()
    assert (await app_passwords.revoke_all(house.ports, alice.actor, alice.account.id)).app_passwords == ()


async def test_what_has_expired_is_stamped_and_its_connections_are_closed(house: House):
    alice = await house.person()
    issued = await house.issue(alice, expires_at=house.clock.now() + timedelta(minutes=1))
    live(house, issued)
    house.live.fails = lambda _: True
    assert await upkeep.every_minute(house.ports) == 0
    house.clock.move(minutes=1)
    assert await upkeep.every_minute(house.ports) == 1
    assert house.live.sessions == []
    assert (await newest(house, alice.account.id)).event == AppPasswordLapsed("Phone")
    assert await app_passwords.lapse_expired(house.ports) == 0
    with pytest.raises(Conflict):
        await app_passwords.change(house.ports, alice.actor, issued.app_password.id, description="Again")


async def test_many_that_expire_at_once_are_all_stamped(house: House, monkeypatch):
    monkeypatch.setattr(app_passwords, "_BATCH", 4)
    scanner = await house.shared()
    soon = Restrictions(expires_at=house.clock.now() + timedelta(minutes=1))
    for _ in range(11):
        await app_passwords.issue(house.ports, OPERATOR, scanner.id, Wanted("Scanner", SEND_ONLY, soon))
    house.clock.move(minutes=2)
    assert await app_passwords.lapse_expired(house.ports) == 11


async def test_anothers_app_password_looks_like_none(house: House):
    alice, mallory = await house.person(), await house.person("mallory@example.org")
    issued = await house.issue(alice)
    said = set()
    for credential_id in (issued.app_password.id, "ap_nothing", "", "\udcff", "x" * 9999):
        for verb in (
            app_passwords.get(house.ports, mallory.actor, credential_id),
            app_passwords.revoke(house.ports, mallory.actor, credential_id),
            app_passwords.change(house.ports, mallory.actor, credential_id, description="Mine"),
        ):
            with pytest.raises(NotFound) as refusal:
                await verb
            said.add(str(refusal.value))
    assert len(said) == 1
    for account_id in (alice.account.id, "ac_nothing", "\udcff"):
        with pytest.raises(NotFound):
            await app_passwords.of_account(house.ports, mallory.actor, account_id)


async def test_administrators_see_and_revoke_by_the_command_line(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    assert await app_passwords.of_account(house.ports, OPERATOR, alice.account.id) == (issued.app_password,)
    assert (
        await app_passwords.revoke(house.ports, OPERATOR, issued.app_password.id)
    ).app_password.revoked_by == "operator"


async def told(house: House) -> list[tuple[str, str, dict]]:
    due = await house.store.read(lambda reader: reader.due_notices(house.clock.now(), 50))
    return [(one.recipient, one.kind, one.facts) for one in due]


async def test_helpdesk_sees_and_revokes_and_the_owner_is_told(house: House):
    alice, helper = await house.person(), await house.person("help@example.org", role=Role.HELPDESK)
    one, other = (await house.issue(alice)).app_password, (await house.issue(alice, "Laptop")).app_password
    before = len(await told(house))
    actor = house.acting(helper.account)
    assert await app_passwords.get(house.ports, actor, one.id) == one
    assert len(await app_passwords.of_account(house.ports, actor, alice.account.id)) == 2
    revoked = await app_passwords.revoke(house.ports, actor, one.id, "stolen")
    assert revoked.app_password.revoked_by == helper.account.id
    await app_passwords.revoke_all(house.ports, actor, alice.account.id)
    news = (await told(house))[before:]
    assert [(to, kind) for to, kind, _ in news] == [("alice@example.org", "revoked-by-administrator")] * 2
    assert [facts["names"] for *_, facts in news] == [[one.description], [other.description]]
    with pytest.raises(NotFound):
        await app_passwords.change(house.ports, actor, other.id, description="Mine")


async def test_helpdesk_does_not_act_on_somebody_with_a_role(house: House):
    admin, helper = (
        await house.person("boss@example.org", role=Role.ADMIN),
        await house.person("help@example.org", role=Role.HELPDESK),
    )
    one = (await house.issue(admin)).app_password
    actor = house.acting(helper.account)
    assert await app_passwords.get(house.ports, actor, one.id) == one
    for verb in (
        app_passwords.revoke(house.ports, actor, one.id),
        app_passwords.revoke_all(house.ports, actor, admin.account.id),
    ):
        with pytest.raises(NotAllowed):
            await verb
    assert (await app_passwords.get(house.ports, actor, one.id)).is_live


async def test_who_has_no_role_sees_and_revokes_nothing_of_others_and_an_auditor_only_sees(house: House):
    alice, mallory = await house.person(), await house.person("mallory@example.org")
    auditor = await house.person("audit@example.org", role=Role.AUDITOR)
    one = (await house.issue(alice)).app_password
    for verb in (app_passwords.get, app_passwords.revoke):
        with pytest.raises(NotFound):
            await verb(house.ports, house.acting(mallory.account), one.id)
    assert await app_passwords.get(house.ports, house.acting(auditor.account), one.id) == one
    with pytest.raises(NotAllowed):
        await app_passwords.revoke(house.ports, house.acting(auditor.account), one.id)


async def test_whoever_revokes_what_is_their_own_is_not_told_of_it(house: House):
    alice = await house.person()
    one = (await house.issue(alice)).app_password
    assert [kind for _, kind, _ in await told(house)].count("app-password-made") == 1
    await app_passwords.revoke(house.ports, alice.actor, one.id)
    assert "revoked-by-administrator" not in [kind for _, kind, _ in await told(house)]
