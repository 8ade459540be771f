"""Passkeys: set up, alone, as second factor, to prove it again; and everything that must not pass."""

import asyncio
from dataclasses import replace

import pytest
from tests.verbs.authenticator import SoftAuthenticator
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House, Person

from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, ProveAgain, Refused
from valetkey.core.event import PasskeyRefused, SecondFactorAdded, SecondFactorRemoved, SignedIn
from valetkey.service import (
    accounts,
    activity,
    passkey_ceremonies,
    passkeys,
    portal_sessions,
    proving,
    second_factors,
    sign_in,
    upkeep,
)
from valetkey.service.passkey_ceremonies import Answer, Ceremony, Purpose
from valetkey.service.proving import Proof
from valetkey.service.sign_in_parts import RelyingParty

PARTY = RelyingParty("portal.example.org", "https://portal.example.org", "Valetkey")
HERE = "the token of this browser's forms"


def answer(ceremony: Ceremony, text: str, party: RelyingParty = PARTY) -> Answer:
    return Answer(party, ceremony.sealed, text)


async def add(house: House, person: Person, device: SoftAuthenticator, name: str = "Laptop", actor=None):
    actor = actor or house.acting(person.account)
    ceremony = await passkeys.offer(house.ports, actor, PARTY, binding=HERE)
    given = answer(ceremony, device.create(ceremony.options))
    registered = await passkeys.register(house.ports, actor, given, name, binding=HERE)
    person.account = await accounts.find(house.ports, OPERATOR, person.account.id)
    return registered


async def alone(house: House, device: SoftAuthenticator, *, ceremony=None, party=PARTY, binding=HERE, **wrong):
    ceremony = ceremony or passkey_ceremonies.offer_sign_in(house.ports, PARTY, binding=HERE)
    given = answer(ceremony, device.get(ceremony.options, **wrong), party)
    return await sign_in.start_with_passkey(house.ports, given, binding=binding, address=HOME, client="Firefox")


async def half(house: House, person: Person):
    return await sign_in.start(house.ports, person.account.address, PASSWORD, address=HOME, client="Firefox")


def use(house: House, signed_in, purpose: Purpose) -> Ceremony:
    return passkey_ceremonies.offer_use(
        house.ports,
        PARTY,
        purpose,
        account_id=signed_in.account.id,
        binding=signed_in.session.csrf,
        passkeys=signed_in.passkeys,
    )


async def second(house: House, token: str, device: SoftAuthenticator, **wrong):
    ceremony = use(house, await sign_in.current(house.ports, token), Purpose.SECOND_FACTOR)
    given = answer(ceremony, device.get(ceremony.options, **wrong))
    return await sign_in.prove_passkey(house.ports, token, given, address=HOME)


async def again(house: House, token: str, device: SoftAuthenticator, password: str = ""):
    ceremony = use(house, await sign_in.current(house.ports, token), Purpose.PROVE_AGAIN)
    proof = Proof(password=password, passkey=answer(ceremony, device.get(ceremony.options)))
    return await proving.prove_again(house.ports, token, proof, address=HOME)


async def events(house: House, person: Person):
    return [
        record.event for record in await activity.audit(house.ports, OPERATOR, account_id=person.account.id, limit=100)
    ]


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


@pytest.fixture
async def device(house: House, alice: Person) -> SoftAuthenticator:
    made = SoftAuthenticator()
    await add(house, alice, made)
    return made


async def test_the_first_passkey_brings_recovery_codes_and_a_whole_session(house: House):
    bob = await house.person("bob@example.org", two_factor=False)
    started, other = await half(house, bob), await half(house, bob)
    actor = sign_in.actor_of(await sign_in.current(house.ports, started.token), HOME)
    registered = await add(house, bob, SoftAuthenticator(), " Bob’s  phone ", actor)
    assert len(registered.recovery_codes) == 10
    assert registered.passkey.name == "Bob’s phone"
    assert registered.passkey.transports == ("internal",)
    assert await sign_in.current(house.ports, started.token) is None
    signed_in = await sign_in.current(house.ports, registered.token)
    assert signed_in.is_complete
    assert signed_in.session.has_second_factor
    assert await sign_in.current(house.ports, other.token) is None
    assert bob.account.has_second_factor
    assert SecondFactorAdded("Bob’s phone", "passkey") in await events(house, bob)


async def test_a_further_one_draws_no_codes_and_keeps_the_sessions(house: House, alice: Person):
    started = await house.signed_in(alice)
    assert (await add(house, alice, SoftAuthenticator())).recovery_codes == ()
    assert await sign_in.current(house.ports, started.token) is not None


