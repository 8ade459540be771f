"""The one decision, over a real store."""

import asyncio
import sqlite3
import statistics
import time
from datetime import timedelta

import pytest
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House, SetClock, attempt

from valetkey.adapters.keys import KeyFile
from valetkey.core.app_password import SecretFormat
from valetkey.core.errors import Unavailable
from valetkey.core.login import Allowed, CannotTell, Reason, Refused
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import accounts, activity, app_passwords, keys, login
from valetkey.service.key_moves import finish_moves
from valetkey.service.throttling import network_name


def refused(verdict, reason: Reason, *, proven: bool) -> bool:
    return isinstance(verdict, Refused) and verdict.reason is reason and verdict.proven is proven


@pytest.mark.parametrize("form", list(SecretFormat))
async def test_the_shown_secret_opens_mail(house: House, form):
    alice = await house.person()
    issued = await house.issue(alice, format=form)
    verdict = await login.check(house.ports, attempt("alice@example.org", issued.secret.shown))
    assert isinstance(verdict, Allowed)
    assert verdict.grant.account_id == alice.account.id
    assert verdict.grant.credential_id == issued.app_password.id
    assert not verdict.grant.is_limited


async def test_every_spelling_of_name_and_secret_is_the_same_login(house: House):
    alice = await house.person()
    secret = (await house.issue(alice)).secret
    await accounts.add_alias(house.ports, OPERATOR, alice.account.id, "wonder@bücher.example")
    for name in ("ALICE@Example.ORG", " alice ", "alice@example.org.", "wonder@xn--bcher-kva.example"):
        for typed in (secret.text, secret.shown.upper(), secret.shown.replace("-", "\u2013"), f" {secret.shown}\u00a0"):
            assert isinstance(await login.check(house.ports, attempt(name, typed)), Allowed)


async def test_a_right_secret_with_another_name_is_a_wrong_secret(house: House):
    alice, _ = await house.person(), await house.person("bob@example.org")
    secret = (await house.issue(alice)).secret.text
    for name in (
        "bob@example.org",
        "nobody@example.org",
        "",
        "@",
        "a@b@c",
        "x" * 100_000,
        "\udcff",
        "nul\0@example.org",
    ):
        verdict = await login.check(house.ports, attempt(name, secret))
        assert refused(verdict, Reason.WRONG_SECRET, proven=False)


@pytest.mark.parametrize("secret", ["", "wrong", "x" * 100_000, "\0", "\r\n", "\udcff", PASSWORD, "vkey" + "a" * 24])
async def test_any_other_text_is_a_wrong_secret(house: House, secret: str):
    await house.person()
    verdict = await login.check(house.ports, attempt("alice@example.org", secret))
    assert refused(verdict, Reason.WRONG_SECRET, proven=False)


async def test_each_restriction_refuses_with_its_own_reason_once_the_secret_is_proven(house: House):
    alice = await house.person()
    soon = house.clock.now() + timedelta(hours=1)
    only_smtp = Scope(PermissionMode.INHERIT, frozenset(), frozenset({MailProtocol.SMTP}))
    read_only = Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset(MailProtocol))
    office = await house.issue(alice, network_rule=NetworkRule.ALLOWED, allowed_ips=("office", "2001:db8::/32"))
    smtp = await house.issue(alice, scope=only_smtp)
    reader = await house.issue(alice, scope=read_only)
    short = await house.issue(alice, expires_at=soon)
    idle = await house.issue(alice, idle_for=timedelta(minutes=30))

    async def ask(issued, **facts):
        return await login.check(house.ports, attempt("alice@example.org", issued.secret.text, **facts))

    assert refused(await ask(office), Reason.NETWORK, proven=True)
    assert refused(await ask(office, address=None), Reason.NETWORK, proven=True)
    assert isinstance(await ask(office, address="::ffff:203.0.113.9"), Allowed)
    assert isinstance(await ask(office, address="2001:db8::9"), Allowed)
    assert refused(await ask(smtp), Reason.PROTOCOL, proven=True)
    assert refused(await ask(reader, protocol=MailProtocol.SMTP), Reason.PERMISSION, proven=True)
    assert refused(await ask(short, tls=False), Reason.TLS_NEEDED, proven=True)
    assert isinstance(await ask(short), Allowed)
    house.clock.move(minutes=31)
    assert refused(await ask(idle), Reason.IDLE, proven=True)
    house.clock.move(minutes=29, seconds=30)
    assert refused(await ask(short), Reason.EXPIRED, proven=True)


