"""What proves identity is changed by its person alone: no API token, whatever it may do, and not the command line.

A token that may read its account reads some of it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.verbs.site import OPERATOR, PASSWORD, House, Person

from valetkey.core.errors import NotAllowed, NotFound, Refused
from valetkey.core.network import canonical_address
from valetkey.core.role import OWN_ACTIONS, Action
from valetkey.service import (
    accounts,
    api_tokens,
    notice_addresses,
    passkeys,
    portal_sessions,
    second_factors,
    sign_in_history,
)
from valetkey.service.passkey_ceremonies import Answer
from valetkey.service.ports import Actor, Ports
from valetkey.service.sign_in_parts import RelyingParty

PARTY = RelyingParty("portal.example.org", "https://portal.example.org", "Valetkey")
NOTHING = Answer(PARTY, "", "")

Verb = Callable[[Ports, Actor, Any], Awaitable[Any]]


async def offer_totp(ports: Ports, actor: Actor, totp: Any) -> Any:
    offered = second_factors.offer_totp(ports, actor, "alice@example.org")
    return await second_factors.confirm_totp(ports, actor, offered.sealed, "000000", "Mine")


VERBS: dict[str, Verb] = {
    "set up an authenticator": offer_totp,
    "remove an authenticator": lambda ports, actor, totp: second_factors.remove_totp(ports, actor, totp.id),
    "rename an authenticator": lambda ports, actor, totp: second_factors.rename_totp(ports, actor, totp.id, "Mine"),
    "draw recovery codes": lambda ports, actor, _: second_factors.draw_recovery_codes(ports, actor),
    "offer a passkey": lambda ports, actor, _: passkeys.offer(ports, actor, PARTY, binding="here"),
    "set up a passkey": lambda ports, actor, _: passkeys.register(ports, actor, NOTHING, "Mine", binding="here"),
    "remove a passkey": lambda ports, actor, _: passkeys.remove(ports, actor, "pk_none"),
    "rename a passkey": lambda ports, actor, _: passkeys.rename(ports, actor, "pk_none", "Mine"),
    "end a session": lambda ports, actor, _: portal_sessions.sign_out_one(ports, actor, "none"),
    "end all sessions": lambda ports, actor, _: portal_sessions.sign_out_all(ports, actor),
    "ask for a notice address": lambda ports, actor, _: notice_addresses.ask_for(ports, actor, "me@elsewhere.example"),
    "remove the notice address": lambda ports, actor, _: notice_addresses.remove(ports, actor),
}
READING: dict[str, Verb] = {
    "list sessions": lambda ports, actor, _: portal_sessions.sessions(ports, actor),
    "see sign-ins": lambda ports, actor, _: sign_in_history.history(ports, actor),
    "see the notice address": lambda ports, actor, _: notice_addresses.show(ports, actor),
}
ALL: dict[str, Verb] = {
    **VERBS,
    "set the main password": lambda ports, actor, totp: accounts.set_main_password(
        ports, actor, totp.account_id, "a walrus paints seven lamps"
    ),
}


async def token(house: House, person: Person, actions: frozenset[Action]) -> Actor:
    made = await api_tokens.make(
        house.ports,
        house.acting(person.account),
        person.account.id,
        name="Machine",
        actions=actions,
        expires_at=house.clock.now() + timedelta(days=1),
    )
    return await api_tokens.authenticate(house.ports, made.secret, canonical_address("198.51.100.7"))


async def state(house: House, alice: Person) -> Any:
    await house.signed_in(alice)
    return await seen(house, alice)


async def seen(house: House, alice: Person) -> Any:
    account_id = alice.account.id
    return await house.store.read(
        lambda reader: (
            reader.totps(account_id),
            reader.passkeys(account_id),
            reader.recovery_codes_left(account_id),
            reader.portal_sessions(account_id),
            reader.main_password(account_id),
            reader.notice_address(account_id),
        )
    )


@pytest.mark.parametrize("verb", ALL.values(), ids=ALL)
async def test_no_token_changes_what_proves_identity(house: House, verb: Verb):
    alice = await house.person()
    await house.store.write(
        lambda writer: writer.set_notice_address(alice.account.id, "a@elsewhere.example", house.clock.now())
    )
    actor = await token(house, alice, OWN_ACTIONS)
    before = await state(house, alice)
    with pytest.raises((NotAllowed, NotFound, Refused)):
        await verb(house.ports, actor, before[0][0])
    assert await seen(house, alice) == before


@pytest.mark.parametrize("verb", READING.values(), ids=READING)
async def test_a_token_that_may_read_reads_and_no_other(house: House, verb: Verb):
    alice = await house.person()
    before = await state(house, alice)
    assert await verb(house.ports, await token(house, alice, frozenset({Action.OWN_READ})), None)
    with pytest.raises(NotAllowed):
        await verb(house.ports, await token(house, alice, OWN_ACTIONS - {Action.OWN_READ}), None)
    assert await seen(house, alice) == before


@pytest.mark.parametrize("verb", [*VERBS.values(), *READING.values()], ids=[*VERBS, *READING])
async def test_the_command_line_is_nobody_who_could(house: House, verb: Verb):
    alice = await house.person()
    before = await state(house, alice)
    with pytest.raises((NotAllowed, Refused)):
        await verb(house.ports, OPERATOR, before[0][0])
    assert await seen(house, alice) == before


async def test_somebody_elses_are_out_of_reach(house: House):
    alice, bob = await house.person(), await house.person("bob@example.org")
    before = await state(house, alice)
    with pytest.raises(NotFound):
        await second_factors.remove_totp(house.ports, house.acting(bob.account), before[0][0].id)
    with pytest.raises(NotFound):
        await accounts.set_main_password(house.ports, house.acting(bob.account), alice.account.id, PASSWORD[::-1])
    assert await seen(house, alice) == before