async def test_setting_up_needs_a_recent_proof(house: House, alice: Person):
    actor = house.acting(alice.account)
    ceremony = await passkeys.offer(house.ports, actor, PARTY, binding=HERE)
    given = answer(ceremony, SoftAuthenticator().create(ceremony.options))
    house.clock.move(minutes=6)
    with pytest.raises(ProveAgain):
        await passkeys.offer(house.ports, actor, PARTY, binding=HERE)
    with pytest.raises(ProveAgain):
        await passkeys.register(house.ports, actor, given, "Laptop", binding=HERE)


async def test_a_registration_holds_once_here_and_for_this_account(house: House, alice: Person):
    bob = await house.person("bob@example.org")
    actor = house.acting(alice.account)
    ceremony = await passkeys.offer(house.ports, actor, PARTY, binding=HERE)
    given = answer(ceremony, SoftAuthenticator().create(ceremony.options))
    with pytest.raises(Refused, match="too long"):
        await passkeys.register(house.ports, house.acting(bob.account), given, "Laptop", binding=HERE)
    with pytest.raises(Refused, match="too long"):
        await passkeys.register(house.ports, actor, given, "Laptop", binding="another browser")
    with pytest.raises(InvalidInput, match="name"):
        await passkeys.register(house.ports, actor, given, " ", binding=HERE)
    await passkeys.register(house.ports, actor, given, "Laptop", binding=HERE)
    with pytest.raises(Refused, match="sent already"):
        await passkeys.register(house.ports, actor, given, "Laptop", binding=HERE)


@pytest.mark.parametrize(
    ("device", "party"),
    [
        (SoftAuthenticator(origin="https://portal.example.org.evil.example"), PARTY),
        (SoftAuthenticator(origin="http://portal.example.org"), PARTY),
        (SoftAuthenticator(rp_id="example.org"), PARTY),
        (SoftAuthenticator(), replace(PARTY, id="other.example.org")),
        (SoftAuthenticator(), replace(PARTY, origin="https://portal.example.org:8443")),
    ],
)
async def test_a_registration_from_elsewhere_is_refused(house: House, alice: Person, device, party):
    actor = house.acting(alice.account)
    ceremony = await passkeys.offer(house.ports, actor, PARTY, binding=HERE)
    given = answer(ceremony, device.create(ceremony.options), party)
    with pytest.raises(InvalidInput, match="not accepted"):
        await passkeys.register(house.ports, actor, given, "Laptop", binding=HERE)


async def test_a_known_credential_is_nobody_elses(house: House, device: SoftAuthenticator):
    bob = await house.person("bob@example.org")
    with pytest.raises(Conflict, match="already"):
        await add(house, bob, SoftAuthenticator())  # the same credential id


async def test_twenty_are_enough(house: House, alice: Person):
    for number in range(20):
        await add(house, alice, SoftAuthenticator(credential_id=bytes([number]) * 16), f"Key {number}")
    with pytest.raises(Conflict, match="20 passkeys"):
        await add(house, alice, SoftAuthenticator(credential_id=b"x" * 16))


async def test_a_passkey_alone_signs_in(house: House, alice: Person, device: SoftAuthenticator):
    started = await alone(house, device)
    signed_in = await sign_in.current(house.ports, started.token)
    assert signed_in.is_complete
    assert signed_in.account.id == alice.account.id
    assert sign_in.actor_of(signed_in, HOME).proven_at == house.clock.now()
    assert (await events(house, alice))[0] == SignedIn("a passkey", HOME, "Firefox")
    kept = (await house.store.read(lambda reader: reader.passkeys(alice.account.id)))[0]
    assert (kept.sign_count, kept.last_used_at) == (device.count, house.clock.now())


async def test_alone_it_must_have_verified_its_user(house: House, alice: Person, device: SoftAuthenticator):
    device.verifies_user = False
    with pytest.raises(Refused, match="main password"):
        await alone(house, device)
    started = await second(house, (await half(house, alice)).token, device)
    assert (await sign_in.current(house.ports, started.token)).is_complete


async def test_the_second_factor_gives_a_new_token(house: House, alice: Person, device: SoftAuthenticator):
    first = await half(house, alice)
    started = await second(house, first.token, device)
    assert await sign_in.current(house.ports, first.token) is None
    assert (await sign_in.current(house.ports, started.token)).is_complete
    assert (await events(house, alice))[0] == SignedIn("main password and passkey", HOME, "Firefox")


