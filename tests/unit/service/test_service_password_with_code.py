"""Main password and one-time code in one field: when it passes, what it uses up, and what ends it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House, Person
from tests.verbs.site import attempt as gateway_attempt

from valetkey.adapters.keys import KeyFile
from valetkey.core.errors import Unavailable
from valetkey.core.event import SignInRefused
from valetkey.core.event_sentences import describe
from valetkey.core.login import Allowed, CannotTell, LoginAttempt, Reason, Refused, Verdict
from valetkey.core.policy import Policy
from valetkey.core.scope import MailProtocol
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import accounts, login, policy, sign_in
from valetkey.service.codes import TOTP_LIMITS

ON = Policy(password_with_code=True)
ELSEWHERE = "192.0.2.9"


def asked(secret: str, name: str = "alice", *, door: str = "radius", peer: str = "mx1", **changes) -> LoginAttempt:
    return replace(gateway_attempt(name, secret, **changes), door=door, peer=peer)


async def ask(house: House, secret: str, name: str = "alice", **changes) -> Verdict:
    return await login.check(house.ports, asked(secret, name, **changes))


def reason_of(verdict: Verdict) -> Reason:
    assert isinstance(verdict, Refused)
    assert not verdict.proven
    return verdict.reason


@pytest.fixture
async def alice(house: House) -> Person:
    house.with_ports(policy=ON)
    return await house.person()


def text_of(house: House, person: Person) -> str:
    return PASSWORD + house.code(person.seed)


@pytest.mark.parametrize("door", ["radius", "saslauthd"])
async def test_password_and_code_pass_and_the_gate_says_what_holds(house: House, alice: Person, door: str):
    verdict = await ask(house, text_of(house, alice), door=door)
    assert isinstance(verdict, Allowed)
    assert verdict.grant.credential_id is None
    assert verdict.grant.with_code
    assert verdict.grant.account_id == alice.account.id
    again = asked("", door=door)
    assert isinstance(login.decide_again(house.ports, again, verdict.grant), Allowed)


@pytest.mark.parametrize("door", ["gateway", "http", "sasl", "ldap", "authdaemon", ""])
async def test_no_other_door_takes_it_and_no_code_is_used_up(house: House, alice: Person, door: str):
    secret = text_of(house, alice)
    assert reason_of(await ask(house, secret, door=door)) is Reason.WRONG_SECRET
    assert isinstance(await ask(house, secret), Allowed)


async def test_not_unless_policy_permits_it(house: House, alice: Person):
    house.with_ports(policy=Policy())
    _, hasher = house.count_calls()
    assert reason_of(await ask(house, text_of(house, alice))) is Reason.WRONG_SECRET
    assert not hasher


async def test_turning_the_policy_off_ends_what_was_remembered(house: House, alice: Person):
    secret = text_of(house, alice)
    verdict = await ask(house, secret)
    assert isinstance(verdict, Allowed)
    house.with_ports(policy=Policy())
    assert reason_of(await ask(house, secret)) is Reason.WRONG_SECRET
    assert reason_of(login.decide_again(house.ports, asked(""), verdict.grant)) is Reason.KIND_NOT_ALLOWED


async def test_the_main_password_alone_never_passes(house: House, alice: Person):
    assert reason_of(await ask(house, PASSWORD)) is Reason.WRONG_SECRET
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)
    assert reason_of(await ask(house, PASSWORD)) is Reason.WRONG_SECRET
    assert reason_of(await ask(house, f"{PASSWORD}000000")) is Reason.WRONG_CODE


@pytest.mark.parametrize("spoil", [
    lambda code: f"{code[:3]} {code[3:]}", lambda code: f"{code} ", lambda code: code.translate({n: n + 0xFF10 - 0x30 for n in range(0x30, 0x3A)}),
    lambda code: code[:5], lambda code: f"{code}\n", lambda code: f"{code}\0", lambda code: f" {code}",
])  # fmt: skip
async def test_a_code_is_six_ascii_digits_at_the_very_end(house: House, alice: Person, spoil):
    assert isinstance(await ask(house, PASSWORD + spoil(house.code(alice.seed))), Refused)
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)


async def test_the_same_text_passes_from_the_same_place_for_the_set_time(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    house.clock.move(hours=11, minutes=59)
    assert isinstance(await ask(house, secret, address="198.51.100.200"), Allowed)  # the same /24
    house.clock.move(minutes=1)
    assert reason_of(await ask(house, secret)) is Reason.WRONG_CODE
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)


async def test_a_shorter_time_holds_at_once(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    house.clock.move(minutes=2)
    house.with_ports(policy=replace(ON, password_with_code_for=timedelta(minutes=1)))
    assert reason_of(await ask(house, secret)) is Reason.WRONG_CODE


@pytest.mark.parametrize("other", [{"peer": "mx2"}, {"door": "saslauthd"}, {"protocol": MailProtocol.SMTP}])
async def test_a_program_reads_and_sends_with_one_code(house: House, alice: Person, other: dict):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    assert isinstance(await ask(house, secret, **other), Allowed)


@pytest.mark.parametrize("other", [{"address": ELSEWHERE}, {"address": None}])
async def test_it_is_bound_to_its_place(house: House, alice: Person, other: dict):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    assert reason_of(await ask(house, secret, **other)) is Reason.WRONG_CODE
    assert isinstance(await ask(house, secret), Allowed)


async def test_where_no_address_is_known_it_is_bound_to_its_server(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret, address=None), Allowed)
    assert isinstance(await ask(house, secret, address=None, protocol=MailProtocol.SMTP), Allowed)
    assert reason_of(await ask(house, secret, address=None, peer="mx2")) is Reason.WRONG_CODE
    assert reason_of(await ask(house, secret, address=None, door="saslauthd")) is Reason.WRONG_CODE


async def test_it_is_bound_to_its_account(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    await house.person("bob@example.org")
    assert reason_of(await ask(house, secret, "bob")) is Reason.WRONG_CODE


async def test_another_main_password_ends_it(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    other = "harbour violin seventeen moss"
    await accounts.set_main_password(house.ports, OPERATOR, alice.account.id, other)
    assert reason_of(await ask(house, secret)) is Reason.WRONG_SECRET
    assert reason_of(await ask(house, other + secret[-6:])) is Reason.WRONG_CODE


async def test_another_second_factor_ends_it(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    await house.set_up_authenticator(alice)
    assert reason_of(await ask(house, secret)) is Reason.WRONG_CODE


async def test_disabling_the_account_ends_it_and_enabling_it_does_not_need_another_code(house: House, alice: Person):
    secret = text_of(house, alice)
    verdict = await ask(house, secret)
    assert isinstance(verdict, Allowed)
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert isinstance(await ask(house, secret), Refused)
    assert reason_of(login.decide_again(house.ports, asked(""), verdict.grant)) is Reason.ACCOUNT_DISABLED
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    assert isinstance(await ask(house, secret), Allowed)


async def test_a_disabled_account_uses_up_no_code(house: House, alice: Person):
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    assert isinstance(await ask(house, text_of(house, alice)), Refused)
    await accounts.enable(house.ports, OPERATOR, alice.account.id)
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)


async def test_a_code_passes_once_of_many_networks_that_try_it_at_the_same_time(house: House, alice: Person):
    secret = text_of(house, alice)
    tries = [ask(house, secret, address=f"10.{n}.0.1") for n in range(30)]
    verdicts = await asyncio.gather(*tries)
    assert sum(isinstance(verdict, Allowed) for verdict in verdicts) == 1
    assert sum(isinstance(verdict, Refused) and verdict.reason is Reason.WRONG_CODE for verdict in verdicts) == 29


async def test_a_code_of_the_portal_is_used_up_here_and_the_other_way_round(house: House, alice: Person):
    code = house.code(alice.seed)
    started = await sign_in.start(house.ports, "alice", PASSWORD, address=HOME, client="Firefox")
    await sign_in.prove_code(house.ports, started.token, code, address=HOME)
    assert reason_of(await ask(house, PASSWORD + code)) is Reason.WRONG_CODE
    house.clock.move(seconds=60)
    code = house.code(alice.seed)
    assert isinstance(await ask(house, PASSWORD + code), Allowed)
    started = await sign_in.start(house.ports, "alice", PASSWORD, address=HOME, client="Firefox")
    with pytest.raises(Exception, match="not right, or it was used"):
        await sign_in.prove_code(house.ports, started.token, code, address=HOME)


async def totp_of(house: House, person: Person):
    return (await house.store.read(lambda reader: reader.totps(person.account.id)))[0]


async def test_wrong_codes_count_as_at_sign_in(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=1000))
    for n in range(TOTP_LIMITS.tries):
        assert reason_of(await ask(house, f"{PASSWORD}{n:06}")) is Reason.WRONG_CODE
    assert (await totp_of(house, alice)).wrong_codes == TOTP_LIMITS.tries
    assert reason_of(await ask(house, text_of(house, alice))) is Reason.WRONG_CODE  # paused
    house.clock.move(seconds=61)
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)
    assert (await totp_of(house, alice)).wrong_codes == 0


async def test_enough_wrong_codes_disable_code_entry(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=1000))
    for n in range(200):
        await ask(house, f"{PASSWORD}{n:06}")
        house.clock.move(seconds=61 if n % 5 == 4 else 0)
    assert (await totp_of(house, alice)).wrong_codes == TOTP_LIMITS.disable_after
    assert reason_of(await ask(house, text_of(house, alice))) is Reason.WRONG_CODE


async def test_a_program_that_goes_on_with_an_old_text_uses_up_no_tries(house: House, alice: Person):
    old, wrong = text_of(house, alice), f"{PASSWORD}000000"
    assert isinstance(await ask(house, old), Allowed)
    assert reason_of(await ask(house, wrong)) is Reason.WRONG_CODE
    house.clock.move(hours=13)
    for n in range(100):
        address = ELSEWHERE if n % 2 else HOME
        assert reason_of(await ask(house, old, address=address)) is Reason.WRONG_CODE
        assert reason_of(await ask(house, wrong, address=address)) is Reason.WRONG_CODE
        house.clock.move(minutes=10)
    assert (await totp_of(house, alice)).wrong_codes == 1


async def test_a_right_password_with_a_wrong_code_is_throttled_as_a_wrong_password(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=4))
    seen = []
    for n in range(8):
        password = PASSWORD if n % 2 else "wrong password"
        seen.append(reason_of(await ask(house, f"{password}{n:06}")))
    assert seen[:4] == [Reason.WRONG_SECRET, Reason.WRONG_CODE] * 2
    assert seen[4:] == [Reason.THROTTLED] * 4
    assert (await totp_of(house, alice)).wrong_codes == 2


async def test_guesses_of_others_keep_nobody_out_whose_code_is_remembered(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=4))
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    for n in range(8):
        await ask(house, f"wrong password{n:06}")
    assert reason_of(await ask(house, "wrong password999999")) is Reason.THROTTLED
    assert isinstance(await ask(house, secret), Allowed)
    guesses = [reason_of(await ask(house, f"guess {n}{secret[-6:]}")) for n in range(8)]
    assert guesses == [Reason.WRONG_SECRET] * 4 + [Reason.THROTTLED] * 4  # whoever knows the code does not guess on


async def test_where_no_address_is_known_each_account_has_its_own_counters(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=4))
    await house.person("bob@example.org")
    for n in range(8):
        await ask(house, f"wrong password{n:06}", "bob", address=None)
    assert reason_of(await ask(house, "wrong password999999", "bob", address=None)) is Reason.THROTTLED
    assert isinstance(await ask(house, text_of(house, alice), address=None), Allowed)


async def test_where_no_address_is_known_throttling_does_not_tell_who_has_an_account(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=4))
    for n in range(8):
        await ask(house, f"wrong password{n:06}", "nobody", address=None)
    assert reason_of(await ask(house, "wrong password999999", "nobody", address=None)) is Reason.THROTTLED
    # Of five other names hardly each is counted with that one.
    others = [reason_of(await ask(house, "wrong password999999", f"no-{n}", address=None)) for n in range(5)]
    assert Reason.WRONG_SECRET in others
    assert reason_of(await ask(house, "wrong password999999", address=None)) is Reason.WRONG_SECRET


async def test_where_no_address_is_known_throttling_does_not_tell_who_has_a_second_factor(house: House, alice: Person):
    """Both kinds of main password may open mail: those without codes were counted together, those with each by itself."""
    house.with_ports(policy=replace(ON, main_password_opens_mail=True), throttle=ThrottleLimits(per_network=4))
    await house.person("bob@example.org", two_factor=False)
    for name in ("nobody", "bob"):
        for n in range(8):
            await ask(house, f"wrong password{n:06}", name, address=None)
        assert reason_of(await ask(house, "wrong password999999", name, address=None)) is Reason.THROTTLED
    await house.person("carol@example.org", two_factor=False)
    for name in ("alice", "carol"):
        assert reason_of(await ask(house, "wrong password999999", name, address=None)) is Reason.WRONG_SECRET


async def test_where_no_address_is_known_ever_new_names_are_throttled_too(house: House, alice: Person):
    house.with_ports(throttle=ThrottleLimits(per_network=1))
    seen = [reason_of(await ask(house, "wrong password999999", f"no-{n}", address=None)) for n in range(100)]
    assert Reason.THROTTLED in seen  # of 100 names surely two are counted together


async def test_every_name_costs_the_same_hashes(house: House, alice: Person):
    await house.person("bob@example.org", two_factor=False)
    for name in ("alice", "bob", "nobody", "not a name at all@"):
        _, hasher = house.count_calls()
        assert reason_of(await ask(house, "wrong password000000", name)) is Reason.WRONG_SECRET
        assert hasher["verify"] == 1


async def test_without_a_second_factor_there_is_no_code(house: House, alice: Person):
    await house.person("bob@example.org", two_factor=False)
    assert reason_of(await ask(house, f"{PASSWORD}000000", "bob")) is Reason.WRONG_SECRET


async def test_digits_may_belong_to_a_main_password_that_opens_mail_alone(house: House, alice: Person):
    house.with_ports(policy=replace(ON, main_password_opens_mail=True))
    bob = await house.person("bob@example.org", two_factor=False)
    password = "harbour violin moss 123456"
    await accounts.set_main_password(house.ports, OPERATOR, bob.account.id, password)
    verdict = await ask(house, password, "bob")
    assert isinstance(verdict, Allowed)
    assert not verdict.grant.with_code
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)
    assert reason_of(await ask(house, PASSWORD)) is Reason.WRONG_SECRET


async def test_a_new_key_forgets_nothing(house: House, alice: Person, tmp_path):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    KeyFile.rotate(tmp_path / "keys.toml")
    house.with_ports(keys=KeyFile.load(tmp_path / "keys.toml"))
    assert isinstance(await ask(house, secret), Allowed)


async def test_app_passwords_pass_as_ever(house: House, alice: Person):
    issued = await house.issue(alice)
    assert isinstance(await ask(house, issued.secret.text), Allowed)


async def test_owners_see_that_somebody_has_the_main_password(house: House, alice: Person):
    await ask(house, f"{PASSWORD}000000")
    await house.recorder.flush()
    events = await house.store.read(lambda reader: reader.login_events(alice.account.id))
    assert [event.result for event in events] == ["wrong-code"]
    audit = await house.store.read(lambda reader: reader.audit(account_id=alice.account.id))
    (refusal,) = [record.event for record in audit if record.kind == "SignInRefused"]
    assert refusal == SignInRefused("wrong code for mail", HOME)
    assert str(describe(refusal)) == f"Sign-in from {HOME} refused: wrong code, for mail"


async def test_a_store_that_fails_is_no_wrong_password(house: House, alice: Person):
    class Broken:
        def __getattr__(self, name):
            return getattr(house.store, name)

        async def write(self, _):
            raise Unavailable("gone")

    secret = text_of(house, alice)
    house.with_ports(store=Broken())
    assert isinstance(await ask(house, secret), CannotTell)


async def test_nothing_of_the_password_is_kept(house: House, alice: Person, tmp_path):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    for file in tmp_path.glob("valetkey.db*"):
        assert PASSWORD.encode() not in file.read_bytes()
        assert secret[-6:].encode() + b"\0" not in file.read_bytes()


async def test_turning_the_policy_off_says_first_whom_it_hits(house: House, alice: Person):
    await house.person("bob@example.org")
    assert isinstance(await ask(house, text_of(house, alice)), Allowed)
    seen = await policy.preview(house.ports, OPERATOR, Policy())
    assert (seen.loses_mail, seen.needs_two) == (1, False)
    assert [hit.account.address for hit in seen.hits] == ["alice@example.org"]
    house.clock.move(hours=13)
    assert (await policy.preview(house.ports, OPERATOR, Policy())).loses_mail == 0
    house.with_ports(policy=Policy())
    assert (await policy.preview(house.ports, OPERATOR, ON)).needs_two


async def test_upkeep_forgets_old_codes(house: House, alice: Person):
    secret = text_of(house, alice)
    assert isinstance(await ask(house, secret), Allowed)
    house.clock.move(days=31)
    forgotten = await house.store.write(
        lambda writer: writer.forget_remembered_codes(house.clock.now() - timedelta(days=30))
    )
    assert forgotten == 1