async def test_an_expired_one_stays_expired_when_the_clock_goes_back(house: House):
    alice = await house.person()
    issued = await house.issue(alice, expires_at=house.clock.now() + timedelta(hours=1))
    house.clock.move(hours=2)
    again = attempt("alice@example.org", issued.secret.text)
    assert refused(await login.check(house.ports, again), Reason.EXPIRED, proven=True)
    house.clock.move(hours=-2)
    assert refused(await login.check(house.ports, again), Reason.EXPIRED, proven=True)
    assert (await app_passwords.get(house.ports, OPERATOR, issued.app_password.id)).lapsed_at is not None


async def test_disabled_and_revoked_look_like_a_wrong_secret(house: House):
    alice = await house.person()
    first, second = await house.issue(alice), await house.issue(alice)
    await app_passwords.revoke(house.ports, OPERATOR, first.app_password.id)
    revoked = await login.check(house.ports, attempt("alice@example.org", first.secret.text))
    assert refused(revoked, Reason.WRONG_SECRET, proven=False)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    disabled = await login.check(house.ports, attempt("alice@example.org", second.secret.text))
    assert refused(disabled, Reason.ACCOUNT_DISABLED, proven=False)
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    assert isinstance(await login.check(house.ports, attempt("alice@example.org", second.secret.text)), Allowed)


@pytest.mark.parametrize("policy", [Policy(), Policy(strict_hash=True), Policy(main_password_opens_mail=True)])
async def test_until_the_secret_is_proven_every_case_costs_the_same_calls(house: House, policy: Policy):
    house.with_ports(policy=policy)
    alice, bob, carol = await house.person(), await house.person("bob@example.org"), await house.person("c@example.org")
    revoked, of_bob, other = await house.issue(alice), await house.issue(bob), await house.issue(carol)
    await app_passwords.revoke(house.ports, OPERATOR, revoked.app_password.id)
    await accounts.disable(house.ports, OPERATOR, bob.account.id)
    cases = {
        "unknown name": ("nobody@example.org", "vkey" + "q" * 24),
        "impossible name": ("a@b@c", "vkey" + "q" * 24),
        "wrong secret": ("alice@example.org", "vkey" + "r" * 24),
        "revoked": ("alice@example.org", revoked.secret.text),
        "disabled": ("bob@example.org", of_bob.secret.text),
        "another's": ("alice@example.org", other.secret.text),
    }
    costs = {}
    for case, (name, secret) in cases.items():
        store, hasher = house.count_calls()
        verdict = await login.check(house.ports, attempt(name, secret))
        assert isinstance(verdict, Refused)
        assert not verdict.proven
        assert store["find_login"] == 1
        costs[case] = (dict(store), dict(hasher))
        house.with_ports(store=house.store, hasher=house.hasher)
    assert len({str(cost) for cost in costs.values()}) == 1, costs


async def test_the_time_of_a_refusal_does_not_tell_who_is_there(house: House):
    """Interleaved samples of four cases; their medians may differ by noise alone.

    Time of the processor is what is measured: that of the clock depends on what else the machine does.
    """
    house.with_ports(throttle=ThrottleLimits(per_network=10**6, per_secret=10**6, overall=10**6))
    alice, bob = await house.person(), await house.person("bob@example.org")
    revoked, disabled = await house.issue(alice), await house.issue(bob)
    await app_passwords.revoke(house.ports, OPERATOR, revoked.app_password.id)
    await accounts.disable(house.ports, OPERATOR, bob.account.id)
    cases = {
        "unknown": ("nobody@example.org", "vkey" + "q" * 24),
        "wrong": ("alice@example.org", "vkey" + "r" * 24),
        "revoked": ("alice@example.org", revoked.secret.text),
        "disabled": ("bob@example.org", disabled.secret.text),
    }
    times: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(100):
        for case, (name, secret) in cases.items():
            began = time.process_time()
            await login.check(house.ports, attempt(name, secret))
            times[case].append(time.process_time() - began)
    medians = [statistics.median(samples) for samples in times.values()]
    assert max(medians) - min(medians) < 0.001, dict(zip(cases, medians, strict=True))