async def test_an_answer_counts_once(house: House, alice: Person, device: SoftAuthenticator):
    device.counts, device.count = False, 5
    ceremony = passkey_ceremonies.offer_sign_in(house.ports, PARTY, binding=HERE)
    given = answer(ceremony, device.get(ceremony.options))

    async def send():
        return await sign_in.start_with_passkey(house.ports, given, binding=HERE, address=HOME, client="")

    results = await asyncio.gather(*(send() for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert {type(result) for result in results if isinstance(result, BaseException)} == {Refused}


async def test_spent_challenges_are_forgotten_only_when_they_are_too_old(
    house: House, alice: Person, device: SoftAuthenticator
):
    device.counts, device.count = False, 5
    ceremony = passkey_ceremonies.offer_sign_in(house.ports, PARTY, binding=HERE)
    await alone(house, device, ceremony=ceremony)
    house.clock.move(minutes=4)
    await upkeep.every_minute(house.ports)
    with pytest.raises(Refused, match="too long"):
        await alone(house, device, ceremony=ceremony)
    house.clock.move(minutes=20)
    await upkeep.every_minute(house.ports)
    with pytest.raises(Refused, match="too long"):
        await alone(house, device, ceremony=ceremony)
    assert await house.store.write(lambda writer: writer.forget_spent_challenges(house.clock.now())) == 0


async def test_a_challenge_lasts_five_minutes_in_one_browser(house: House, alice: Person, device: SoftAuthenticator):
    ceremony = passkey_ceremonies.offer_sign_in(house.ports, PARTY, binding=HERE)
    with pytest.raises(Refused, match="another browser"):
        await alone(house, device, ceremony=ceremony, binding="another browser's")
    house.clock.move(minutes=5, seconds=1)
    with pytest.raises(Refused, match="too long"):
        await alone(house, device, ceremony=ceremony)


async def test_an_answer_for_one_purpose_serves_no_other(house: House, alice: Person, device: SoftAuthenticator):
    token = (await half(house, alice)).token
    signed_in = await sign_in.current(house.ports, token)
    for purpose in (Purpose.PROVE_AGAIN, Purpose.SIGN_IN, Purpose.REGISTER):
        ceremony = use(house, signed_in, purpose)
        given = answer(ceremony, device.get(ceremony.options))
        with pytest.raises(Refused, match="too long"):
            await sign_in.prove_passkey(house.ports, token, given, address=HOME)
    for_second = use(house, signed_in, Purpose.SECOND_FACTOR)
    with pytest.raises(Refused, match="too long"):
        await alone(house, device, ceremony=for_second, binding=signed_in.session.csrf)


@pytest.mark.parametrize(
    "wrong",
    [
        {"challenge": "AAAA"},
        {"kind": "webauthn.create"},
        {"signature": b"0" * 70},
        {"handle": b"ac_somebody"},
        {"handle": None},
        {"credential_id": b"unknown"},
    ],
)
async def test_what_is_wrong_with_an_answer_refuses_it(house: House, alice: Person, device: SoftAuthenticator, wrong):
    number = house.store.change_number()
    with pytest.raises(Refused):
        await alone(house, device, **wrong)
    assert house.store.change_number() == number


@pytest.mark.parametrize("elsewhere", [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}])
async def test_an_answer_from_elsewhere_is_refused(house: House, alice: Person, device: SoftAuthenticator, elsewhere):
    for name, value in elsewhere.items():
        setattr(device, name, value)
    with pytest.raises(Refused, match="not accepted"):
        await alone(house, device)
    with pytest.raises(Refused, match="not accepted"):
        await second(house, (await half(house, alice)).token, device)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{", '{"id":1}', "[" * 5000, '{"id":"é","rawId":"é"}', "x" * 20_000]
)
async def test_what_is_no_answer_is_refused(house: House, device: SoftAuthenticator, text: str):
    ceremony = passkey_ceremonies.offer_sign_in(house.ports, PARTY, binding=HERE)
    with pytest.raises(Refused):
        await sign_in.start_with_passkey(
            house.ports, answer(ceremony, text), binding=HERE, address=HOME, client="Firefox"
        )


async def test_another_persons_passkey_is_no_second_factor(house: House, alice: Person):
    bob = await house.person("bob@example.org")
    bobs = SoftAuthenticator(credential_id=b"b" * 16)
    await add(house, bob, bobs)
    await add(house, alice, SoftAuthenticator())
    token = (await half(house, alice)).token
    with pytest.raises(Refused, match="not known"):
        await second(house, token, bobs)
    with pytest.raises(Refused, match="not accepted"):
        await second(house, token, bobs, credential_id=b"\x07" * 16, handle=alice.account.id.encode())
    assert not (await sign_in.current(house.ports, token)).is_complete


async def test_a_counter_that_goes_back_is_refused_and_told(house: House, alice: Person, device: SoftAuthenticator):
    await alone(house, device)
    device.count -= 1  # the next answer has the count of the last
    with pytest.raises(Refused, match="copy"):
        await alone(house, device)
    assert PasskeyRefused("Laptop", HOME) in await events(house, alice)
    notices = await house.store.read(lambda reader: reader.due_notices(house.clock.now()))
    assert "passkey-refused" in {notice.kind for notice in notices}
    assert (await alone(house, device)).token  # the true one goes on


async def test_a_passkey_that_does_not_count_goes_on(house: House, alice: Person):
    device = SoftAuthenticator(counts=False)
    await add(house, alice, device)
    for _ in range(3):
        await alone(house, device)


async def test_proving_again_by_passkey(house: House, alice: Person, device: SoftAuthenticator):
    started = await alone(house, device)
    house.clock.move(minutes=10)
    proven = await again(house, started.token, device)
    assert await sign_in.current(house.ports, started.token) is None
    assert proven.session.proven_at == house.clock.now()
    device.verifies_user = False
    with pytest.raises(Refused, match="enter your main password"):
        await again(house, proven.token, device)
    with pytest.raises(Refused, match="not right"):
        await again(house, proven.token, device, "not the password")
    house.clock.move(minutes=10)
    assert (await again(house, proven.token, device, PASSWORD)).session.proven_at == house.clock.now()


async def test_half_a_sign_in_proves_nothing_again(house: House, alice: Person, device: SoftAuthenticator):
    token = (await half(house, alice)).token
    with pytest.raises(NotAllowed):
        await again(house, token, device)


async def test_a_disabled_account_is_not_signed_in(house: House, alice: Person, device: SoftAuthenticator):
    await accounts.disable(house.ports, OPERATOR, alice.account.id)
    with pytest.raises(Refused, match="not known"):
        await alone(house, device)


async def test_the_last_second_factor_stays_whichever_it_is(house: House, alice: Person, device: SoftAuthenticator):
    bob = await house.person("bob@example.org")
    kept = (await house.store.read(lambda reader: reader.passkeys(alice.account.id)))[0]
    with pytest.raises(NotFound):
        await passkeys.remove(house.ports, house.acting(bob.account), kept.id)
    totp = (await house.store.read(lambda reader: reader.totps(alice.account.id)))[0]
    await second_factors.remove_totp(house.ports, house.acting(alice.account), totp.id)
    with pytest.raises(Conflict, match="only second factor"):
        await passkeys.remove(house.ports, house.acting(alice.account), kept.id)
    other = SoftAuthenticator(credential_id=b"o" * 16)
    await add(house, alice, other, "Phone")
    await passkeys.remove(house.ports, house.acting(alice.account), kept.id)
    assert SecondFactorRemoved("Laptop", "passkey") in await events(house, alice)
    with pytest.raises(Refused, match="not known"):
        await alone(house, device)
    assert (await alone(house, other)).token


async def test_without_an_authenticator_no_code_is_taken_and_none_is_counted(
    house: House, alice: Person, device: SoftAuthenticator
):
    totp = (await house.store.read(lambda reader: reader.totps(alice.account.id)))[0]
    await second_factors.remove_totp(house.ports, house.acting(alice.account), totp.id)
    token = (await half(house, alice)).token
    number = house.store.change_number()
    with pytest.raises(Refused, match="no authenticator app"):
        await sign_in.prove_code(house.ports, token, "123456", address=HOME)
    assert house.store.change_number() == number
    assert (await sign_in.prove_recovery_code(house.ports, token, alice.recovery_codes[0], address=HOME)).token


async def test_a_reset_takes_passkeys_too(house: House, alice: Person, device: SoftAuthenticator):
    started = await alone(house, device)
    await second_factors.reset(house.ports, OPERATOR, alice.account.id)
    assert await sign_in.current(house.ports, started.token) is None
    assert not (await accounts.find(house.ports, OPERATOR, alice.account.id)).has_second_factor
    with pytest.raises(Refused, match="not known"):
        await alone(house, device)


async def test_one_browser_is_signed_out_by_its_name(house: House, alice: Person, device: SoftAuthenticator):
    bob = await house.person("bob@example.org")
    one, other = await alone(house, device), await alone(house, device)
    name = portal_sessions.public_id(one.session)
    assert one.session.id_hash.hex() not in name
    with pytest.raises(NotFound):
        await portal_sessions.sign_out_one(house.ports, house.acting(bob.account), name)
    await portal_sessions.sign_out_one(house.ports, house.acting(alice.account), name)
    assert await sign_in.current(house.ports, one.token) is None
    assert await sign_in.current(house.ports, other.token) is not None
    with pytest.raises(NotFound):
        await portal_sessions.sign_out_one(house.ports, house.acting(alice.account), name)
    assert await portal_sessions.sign_out_all(house.ports, house.acting(alice.account)) == 1
    assert await sign_in.current(house.ports, other.token) is None
