"""The pages of API tokens: made for oneself or a shared account, shown once, listed, revoked."""

import html
import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from tests.browser.portal_client import PortalClient
from tests.verbs.site import House, Person

from valetkey.core.errors import NotAllowed
from valetkey.core.network import NamedNetworks
from valetkey.core.role import CONSOLE_ACTIONS, OWN_ACTIONS, TOKEN_ACTIONS, Action
from valetkey.doors.web.token_words import GROUPS, groups_for, labels
from valetkey.service import api_tokens

SECRET = re.compile(r"vkt_[a-z2-9]{40}")
HERE = ip_address("198.51.100.7")


async def form(visitor: PortalClient, account: str = "", **changes: Any) -> dict[str, Any]:
    await visitor.get(f"/account/tokens/new{account}")
    fields = {
        "account": visitor.hidden("account"),
        "once": visitor.hidden("once"),
        "name": "Monitoring",
        "actions": visitor.ticked("actions"),
        "expires": "30",
        "rule": "anywhere",
    }
    return {**fields, **changes}


def errors_of(page: str) -> str:
    found = re.search(r'<div class="problems".*?</div>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html.unescape(found[0])).split()) if found else ""


async def test_a_token_is_made_shown_once_and_works(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    made = await visitor.post("/account/tokens/new", await form(visitor))
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    (secret,) = set(SECRET.findall(made.text))
    actor = await api_tokens.authenticate(house.ports, secret, HERE)
    assert actor.account_id == alice.account.id
    page = (await visitor.get("/account/tokens")).text
    assert "Monitoring" in page
    assert not SECRET.search(page)
    (token,) = await api_tokens.of_account(house.ports, alice.actor, alice.account.id)
    assert token.actions == {Action.OWN_READ}  # what the form ticks by itself
    assert token.expires_at == house.clock.now() + timedelta(days=30)


async def test_the_form_takes_networks_and_a_last_day(visitor: PortalClient, house: House, alice: Person) -> None:
    house.with_ports(networks=NamedNetworks({"office": (ip_network("203.0.113.0/24"),)}))
    chosen: dict[str, Any] = {
        "rule": "allowed",
        "named": ["office"],
        "networks": "192.0.2.7\n192.0.2.7",
        "actions": ["own:make"],
    }
    await visitor.sign_in(house, alice)
    day = (house.clock.now() + timedelta(days=9)).date()
    fields = await form(visitor, expires="date", expires_on=day.isoformat(), **chosen)
    assert SECRET.search((await visitor.post("/account/tokens/new", fields)).text)
    (token,) = await api_tokens.of_account(house.ports, alice.actor, alice.account.id)
    assert token.allowed_ips == ("office", "192.0.2.7/32")
    assert token.expires_at.date() == day
    assert token.actions == {Action.OWN_MAKE}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "Give it a name"),
        ({"actions": []}, "Tick at least one thing"),
        ({"actions": ["everything"]}, "Tick at least one thing"),
        ({"actions": ["audit:read"]}, "A token cannot do more than you may."),
        ({"actions": ["proposals:countersign"]}, "A token cannot do more than you may."),
        ({"expires": "never"}, "Choose when it ends"),
        ({"expires": "400"}, "within a year"),
        ({"expires": "date", "expires_on": "soon"}, "Write the date as"),
        ({"expires": "date", "expires_on": "2020-01-01"}, "in the future"),
        ({"rule": "allowed"}, "Name at least one address"),
        ({"rule": "allowed", "networks": "moon"}, "moon"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_made(
    visitor: PortalClient, house: House, alice: Person, wrong: dict[str, Any], said: str
) -> None:
    await visitor.sign_in(house, alice)
    answer = await visitor.post("/account/tokens/new", await form(visitor, **wrong))
    assert answer.status_code == 422
    assert said in errors_of(answer.text)
    assert not SECRET.search(answer.text)
    assert await api_tokens.of_account(house.ports, alice.actor, alice.account.id) == ()


async def test_the_form_offers_what_the_role_permits(visitor: PortalClient, admin: Person) -> None:
    page = (await visitor.get("/account/tokens/new")).text
    offered = set(re.findall(r'name="actions" value="([^"]+)"', page))
    assert offered == TOKEN_ACTIONS
    assert "roles:set" not in offered
    assert admin.account.address in page


async def test_a_shared_account_has_tokens_of_its_own(visitor: PortalClient, house: House, alice: Person) -> None:
    shared = await house.shared(owner=alice)
    await visitor.sign_in(house, alice)
    query = f"?account={shared.id}"
    fields = await form(visitor, query)
    assert fields["account"] == shared.id
    secret = SECRET.findall((await visitor.post("/account/tokens/new", fields)).text)[0]
    assert (await api_tokens.authenticate(house.ports, secret, HERE)).account_id == shared.id
    assert "Monitoring" not in (await visitor.get("/account/tokens")).text
    assert "Monitoring" in (await visitor.get(f"/account/tokens{query}")).text
    (token,) = await api_tokens.of_account(house.ports, alice.actor, shared.id)
    await visitor.get(f"/account/tokens/{token.id}/revoke")
    gone = await visitor.post(f"/account/tokens/{token.id}/revoke", {})
    assert gone.headers["location"] == f"/account/tokens{query}"


async def test_a_revoked_token_works_no_more(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    secret = SECRET.findall((await visitor.post("/account/tokens/new", await form(visitor))).text)[0]
    (token,) = await api_tokens.of_account(house.ports, alice.actor, alice.account.id)
    assert "It was never used." in (await visitor.get(f"/account/tokens/{token.id}/revoke")).text
    assert (await visitor.post(f"/account/tokens/{token.id}/revoke", {})).status_code == 303
    with pytest.raises(NotAllowed):
        await api_tokens.authenticate(house.ports, secret, HERE)
    page = (await visitor.get("/account/tokens")).text
    assert "The API token is revoked." in page
    assert "Revoked and expired (1)" in page


async def test_tokens_of_others_are_not_there(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    made = await api_tokens.make(
        house.ports,
        alice.actor,
        alice.account.id,
        name="Alice’s",
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now() + timedelta(days=5),
    )
    assert admin.account.id != alice.account.id
    path = f"/account/tokens/{made.token.id}/revoke"
    assert (await visitor.get(path)).status_code == 404
    await visitor.get("/account")
    assert (await visitor.post(path, {})).status_code == 404
    assert (await visitor.get(f"/account/tokens?account={alice.account.id}")).status_code == 404
    fields = await form(visitor, account="")
    assert (await visitor.post("/account/tokens/new", {**fields, "account": alice.account.id})).status_code == 404


async def test_the_same_form_makes_one_token(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = {**await form(visitor), "csrf": visitor.hidden("csrf")}
    assert (await visitor.post("/account/tokens/new", fields)).status_code == 200
    assert (await visitor.post("/account/tokens/new", fields)).status_code == 409
    assert len(await api_tokens.of_account(house.ports, alice.actor, alice.account.id)) == 1


async def test_an_old_proof_is_given_again_in_the_form(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    fields = {**await form(visitor), "csrf": visitor.hidden("csrf")}
    house.clock.move(minutes=6)
    assert (await visitor.get("/account/tokens/new")).headers["location"].startswith("/prove")
    asked = await visitor.post("/account/tokens/new", fields)
    assert asked.status_code == 422
    assert "Some minutes have passed" in asked.text
    house.clock.move(seconds=30)
    proof = {"prove_password": alice.password, "prove_code": house.code(alice.seed)}
    again = {**fields, "once": visitor.hidden("once"), "csrf": visitor.hidden("csrf"), **proof}
    assert SECRET.search((await visitor.post("/account/tokens/new", again)).text)


def test_every_action_of_tokens_has_words_once() -> None:
    named = [action for group in GROUPS for action, _, _ in group.actions]
    assert sorted(named) == sorted(TOKEN_ACTIONS)
    assert len(set(labels(TOKEN_ACTIONS))) == len(named)
    assert labels(frozenset(Action) - TOKEN_ACTIONS) == ()


def test_groups_show_what_may_be_given() -> None:
    assert {action for group in groups_for(OWN_ACTIONS) for action, _, _ in group.actions} == OWN_ACTIONS
    assert len(groups_for(OWN_ACTIONS)) == 1
    assert len(groups_for(CONSOLE_ACTIONS)) == len(GROUPS) - 1