async def test_main_password_tries_cost_the_same_whoever_is_named(house: House):
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    await house.person()
    await house.person("bob@example.org", two_factor=False)
    gone = await house.person("gone@example.org", two_factor=False)
    await house.shared()
    await accounts.disable(house.ports, OPERATOR, gone.account.id)
    costs = set()
    for name in ("nobody", "alice", "bob", "gone", "scanner", "a@b@c"):
        store, hasher = house.count_calls()
        assert isinstance(await login.check(house.ports, attempt(name, f"a wrong one for {name}")), Refused)
        assert hasher["verify"] == 1
        costs.add(str((sorted(store.items()), sorted(hasher.items()))))
        house.with_ports(store=house.store, hasher=house.hasher)
    assert len(costs) == 1


async def test_no_slow_hash_is_worked_out_for_main_passwords_unless_policy_lets_them_open_mail(house: House):
    await house.person("bob@example.org", two_factor=False)
    store, hasher = house.count_calls()
    verdict = await login.check(house.ports, attempt("bob@example.org", PASSWORD))
    assert refused(verdict, Reason.WRONG_SECRET, proven=False)
    assert not hasher
    assert store["find_login"] == 0


async def test_a_main_password_opens_mail_only_by_policy_and_only_until_there_is_a_second_factor(house: House):
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    bob = await house.person("bob@example.org", two_factor=False)
    verdict = await login.check(house.ports, attempt("bob@example.org", PASSWORD))
    assert isinstance(verdict, Allowed)
    assert verdict.grant.credential_id is None
    again = attempt("bob@example.org", "")
    assert isinstance(login.decide_again(house.ports, again, verdict.grant), Allowed)
    await house.set_up_authenticator(bob)
    now = await login.check(house.ports, attempt("bob@example.org", PASSWORD))
    assert refused(now, Reason.WRONG_SECRET, proven=False)
    assert refused(login.decide_again(house.ports, again, verdict.grant), Reason.KIND_NOT_ALLOWED, proven=False)


async def test_a_main_password_in_device_shape_opens_mail_too(house: House):
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    bob = await house.person("bob@example.org", two_factor=False)
    password = "AbCdEfGhJkMnPqRsTuVw"
    await accounts.set_main_password(house.ports, OPERATOR, bob.account.id, password)
    assert isinstance(await login.check(house.ports, attempt("bob@example.org", password)), Allowed)


async def test_failures_are_throttled_and_a_valid_secret_never_is(house: House):
    house.with_ports(throttle=ThrottleLimits(per_network=5))
    alice = await house.person()
    issued = await house.issue(alice)
    seen = [(await login.check(house.ports, attempt("alice@example.org", f"wrong {n}"))).reason for n in range(8)]
    assert seen == [Reason.WRONG_SECRET] * 5 + [Reason.THROTTLED] * 3
    assert isinstance(await login.check(house.ports, attempt("alice@example.org", issued.secret.text)), Allowed)
    elsewhere = attempt("alice@example.org", "wrong", address="192.0.2.1")
    assert refused(await login.check(house.ports, elsewhere), Reason.WRONG_SECRET, proven=False)
    house.clock.move(minutes=10)
    later = await login.check(house.ports, attempt("alice@example.org", "wrong"))
    assert refused(later, Reason.WRONG_SECRET, proven=False)


async def test_a_flood_from_everywhere_leaves_each_network_its_first_tries(house: House):
    house.with_ports(throttle=ThrottleLimits(overall=10, first_tries=2))
    for n in range(10):
        await login.check(house.ports, attempt("alice", f"wrong {n}", address=f"10.0.{n}.1"))
    seen = [(await login.check(house.ports, attempt("alice", f"other {n}"))).reason for n in range(3)]
    assert seen == [Reason.WRONG_SECRET, Reason.WRONG_SECRET, Reason.THROTTLED]


