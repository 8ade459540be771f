"""Role × action, generated from the console's own routes and tried cell by cell."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from tests.browser.portal_client import BROWSER, PortalClient, portal_of
from tests.verbs.site import HOME, House, Person

from valetkey.core.role import PERMITS, Action, Role
from valetkey.core.scope import MailProtocol
from valetkey.doors.web.console import routes
from valetkey.doors.web.console.gate import ConsoleGate
from valetkey.service import accounts, api_tokens, proposals
from valetkey.service.ports import OPERATOR, LiveSession
from valetkey.service.store_parts import Recovery, RecoveryState

CELLS: list[tuple[str, str, Action]] = []  # method, path, action


def action_of(route: APIRoute) -> Action | None:
    """Read which action the gate of a route asks for."""
    gates = [each.call for each in route.dependant.dependencies if isinstance(each.call, ConsoleGate)]
    return gates[0].action if len(gates) == 1 else None


def console_routes() -> list[APIRoute]:
    return [route for router in routes.ROUTERS for route in router.routes if isinstance(route, APIRoute)]


for _route in console_routes():
    _action = action_of(_route)
    if _action is not None:
        CELLS += [(_method, _route.path, _action) for _method in sorted(_route.methods - {"HEAD"})]


@dataclass
class Targets:
    """What the paths are filled with: things that are there, so that only the gate can say no."""

    account: Person
    credential_id: str
    proposal_id: str
    token_id: str

    def path(self, template: str) -> str:
        return template.format(
            account_id=self.account.account.id,
            credential_id=self.credential_id,
            session_id="s1",
            number="1",
            proposal_id=self.proposal_id,
            token_id=self.token_id,
        )


@pytest.fixture
async def targets(house: House) -> Targets:
    bob = await house.person("bob@example.org")
    chief = await house.person("chief@example.org", role=Role.ADMIN)
    await house.person("second@example.org", role=Role.ADMIN)
    issued = await house.issue(bob)
    bob_acts = house.acting(bob.account)
    made = await api_tokens.make(
        house.ports,
        bob_acts,
        bob.account.id,
        name="Script",
        actions=frozenset({Action.OWN_READ}),
        expires_at=house.clock.now().replace(month=6),
    )
    proposal = await proposals.propose_reset(house.ports, house.acting(chief.account), bob.account.id, "Lost")
    at = house.clock.now()
    recovery = Recovery("rc_1", bob.account.id, RecoveryState.WAITING, at, HOME, at, at, at)
    await house.store.write(lambda writer: writer.add_recovery(recovery))
    house.live.sessions = [
        LiveSession("s1", bob.account.id, issued.app_password.id, MailProtocol.IMAP, HOME, "x", house.clock.now(), "1")
    ]
    return Targets(bob, issued.app_password.id, proposal.id, made.token.id)


SignIn = Callable[[House, FastAPI], Awaitable[PortalClient]]


async def nobody(_house: House, portal: FastAPI) -> PortalClient:
    return PortalClient(portal)


async def half(house: House, portal: FastAPI) -> PortalClient:
    person = await house.person("half@example.org", role=Role.ADMIN)
    browser = PortalClient(portal)
    await browser.give_password(person)
    await browser.get("/sign-in/code")
    return browser


async def without_factor(house: House, portal: FastAPI) -> PortalClient:
    person = await house.person("new@example.org", role=Role.ADMIN, two_factor=False)
    browser = PortalClient(portal)
    await browser.give_password(person)
    await browser.get("/set-up")
    return browser


async def disabled(house: House, portal: FastAPI) -> PortalClient:
    person = await house.person("off@example.org", role=Role.ADMIN)
    browser = PortalClient(portal)
    await browser.sign_in(house, person)
    await browser.get("/account")
    await accounts.disable(house.ports, OPERATOR, person.account.id)
    return browser


def with_role(role: Role | None) -> SignIn:
    async def sign_in(house: House, portal: FastAPI) -> PortalClient:
        person = await house.person("who@example.org", role=role)
        browser = PortalClient(portal)
        await browser.sign_in(house, person)
        await browser.get("/account")
        return browser

    return sign_in


async def answer(browser: PortalClient, method: str, path: str) -> tuple[int, str, str]:
    token = browser.hidden("csrf") if browser.page is not None else ""
    if method == "GET":
        response = await browser.http.get(path)
    else:
        response = await browser.http.post(path, data={"csrf": token}, headers=BROWSER)
    return response.status_code, response.headers.get("location", ""), response.text


def is_refused_by_the_gate(status: int, text: str) -> bool:
    return status == 403 and "Your role in the console does not permit this." in text


def test_every_route_of_the_console_names_its_action(house: House) -> None:
    for route in console_routes():
        assert action_of(route) is not None, f"{route.path} has no gate with an action"
        assert route.path == "/console" or route.path.startswith("/console/"), route.path
    assert len(CELLS) > 50


def test_no_route_of_the_console_stands_elsewhere(house: House) -> None:
    """What is included in the portal under /console is all in the matrix."""
    known = {(method, path) for method, path, _ in CELLS}
    portal = portal_of(house)
    found = set()

    def walk(entries: object) -> None:
        for route in entries:  # type: ignore[attr-defined]
            if isinstance(route, APIRoute):
                if route.path.startswith("/console"):
                    found.update((method, route.path) for method in route.methods - {"HEAD"})
            else:
                walk(getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", ()))

    walk(portal.routes)
    assert found == known


def test_what_changes_something_needs_more_than_seeing() -> None:
    """A form may stand behind an action that only sees if it changes nothing, or decides by itself whose it is."""
    seeing = {path for method, path, action in CELLS if method == "POST" and action.value.endswith(":read")}
    assert seeing == {"/console/audit/verify", "/console/proposals/{proposal_id}/withdraw"}


@pytest.mark.parametrize("role", [*Role, None], ids=lambda role: role or "no-role")
async def test_a_role_opens_what_it_permits_and_nothing_else(
    house: House, portal: FastAPI, targets: Targets, role: Role | None
) -> None:
    browser = await with_role(role)(house, portal)
    wrong = []
    for method, path, action in CELLS:
        status, location, text = await answer(browser, method, targets.path(path))
        if role is None:
            is_right = status == 404
        elif action in PERMITS[role]:
            is_right = status in {200, 303, 400, 409, 422} and location not in {"/", "/sign-in", "/set-up"}
        else:
            is_right = is_refused_by_the_gate(status, text)
        if not is_right:
            wrong.append((method, path, action.value, status, location))
    assert wrong == []


@pytest.mark.parametrize(
    ("sign_in", "leads_to"),
    [(nobody, "/sign-in"), (half, "/sign-in/code"), (without_factor, "/set-up"), (disabled, "/sign-in")],
    ids=["nobody", "half", "without-second-factor", "disabled"],
)
async def test_who_is_not_signed_in_completely_sees_nothing(
    house: House, portal: FastAPI, targets: Targets, sign_in: SignIn, leads_to: str
) -> None:
    browser = await sign_in(house, portal)
    number = house.store.change_number()
    wrong = []
    for method, path, _ in CELLS:
        status, location, text = await answer(browser, method, targets.path(path))
        is_kept_out = status == 403 or (status == 303 and re.sub(r"\?.*", "", location) == leads_to)
        if not is_kept_out or targets.account.account.address in text:
            wrong.append((method, path, status, location))
    assert wrong == []
    assert house.store.change_number() == number


async def test_a_role_that_is_taken_away_closes_the_console_at_the_next_click(
    house: House, portal: FastAPI, targets: Targets
) -> None:
    person = await house.person("who@example.org", role=Role.ADMIN)
    browser = PortalClient(portal)
    await browser.sign_in(house, person)
    assert (await browser.get("/console")).status_code == 200
    await accounts.set_role(house.ports, OPERATOR, person.account.id, Role.AUDITOR)
    assert (await browser.get("/console/accounts/new")).status_code == 403
    await accounts.set_role(house.ports, OPERATOR, person.account.id, None)
    assert (await browser.get("/console")).status_code == 404
