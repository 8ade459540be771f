"""What is asked before a sign-in is answered alike for an account that is there and one that is not."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.browser.portal_client import PortalClient, portal_of
from tests.verbs.site import OPERATOR, House

from valetkey.service import accounts, invitations

KNOWN, UNKNOWN = "karla@example.org", "nobdy@example.org"  # equally long
OTHERS = ("greta@example.org", "hedwig@example.org", "ignaz@example.org")  # disabled, shared, invited


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.person(KNOWN)
    gone = await made.person(OTHERS[0])
    await accounts.disable(made.ports, OPERATOR, gone.account.id)
    await made.shared(OTHERS[1])
    await accounts.create(made.ports, OPERATOR, OTHERS[2])
    yield made
    made.close()


@pytest.fixture
def portal(house: House) -> FastAPI:
    return portal_of(house)


def shape(response: httpx.Response, address: str) -> tuple[Any, ...]:
    """Give all of an answer that somebody could tell accounts apart by; what is drawn at random is left out."""
    text = response.text.replace(address.partition("@")[0], "NAME")
    text = re.sub(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "MADE OF THE NAME", text)
    text = re.sub(r'(name="(?:csrf|sealed)" value|data-options|value)="[^"]*"', r"\1", text)
    drawn = {"set-cookie", "content-length"}
    headers = sorted((name, value) for name, value in response.headers.items() if name not in drawn)
    cookies = sorted(each.partition("=")[0] for each in response.headers.get_list("set-cookie"))
    return response.status_code, headers, cookies, text


@pytest.mark.parametrize("path", ["/sign-in", "/recover/password"])
async def test_a_wrong_password_says_nothing_of_the_account(portal: FastAPI, path: str) -> None:
    shapes = {}
    for address in (KNOWN, UNKNOWN, *OTHERS):
        visitor = PortalClient(portal)
        await visitor.get("/sign-in" if path == "/sign-in" else "/recover")
        answered = await visitor.post(path, {"name": address, "password": "wrong", "next": "/"})
        shapes[address] = shape(answered, address)
    assert shapes[KNOWN][0] in {200, 422}
    for address in (UNKNOWN, *OTHERS):
        assert shapes[address] == shapes[KNOWN], address


async def test_it_costs_as_much_to_ask_for_nobody(house: House) -> None:
    store, hasher = house.count_calls()
    costs = []
    for address in (KNOWN, UNKNOWN, *OTHERS):
        visitor = PortalClient(portal_of(house))
        await visitor.get("/sign-in")
        store.clear()
        hasher.clear()
        await visitor.post("/sign-in", {"name": address, "password": "wrong", "next": "/"})
        costs.append((dict(store), dict(hasher)))
    assert costs[0][1]
    assert all(each == costs[0] for each in costs)


async def test_one_time_links_that_were_never_made_look_like_those_that_are_over(house: House, portal: FastAPI) -> None:
    invited = await accounts.find(house.ports, OPERATOR, OTHERS[2])
    token = (await invitations.invite(house.ports, OPERATOR, invited.id)).token
    house.clock.move(hours=100)
    for area, page in (
        ("/welcome", "/welcome"),
        ("/recover/link", "/recover"),
        ("/recover/call-off", "/recover/call-off"),
    ):
        found = []
        for shown in (token, "A" * len(token)):
            visitor = PortalClient(portal)
            opened = await visitor.get(f"{area}/{shown}")
            assert opened.status_code == 303
            found.append((shape(opened, shown), shape(await visitor.get(page), shown)))
        assert found[0] == found[1], area


async def test_passkeys_are_asked_for_alike(portal: FastAPI) -> None:
    found = []
    for address in (KNOWN, UNKNOWN):
        visitor = PortalClient(portal)
        await visitor.get("/sign-in")
        fields = {"name": address, "next": "/", "answer": "{}", "sealed": visitor.hidden("sealed")}
        found.append(shape(await visitor.post("/sign-in/passkey", fields), address))
    assert found[0] == found[1]


async def test_mail_programs_learn_nothing(house: House) -> None:
    store, _ = house.count_calls()
    program = PortalClient(portal_of(house))
    for path in (
        "/mail/config-v1.1.xml?emailaddress={}", "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={}",
        "/autodiscover/autodiscover.json/v1.0/{}?Protocol=AutodiscoverV1", "/autodiscover/autodiscover.json?Email={}",
        "/mail/apple.mobileconfig?address={}",
    ):  # fmt: skip
        shapes = [shape(await program.get(path.format(address)), address) for address in (KNOWN, UNKNOWN)]
        assert shapes[0] == shapes[1], path
    assert not store