async def test_a_stale_device_counts_as_one_failure(house: House):
    house.with_ports(throttle=ThrottleLimits(per_network=5))
    await house.person()
    for name in ("alice@example.org", "ALICE@example.org", "alice"):
        for _ in range(10):
            await login.check(house.ports, attempt(name, "yesterday's"))
    other = await login.check(house.ports, attempt("alice", "another"))
    assert refused(other, Reason.WRONG_SECRET, proven=False)


async def test_counts_survive_a_restart(house: House, tmp_path):
    limits = ThrottleLimits(per_network=3)
    house.with_ports(throttle=limits)
    for n in range(3):
        await login.check(house.ports, attempt("alice", f"wrong {n}"))
    second = House(tmp_path, throttle=limits)
    try:
        assert refused(await login.check(second.ports, attempt("alice", "wrong")), Reason.THROTTLED, proven=False)
    finally:
        second.close()


async def test_a_hundred_parallel_wrong_tries_are_all_counted(house: House):
    house.with_ports(throttle=ThrottleLimits(per_network=1000))
    await house.person()
    await asyncio.gather(*(login.check(house.ports, attempt("alice", f"wrong {n}")) for n in range(100)))
    window = int(house.clock.now().timestamp() // 600)
    network = network_name(attempt("", "").address)
    counts = await house.store.read(lambda reader: reader.throttle_counts(window, network, b"x" * 16))
    assert counts.network == 100
    assert counts.overall == 100


class RightOneLast:
    """A hasher that lets all guesses past the first look at the counters, and answers the right one last."""

    def __init__(self, inner, wrong: int) -> None:
        self.inner, self.wrong = inner, wrong
        self.looked, self.answered = asyncio.Event(), asyncio.Event()

    async def verify(self, hashed, password):
        if password == PASSWORD:
            self.looked.set()
            await self.answered.wait()
            return await self.inner.verify(hashed, password)
        await self.looked.wait()
        answer = await self.inner.verify(hashed, password)
        self.wrong -= 1
        if self.wrong == 0:
            self.answered.set()
        return answer


async def test_parallel_guesses_of_a_main_password_do_not_outrun_the_throttle(house: House):
    house.with_ports(policy=Policy(main_password_opens_mail=True), throttle=ThrottleLimits(per_network=5))
    await house.person("bob@example.org", two_factor=False)
    guesses = [f"wrong {n}" for n in range(30)] + [PASSWORD]
    house.with_ports(hasher=RightOneLast(house.hasher, 30))
    verdicts = await asyncio.gather(*(login.check(house.ports, attempt("bob", guess)) for guess in guesses))
    assert refused(verdicts[-1], Reason.THROTTLED, proven=False)
    assert sum(refused(verdict, Reason.WRONG_SECRET, proven=False) for verdict in verdicts) <= 5


async def test_pinned_to_the_network_of_the_first_login(house: House):
    alice = await house.person()
    issued = await house.issue(alice, network_rule=NetworkRule.PINNED)

    async def ask(address: str | None):
        return await login.check(house.ports, attempt("alice", issued.secret.text, address=address))

    assert refused(await ask(None), Reason.NETWORK, proven=True)
    assert isinstance(await ask("198.51.100.200"), Allowed)
    assert isinstance(await ask(HOME), Allowed)
    assert refused(await ask("203.0.113.1"), Reason.NETWORK, proven=True)
    shown = await app_passwords.get(house.ports, OPERATOR, issued.app_password.id)
    assert str(shown.restrictions.pinned_network) == "198.51.100.0/24"


async def test_of_many_first_logins_at_once_one_network_wins(house: House):
    alice = await house.person()
    secret = (await house.issue(alice, network_rule=NetworkRule.PINNED)).secret.text
    places = [f"10.0.{n}.1" for n in range(20)]
    verdicts = await asyncio.gather(
        *(login.check(house.ports, attempt("alice", secret, address=place)) for place in places)
    )
    assert sum(isinstance(verdict, Allowed) for verdict in verdicts) == 1
    assert sum(refused(verdict, Reason.NETWORK, proven=True) for verdict in verdicts) == 19


async def test_a_first_login_that_cannot_be_pinned_does_not_pass(house: House):
    alice = await house.person()
    secret = (await house.issue(alice, network_rule=NetworkRule.PINNED)).secret.text
    house.with_ports(store=BrokenWrites(house.store))
    assert isinstance(await login.check(house.ports, attempt("alice", secret)), CannotTell)


class BrokenWrites:
    """A store whose disk is full."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    async def write(self, work):
        raise Unavailable("The disk of the database is full.")


async def test_a_store_that_cannot_be_written_refuses_no_valid_secret(house: House):
    alice = await house.person()
    secret = (await house.issue(alice)).secret.text
    house.with_ports(store=BrokenWrites(house.store))
    assert isinstance(await login.check(house.ports, attempt("alice", secret)), Allowed)
    wrong = await login.check(house.ports, attempt("alice", "wrong"))
    assert isinstance(wrong, CannotTell)
    assert wrong.why == "The disk of the database is full."


async def test_a_recorder_that_fails_refuses_no_valid_secret(house: House):
    class Failing:
        def add(self, event):
            raise RuntimeError("no")

        async def flush(self):
            raise RuntimeError("no")

    alice = await house.person()
    secret = (await house.issue(alice)).secret.text
    house.with_ports(recorder=Failing())
    assert isinstance(await login.check(house.ports, attempt("alice", secret)), Allowed)


async def test_a_store_that_is_gone_is_cannot_tell(house: House, tmp_path):
    alice = await house.person()
    secret = (await house.issue(alice)).secret.text
    verdict = await login.check(house.ports, attempt("alice", secret))
    (tmp_path / "valetkey.db").rename(tmp_path / "elsewhere.db")
    async with asyncio.timeout(30):  # the store looks after its file ten times a second
        while isinstance(await login.check(house.ports, attempt("alice", secret)), Allowed):
            await asyncio.sleep(0.02)
    for typed in (secret, "wrong", "vkey" + "z" * 24):
        assert isinstance(await login.check(house.ports, attempt("alice", typed)), CannotTell)
    assert isinstance(login.decide_again(house.ports, attempt("alice", ""), verdict.grant), CannotTell)


async def test_a_bug_is_cannot_tell_and_not_a_wrong_password(house: House, capsys):
    class Buggy(SetClock):
        def now(self):
            raise ZeroDivisionError

    alice = await house.person()
    secret = (await house.issue(alice)).secret.text
    house.with_ports(clock=Buggy())
    assert isinstance(await login.check(house.ports, attempt("alice", secret)), CannotTell)
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err


async def test_events_tell_the_owner_what_happened(house: House):
    alice = await house.person()
    issued = await house.issue(alice, network_rule=NetworkRule.ALLOWED, allowed_ips=("office",))
    await login.check(house.ports, attempt("alice", issued.secret.text))
    await login.check(house.ports, attempt("alice", "wrong"))
    await login.check(house.ports, attempt("nobody", "wrong", client="x" * 1000))
    for _ in range(3):
        await login.check(house.ports, attempt("alice", issued.secret.text, address="203.0.113.5"))
        house.clock.move(seconds=1)
    await house.recorder.flush()
    logins = (await activity.of_account(house.ports, alice.actor, alice.account.id)).logins
    told = {(one.result, one.network, one.count, one.credential_id) for one in logins}
    mine = issued.app_password.id
    assert told == {
        ("allowed", "203.0.113.5", 3, mine),
        ("network", HOME, 1, mine),
        ("wrong-secret", "198.51.100.0/24", 1, None),
    }
    shown = await app_passwords.get(house.ports, alice.actor, mine)
    assert shown.last_use is not None
    assert shown.last_use.address == "203.0.113.5"
    assert shown.last_refusal is not None
    assert shown.last_refusal.reason == "network"
    nobodys = await house.store.read(lambda reader: reader.login_events(None))
    assert [one.result for one in nobodys] == ["wrong-secret"]


async def test_a_rotation_of_the_key_is_noticed_by_nobody(house: House):
    alice = await house.person()
    issued, idle = await house.issue(alice), await house.issue(alice)
    number = KeyFile.rotate(house.keys.path)
    await keys.rotated(house.ports, OPERATOR, number)
    assert await keys.usage(house.ports) == {1: 2}
    assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Allowed)
    await finish_moves()
    assert await keys.usage(house.ports) == {1: 1, number: 1}
    assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Allowed)
    await app_passwords.revoke(house.ports, OPERATOR, idle.app_password.id)
    assert await keys.usage(house.ports) == {number: 1}


async def test_a_move_that_fails_harms_nothing_and_a_revoked_one_is_not_brought_back(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    KeyFile.rotate(house.keys.path)
    house.with_ports(store=BrokenWrites(house.store))
    assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Allowed)
    await finish_moves()
    house.with_ports(store=house.store)
    assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Allowed)
    await app_passwords.revoke(house.ports, OPERATOR, issued.app_password.id)  # overtakes the move
    await finish_moves()
    verdict = await login.check(house.ports, attempt("alice", issued.secret.text))
    assert refused(verdict, Reason.WRONG_SECRET, proven=False)


async def test_strict_mode_needs_the_slow_hash_too_and_gives_old_secrets_one(house: House, tmp_path):
    alice = await house.person()
    old = await house.issue(alice, "Old")
    house.with_ports(policy=Policy(strict_hash=True))
    new = await house.issue(alice, "New")
    for issued in (old, new):
        assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Allowed)
    await finish_moves()
    for issued in (old, new):
        _, hasher = house.count_calls()
        assert isinstance(await login.check(house.ports, attempt("alice", issued.secret.text)), Allowed)
        assert hasher["verify"] == 1
        house.with_ports(store=house.store, hasher=house.hasher)
    with sqlite3.connect(tmp_path / "valetkey.db") as database:
        database.execute("UPDATE app_password SET slow_hash = (SELECT hashed FROM main_password LIMIT 1)")
    database.close()
    verdict = await login.check(house.ports, attempt("alice", new.secret.text))
    assert refused(verdict, Reason.WRONG_SECRET, proven=False)


async def test_a_verifier_moved_to_another_row_opens_nothing(house: House, tmp_path):
    alice, mallory = await house.person(), await house.person("mallory@example.org")
    issued, own = await house.issue(alice), await house.issue(mallory)
    with sqlite3.connect(tmp_path / "valetkey.db") as database:
        mine = database.execute(
            "SELECT secret_index, tag FROM app_password WHERE id = ?", (own.app_password.id,)
        ).fetchone()
        database.execute("DELETE FROM app_password WHERE id = ?", (own.app_password.id,))
        database.execute(
            "UPDATE app_password SET secret_index = ?, tag = ? WHERE id = ?", (*mine, issued.app_password.id)
        )
    database.close()
    verdict = await login.check(house.ports, attempt("alice", own.secret.text))
    assert refused(verdict, Reason.WRONG_SECRET, proven=False)


async def test_decide_again_follows_every_change(house: House):
    alice = await house.person()
    issued = await house.issue(alice)
    verdict = await login.check(house.ports, attempt("alice", issued.secret.text))
    again = attempt("alice", "")
    assert isinstance(login.decide_again(house.ports, again, verdict.grant), Allowed)
    narrow = Scope(PermissionMode.REPLACE, frozenset({Permission.READ}), frozenset({MailProtocol.IMAP}))
    await app_passwords.change(house.ports, alice.actor, issued.app_password.id, scope=narrow)
    narrowed = login.decide_again(house.ports, again, verdict.grant)
    assert isinstance(narrowed, Allowed)
    assert narrowed.grant.is_limited
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert refused(login.decide_again(house.ports, again, verdict.grant), Reason.ACCOUNT_DISABLED, proven=False)
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    await app_passwords.revoke(house.ports, OPERATOR, issued.app_password.id)
    assert refused(login.decide_again(house.ports, again, verdict.grant), Reason.REVOKED, proven=False)
