"""What a thief of a cookie, or another site, tries against the portal."""

import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.verbs.site import House, Person

from valetkey.core.second_factor import code_at, step_of
from valetkey.service import second_factors

SESSION = "__Host-valetkey"


async def test_a_cookie_from_before_the_first_second_factor_is_worth_nothing_after_it(
    house: House, portal: FastAPI, visitor: PortalClient
) -> None:
    bob = await house.person("bob@example.org", two_factor=False)
    await visitor.give_password(bob)
    copied = visitor.http.cookies[SESSION]
    await visitor.get("/set-up")
    sealed = visitor.hidden("sealed")
    seed, _ = second_factors._open_offer(house.ports, bob.actor, sealed)
    fields = {"sealed": sealed, "name": "Phone", "code": code_at(seed, step_of(house.clock.now()))}
    done = await visitor.post("/set-up", fields)
    assert done.status_code == 200
    assert visitor.http.cookies[SESSION] != copied
    assert (await visitor.get("/app-passwords/new")).status_code == 200
    thief = PortalClient(portal)
    thief.http.cookies.set(SESSION, copied)
    assert (await thief.get("/account")).headers["location"] == "/sign-in?next=/account"
    await thief.http.aclose()


@pytest.mark.parametrize("carried", ["[" * 20_000, "9" * 5000, "[]", '{"a": "1"}', '{"a": [1]}', '{"a": {"b": []}}'])
@pytest.mark.parametrize("what", ["policy", "networks"])
async def test_bent_rules_are_answered_plainly(
    admin: Person, house: House, visitor: PortalClient, what: str, carried: str
) -> None:
    before = house.ports.rules.current()
    await visitor.get(f"/console/{what}")
    answer = await visitor.post(f"/console/{what}/save", {"was": "{}", "wanted": carried, "reason": "x"})
    assert answer.status_code in {400, 422}, answer.text
    assert house.ports.rules.current() == before
