"""Where a mail server opens the mailbox that is called as was typed, an alias stands for nobody."""

from dataclasses import replace

import pytest
from tests.verbs.site import OPERATOR, PASSWORD, House, attempt

from valetkey.core.login import Allowed, LoginAttempt, Reason, Refused
from valetkey.core.policy import Policy
from valetkey.service import accounts
from valetkey.service.login import check

ALIAS = "sales@example.org"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()


def kept(name: str, secret: str) -> LoginAttempt:
    return replace(attempt(name, secret), keeps_name=True, door="saslauthd")


async def test_an_app_password_opens_by_the_address_alone(house):
    person = await house.person()
    await accounts.add_alias(house.ports, OPERATOR, person.account.id, ALIAS)
    secret = (await house.issue(person)).secret.shown
    assert isinstance(await check(house.ports, attempt(ALIAS, secret)), Allowed)
    assert await check(house.ports, kept(ALIAS, secret)) == Refused(Reason.WRONG_SECRET)
    for own in ("alice@example.org", "ALICE@example.ORG", "alice"):
        assert isinstance(await check(house.ports, kept(own, secret)), Allowed)


@pytest.mark.parametrize(
    "typed",
    [
        "alice@exam\ufe0fple.org",
        "alice@exam\u034fple.org",
        "alice@exam\u00adple.org",
        "alice@example.org.",
        "alice@example\u3002org",
        "alice@\uff45xample.org",
        "\uff41lice@example.org",
        "\uff41lice",
        " alice",
        "alice@example.org\u3164",
    ],
)
async def test_what_only_stands_for_the_address_opens_nothing_there(house, typed):
    """A server that goes on with it would look for a mailbox of another name."""
    secret = (await house.issue(await house.person())).secret.shown
    assert isinstance(await check(house.ports, attempt(typed, secret)), Allowed)
    assert await check(house.ports, kept(typed, secret)) == Refused(Reason.WRONG_SECRET)


@pytest.mark.parametrize(
    "typed",
    ["j\u00fcrgen@b\u00fccher.example", "J\u00dcRGEN@xn--bcher-kva.example", "ju\u0308rgen@B\u00dcCHER.example"],
)
async def test_an_address_may_be_written_in_its_own_letters(house, typed):
    secret = (await house.issue(await house.person("j\u00fcrgen@b\u00fccher.example"))).secret.shown
    assert isinstance(await check(house.ports, kept(typed, secret)), Allowed)


async def test_an_alias_costs_what_a_name_of_nobodys_costs(house):
    person = await house.person()
    await accounts.add_alias(house.ports, OPERATOR, person.account.id, ALIAS)
    secret = (await house.issue(person)).secret.shown
    store, hasher = house.count_calls()
    costs = []
    for name in (ALIAS, "nobody@example.org"):
        store.clear()
        hasher.clear()
        await check(house.ports, kept(name, secret))
        costs.append((dict(store), dict(hasher)))
    assert costs[0] == costs[1]


async def test_so_does_a_main_password(house):
    house.with_ports(policy=Policy(main_password_opens_mail=True))
    person = await house.person(two_factor=False)
    await accounts.add_alias(house.ports, OPERATOR, person.account.id, ALIAS)
    assert isinstance(await check(house.ports, attempt(ALIAS, PASSWORD)), Allowed)
    assert await check(house.ports, kept(ALIAS, PASSWORD)) == Refused(Reason.WRONG_SECRET)
    assert isinstance(await check(house.ports, kept("alice", PASSWORD)), Allowed)


async def test_so_does_a_main_password_with_a_code(house):
    house.with_ports(policy=Policy(password_with_code=True))
    person = await house.person()
    await accounts.add_alias(house.ports, OPERATOR, person.account.id, ALIAS)
    typed = PASSWORD + house.code(person.seed)
    assert await check(house.ports, kept(ALIAS, typed)) == Refused(Reason.WRONG_SECRET)
    assert isinstance(await check(house.ports, kept("alice", typed)), Allowed)
