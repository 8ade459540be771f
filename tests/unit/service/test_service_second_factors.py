"""Setting up, adding and removing authenticators."""

import base64

import pytest
from tests.verbs.site import OPERATOR, House

from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain
from valetkey.core.event import RecoveryCodesDrawn, SecondFactorAdded, SecondFactorRemoved
from valetkey.service import accounts, activity, second_factors
from valetkey.service.second_factors import MAX_TOTPS, confirm_totp, offer_totp


def offered(house: House, person):
    actor = house.acting(person.account)
    offer = offer_totp(house.ports, actor, person.account.address)
    seed, _ = second_factors._open_offer(house.ports, actor, offer.sealed)
    return actor, offer, seed


async def test_an_offer_stores_nothing_and_shows_one_seed(house: House):
    alice = await house.person(two_factor=False)
    before = house.store.change_number()
    _, offer, seed = offered(house, alice)
    assert house.store.change_number() == before
    text = base64.b32encode(seed).decode()
    assert offer.seed_text.replace(" ", "") == text
    assert f"secret={text}" in offer.uri
    assert text not in repr(offer)
    assert offer.sealed not in repr(offer)


async def test_a_wrong_code_sets_up_nothing(house: House):
    alice = await house.person(two_factor=False)
    actor, offer, seed = offered(house, alice)
    for code in ("", "000000", house.code(seed, steps=5)):
        with pytest.raises(InvalidInput) as refusal:
            await confirm_totp(house.ports, actor, offer.sealed, code, "Phone")
        assert refusal.value.field == "code"
    assert not (await accounts.find(house.ports, OPERATOR, "alice")).has_second_factor


async def test_an_offer_can_be_shown_again_to_whom_it_was_made(house: House):
    alice, bob = await house.person(two_factor=False), await house.person("bob@example.org", two_factor=False)
    actor, offer, _ = offered(house, alice)
    assert second_factors.same_offer(house.ports, actor, offer.sealed, alice.account.address) == offer
    with pytest.raises(InvalidInput):
        second_factors.same_offer(house.ports, house.acting(bob.account), offer.sealed, bob.account.address)


async def test_an_offer_is_for_its_account_and_for_an_hour(house: House):
    alice, bob = await house.person(two_factor=False), await house.person("bob@example.org", two_factor=False)
    _, offer, seed = offered(house, alice)
    with pytest.raises(InvalidInput):
        await confirm_totp(house.ports, house.acting(bob.account), offer.sealed, house.code(seed), "Phone")
    for sealed in ("", "x", "é", "\udcff", "A" * 9999, offer.sealed[:-4] + "AAAA", offer.sealed + "!"):
        with pytest.raises(InvalidInput):
            await confirm_totp(house.ports, house.acting(alice.account), sealed, house.code(seed), "Phone")
    house.clock.move(hours=1, minutes=1)
    with pytest.raises(InvalidInput):
        await confirm_totp(house.ports, house.acting(alice.account), offer.sealed, house.code(seed), "Phone")


async def test_the_code_of_the_set_up_is_used_and_the_seed_is_sealed(house: House, tmp_path):
    alice = await house.person(two_factor=False)
    actor, offer, seed = offered(house, alice)
    confirmed = await confirm_totp(house.ports, actor, offer.sealed, house.code(seed), " My  phone ")
    assert confirmed.totp.name == "My phone"
    assert confirmed.totp.last_step > 0
    assert not any(code in repr(confirmed) for code in confirmed.recovery_codes)
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("valetkey.db"))
    assert seed not in raw
    assert not any(code.replace("-", "").encode() in raw or code.encode() in raw for code in confirmed.recovery_codes)
    records = await activity.audit(house.ports, OPERATOR, account_id=alice.account.id)
    assert [type(record.event) for record in records[:2]] == [RecoveryCodesDrawn, SecondFactorAdded]
    with pytest.raises(Conflict):
        await confirm_totp(house.ports, actor, offer.sealed, house.code(seed), "Phone")


async def test_more_authenticators_bring_no_new_codes_and_have_a_limit(house: House):
    alice = await house.person()
    for n in range(MAX_TOTPS - 1):
        actor, offer, seed = offered(house, alice)
        confirmed = await confirm_totp(house.ports, actor, offer.sealed, house.code(seed), f"Key {n}")
        assert confirmed.recovery_codes == ()
    actor, offer, seed = offered(house, alice)
    with pytest.raises(Conflict, match="5 authenticators"):
        await confirm_totp(house.ports, actor, offer.sealed, house.code(seed), "One more")


async def test_the_last_authenticator_stays(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    actor, offer, seed = offered(house, alice)
    second = (await confirm_totp(house.ports, actor, offer.sealed, house.code(seed), "Tablet")).totp
    with pytest.raises(NotFound):
        await second_factors.remove_totp(house.ports, house.acting(bob.account), second.id)
    await second_factors.remove_totp(house.ports, actor, second.id)
    records = await activity.audit(house.ports, OPERATOR, account_id=alice.account.id, limit=1)
    assert records[0].event == SecondFactorRemoved("Tablet")
    first = (await accounts.details(house.ports, alice.actor, alice.account.id)).totps[0]
    with pytest.raises(Conflict, match="only second factor"):
        await second_factors.remove_totp(house.ports, actor, first.id)
    with pytest.raises(NotFound):
        await second_factors.remove_totp(house.ports, actor, "tp_nothing")


async def test_changing_factors_needs_a_fresh_proof_and_a_person(house: House):
    alice = await house.person()
    actor, offer, seed = offered(house, alice)
    house.clock.move(minutes=6)
    with pytest.raises(ProveAgain):
        offer_totp(house.ports, actor, "alice@example.org")
    for verb in (
        confirm_totp(house.ports, actor, offer.sealed, house.code(seed), "Phone"),
        second_factors.remove_totp(house.ports, actor, "tp_1"),
        second_factors.draw_recovery_codes(house.ports, actor),
    ):
        with pytest.raises(ProveAgain):
            await verb
    with pytest.raises(NotAllowed):
        offer_totp(house.ports, OPERATOR, "alice@example.org")
    with pytest.raises(NotAllowed):
        await second_factors.draw_recovery_codes(house.ports, OPERATOR)


async def test_recovery_codes_come_after_the_first_authenticator(house: House):
    bob = await house.person("bob@example.org", two_factor=False)
    with pytest.raises(PolicyForbids):
        await second_factors.draw_recovery_codes(house.ports, house.acting(bob.account))
