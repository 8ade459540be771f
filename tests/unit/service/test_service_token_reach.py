"""What a program does with app passwords and connections through an API token: what the token has, on its account."""

from datetime import timedelta

import pytest
from tests.verbs.site import HOME, House, Person

from valetkey.core.errors import NotAllowed, NotFound
from valetkey.core.network import canonical_address
from valetkey.core.role import Action
from valetkey.core.scope import MailProtocol
from valetkey.service import api_tokens, app_passwords, history, live, rotation
from valetkey.service.app_passwords import Wanted
from valetkey.service.ports import Actor, LiveSession

DAY = timedelta(days=1)


@pytest.fixture
async def alice(house: House) -> Person:
    return await house.person()


async def token_of(house: House, person: Person, *actions: Action, account_id: str = "") -> Actor:
    made = await api_tokens.make(
        house.ports,
        house.acting(person.account),
        account_id or person.account.id,
        name="Rotator",
        actions=frozenset(actions),
        expires_at=house.clock.now() + 30 * DAY,
    )
    return await api_tokens.authenticate(house.ports, made.secret, canonical_address("203.0.113.9"))


async def test_it_makes_rotates_and_revokes_long_after_anybody_proved_anything(house: House, alice: Person):
    token = await token_of(house, alice, *(Action.OWN_READ, Action.OWN_MAKE, Action.OWN_REVOKE))
    old = (await house.issue(alice)).app_password
    house.clock.move(days=3)
    rotated = await rotation.rotate(house.ports, token, old.id, DAY)
    assert rotated.app_password.created_by == token.token_id
    assert rotated.app_password.created_from == "203.0.113.9"
    made = await app_passwords.issue(house.ports, token, alice.account.id, Wanted("Job", old.scope))
    await app_passwords.revoke(house.ports, token, made.app_password.id)
    seen = await history.of_account(house.ports, token, alice.account.id)
    assert seen.names[token.token_id] == "alice@example.org"


async def test_what_the_token_has_not_it_does_not(house: House, alice: Person):
    reads = await token_of(house, alice, Action.OWN_READ)
    revokes = await token_of(house, alice, Action.OWN_REVOKE)
    one = (await house.issue(alice)).app_password
    session = LiveSession("s1", alice.account.id, one.id, MailProtocol.IMAP, HOME, "", house.clock.now(), "1")
    house.live.sessions = [session]
    assert await app_passwords.get(house.ports, reads, one.id) == one
    assert (await live.of_own(house.ports, reads)).sessions == (session,)
    for verb in (
        rotation.rotate(house.ports, reads, one.id, DAY),
        app_passwords.issue(house.ports, reads, alice.account.id, Wanted("Job", one.scope)),
        app_passwords.change(house.ports, reads, one.id, description="Mine"),
        app_passwords.revoke(house.ports, reads, one.id),
        app_passwords.revoke_all(house.ports, reads, alice.account.id),
        live.close(house.ports, reads, "s1"),
        live.close_all_of(house.ports, reads, one.id),
        app_passwords.get(house.ports, revokes, one.id),
        app_passwords.of_account(house.ports, revokes, alice.account.id),
        history.overview(house.ports, revokes, alice.account.id),
        history.of_account(house.ports, revokes, alice.account.id),
        live.of_own(house.ports, revokes),
        history.shared_accounts(house.ports, revokes),
    ):
        with pytest.raises(NotAllowed):
            await verb
    assert await live.close(house.ports, revokes, "s1")
    assert (await app_passwords.revoke(house.ports, revokes, one.id)).app_password.revoked_by == revokes.token_id


async def test_a_token_of_a_shared_account_reaches_that_and_nothing_else(house: House, alice: Person):
    scanner = await house.shared(owner=alice)
    own = (await house.issue(alice)).app_password
    token = await token_of(house, alice, Action.OWN_READ, Action.OWN_MAKE, account_id=scanner.id)
    made = await app_passwords.issue(house.ports, token, scanner.id, Wanted("Scanner", own.scope))
    assert (await rotation.rotate(house.ports, token, made.app_password.id)).app_password.account_id == scanner.id
    for verb in (
        app_passwords.get(house.ports, token, own.id),
        rotation.rotate(house.ports, token, own.id),
        app_passwords.issue(house.ports, token, alice.account.id, Wanted("Spy", own.scope)),
        live.of_account(house.ports, token, alice.account.id),
    ):
        with pytest.raises(NotFound):
            await verb
