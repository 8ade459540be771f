"""What an owner sees of who came in and who was turned away; and how new main passwords are held to what is enough."""

import pytest
from tests.verbs.site import HOME, OPERATOR, PASSWORD, House, Person

from valetkey.core.errors import InvalidInput, NotAllowed, Refused
from valetkey.core.event import SignedIn, SignedOut, SignInRefused
from valetkey.core.throttle import ThrottleLimits
from valetkey.service import accounts, activity, portal_sessions, sign_in, sign_in_history
from valetkey.service.main_passwords import fit
from valetkey.service.ports import Actor, ActorKind


async def refuse(house: House, name: str, password: str, address: str = HOME) -> None:
    with pytest.raises(Refused):
        await sign_in.start(house.ports, name, password, address=address, client="curl")


async def refused(house: House, person: Person) -> list[tuple[str, int]]:
    history = await sign_in_history.history(house.ports, house.acting(person.account))
    return [(one.network, one.count) for one in history.refused]


async def test_wrong_main_passwords_are_seen_by_network_and_not_in_the_audit_log(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    records = len(await activity.audit(house.ports, OPERATOR, limit=1000))
    await refuse(house, "alice", "one")
    house.clock.move(hours=3)
    await refuse(house, "alice@example.org", "another", "198.51.100.99")
    await refuse(house, "alice@example.org", "one", "2001:db8:0:7::1")
    assert await refused(house, alice) == [("198.51.100.0/24", 2), ("2001:db8::/56", 1)]
    assert await refused(house, bob) == []
    assert len(await activity.audit(house.ports, OPERATOR, limit=1000)) == records


async def test_an_unknown_name_costs_the_same_calls_and_tells_nobody(house: House):
    alice = await house.person()
    store, hasher = house.count_calls()
    await refuse(house, "alice@example.org", "one")
    known = (dict(store), dict(hasher))
    store.clear()
    hasher.clear()
    await refuse(house, "nobody@example.org", "one")
    assert (dict(store), dict(hasher)) == known
    assert await refused(house, alice) == [("198.51.100.0/24", 1)]
    assert len(await house.store.read(lambda reader: reader.refused_sign_ins(""))) == 1


async def test_what_is_throttled_is_not_counted(house: House):
    house.with_ports(throttle=ThrottleLimits(per_network=3))
    alice = await house.person()
    for guess in range(6):
        await refuse(house, "alice@example.org", f"guess {guess}")
    assert await refused(house, alice) == [("198.51.100.0/24", 3)]


async def test_the_history_is_of_sign_ins_and_comes_page_by_page(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    await house.signed_in(bob)
    for _ in range(30):
        started = await house.signed_in(alice)
        await portal_sessions.sign_out(house.ports, started.token)
    half = await sign_in.start(house.ports, "alice", PASSWORD, address=HOME, client="Firefox")
    with pytest.raises(Refused):
        await sign_in.prove_code(house.ports, half.token, "000000", address=HOME)
    first = await sign_in_history.history(house.ports, house.acting(alice.account))
    assert len(first.records) == 50
    assert isinstance(first.records[0].event, SignInRefused)
    rest = await sign_in_history.history(house.ports, house.acting(alice.account), before=first.older)
    assert (len(rest.records), rest.older) == (11, None)
    events = [record.event for record in (*first.records, *rest.records)]
    assert [type(event) for event in events[1:]] == [SignedOut, SignedIn] * 30
    assert {record.account_id for record in first.records} == {alice.account.id}


async def test_the_history_is_its_owners_alone(house: House):
    with pytest.raises(NotAllowed):
        await sign_in_history.history(house.ports, OPERATOR)
    with pytest.raises(NotAllowed):
        await sign_in_history.history(house.ports, Actor(ActorKind.TOKEN, "ac_x", token_id="at_x"))


@pytest.mark.parametrize(
    "password", ["asdfghjkl;'asdfg", "example.org example.org", "valetkeyvaletkey", "passwort passwort", "short"]
)
async def test_main_passwords_that_are_guessed_soon_are_refused(house: House, password: str):
    alice = await house.person()
    before = await house.store.read(lambda reader: reader.main_password(alice.account.id))
    with pytest.raises(InvalidInput) as refusal:
        await accounts.set_main_password(house.ports, house.acting(alice.account), alice.account.id, password)
    assert refusal.value.field == "password"
    assert password not in str(refusal.value)
    assert await house.store.read(lambda reader: reader.main_password(alice.account.id)) == before


async def test_a_new_main_password_is_told_and_its_strength_given(house: House):
    alice = await house.person()
    strength = await accounts.set_main_password(
        house.ports, house.acting(alice.account), alice.account.id, "a walrus paints seven lamps"
    )
    assert strength.is_enough
    notices = await house.store.read(lambda reader: reader.due_notices(house.clock.now()))
    assert "main-password-changed" in {notice.kind for notice in notices}
    assert (await fit(house.ports, "Bu\u0308cher lampe otter rad", address="a@example.org"))[0].startswith("Bücher")
