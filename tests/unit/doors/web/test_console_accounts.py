"""The accounts in the console, by an administrator's browser without a window."""

import re
from datetime import timedelta

from fastapi import FastAPI
from tests.browser.portal_client import PortalClient
from tests.verbs.site import HOME, House, Person

from valetkey.core.account import AccountState
from valetkey.core.role import Role
from valetkey.core.scope import MailProtocol
from valetkey.service import accounts, sign_in
from valetkey.service.ports import OPERATOR, LiveSession
from valetkey.service.store_parts import Recovery, RecoveryState


async def test_only_who_has_a_role_sees_that_there_is_a_console(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    assert 'href="/console"' in (await visitor.get("/account")).text
    other = PortalClient(portal)
    await other.sign_in(house, alice)
    assert "/console" not in (await other.get("/account")).text
    found = await other.get("/console/accounts")
    assert found.status_code == 404
    assert "There is no such page" in found.text


async def test_accounts_are_found_by_what_they_are(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    await house.person("bob@example.com", two_factor=False)
    await house.shared("scanner@example.org", alice)

    async def shown(query: str) -> list[str]:
        page = await visitor.get(f"/console/accounts?{query}")
        assert page.status_code == 200
        return re.findall(r"<bdi>([^<]+@[^<]+)</bdi>", page.text)

    assert await shown("") == ["ada@example.org", "alice@example.org", "bob@example.com", "scanner@example.org"]
    assert await shown("q=bob") == ["bob@example.com"]
    assert await shown("kind=shared") == ["scanner@example.org"]
    assert await shown("role=admin") == ["ada@example.org"]
    assert await shown("factor=without") == ["bob@example.com"]
    assert await shown("domain=example.com") == ["bob@example.com"]
    assert await shown("state=disabled") == []
    assert await shown("kind=nonsense&role=x&factor=y&state=z") == await shown("")


async def test_a_long_list_goes_on(visitor: PortalClient, house: House, admin: Person) -> None:
    for number in range(35):
        await accounts.create(house.ports, OPERATOR, f"p{number:02}@example.org")
    page = await visitor.get("/console/accounts?domain=example.org")
    onward = re.search(r'href="([^"]+after=[^"]+)"', page.text)
    assert onward is not None
    assert "p28@example.org" in page.text
    assert "p29@example.org" not in page.text
    rest = await visitor.get(onward.group(1).replace("&amp;", "&"))
    assert "p29@example.org" in rest.text
    assert "p34@example.org" in rest.text
    assert "p28@example.org" not in rest.text
    assert "after=" not in rest.text


async def test_an_account_is_made_and_its_person_invited(visitor: PortalClient, house: House, admin: Person) -> None:
    await visitor.get("/console/accounts/new")
    made = await visitor.post(
        "/console/accounts/new", {"address": "Carol@Example.org", "kind": "person", "role": "", "invite": "1"}
    )
    assert made.status_code == 200
    found = re.search(r"https://portal\.example\.org/welcome/([\w-]+)", made.text)
    assert found is not None
    account = await accounts.find(house.ports, OPERATOR, "carol@example.org")
    assert account.role is None
    details = await accounts.details(house.ports, OPERATOR, account.id)
    assert not details.has_main_password


async def test_an_address_that_is_none_is_said_beside_its_field(visitor: PortalClient, admin: Person) -> None:
    await visitor.get("/console/accounts/new")
    refused = await visitor.post("/console/accounts/new", {"address": "no address@", "kind": "person"})
    assert refused.status_code == 422
    assert 'id="address-wrong"' in refused.text
    assert 'value="no address@"' in refused.text
    again = await visitor.post("/console/accounts/new", {"address": admin.account.address, "kind": "person"})
    assert again.status_code == 422
    assert "taken" in again.text or "exists" in again.text


async def test_making_an_account_asks_for_a_proof_in_the_form(
    visitor: PortalClient, house: House, admin: Person
) -> None:
    await visitor.get("/console/accounts/new")
    house.clock.move(minutes=6)
    asked = await visitor.post("/console/accounts/new", {"address": "dora@example.org", "kind": "person"})
    assert asked.status_code == 422
    assert "prove_password" in asked.text
    assert 'value="dora@example.org"' in asked.text
    made = await visitor.post(
        "/console/accounts/new",
        {
            "address": "dora@example.org",
            "kind": "person",
            "prove_password": admin.password,
            "prove_code": house.code(admin.seed),
        },
    )
    assert made.status_code == 303
    assert (await visitor.get(made.headers["location"])).status_code == 200


async def test_the_page_of_an_account_shows_what_protects_it_and_no_secret(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    issued = await house.issue(alice, "<script>alert(1)</script>")
    house.live.sessions = [
        LiveSession("s1", alice.account.id, issued.app_password.id, MailProtocol.IMAP, HOME, '"><img src=x onerror=alert(1)>', house.clock.now(), "1")
    ]  # fmt: skip
    page = await visitor.get(f"/console/accounts/{alice.account.id}")
    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert "1 connection open" in page.text
    assert "Authenticator app" in page.text
    for secret in (issued.secret.text, issued.secret.shown, alice.password, *alice.recovery_codes):
        assert secret not in page.text
    assert "/app-passwords/new" not in page.text.split('<main id="main"')[1]


async def test_disabling_says_in_numbers_what_stops_and_closes_it(
    portal: FastAPI, visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    issued = await house.issue(alice)
    house.live.sessions = [
        LiveSession(f"s{n}", alice.account.id, issued.app_password.id, MailProtocol.IMAP, HOME, "x", house.clock.now(), "1")
        for n in range(2)
    ]  # fmt: skip
    house.live.fails = lambda session: session.account_id == alice.account.id
    where = f"/console/accounts/{alice.account.id}"
    asked = await visitor.get(f"{where}/disable")
    assert "1 app password will stop working." in asked.text
    assert "2 open connections will be closed." in asked.text
    house.clock.move(minutes=30)  # no proof is asked for: it shall be quickly done
    done = await visitor.post(f"{where}/disable", {})
    assert done.headers["location"] == where
    assert "2 connections closed" in (await visitor.get(where)).text
    assert (await accounts.find(house.ports, OPERATOR, alice.account.id)).state is AccountState.DISABLED
    await visitor.get(f"{where}/disable")
    proof = await visitor.post(f"{where}/disable", {"enable": "1"})
    assert proof.status_code == 422
    assert "prove_password" in proof.text


async def test_names_owners_and_rights_are_changed(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    shared = await house.shared("scanner@example.org")
    where = f"/console/accounts/{shared.id}/change"

    async def change(what: str, **fields: object) -> int:
        await visitor.get(where)
        return (await visitor.post(f"{where}/{what}", fields)).status_code

    assert await change("add-alias", address="printer@example.org") == 303
    assert await change("add-alias", address="printer@example.org") == 422
    assert await change("add-owner", owner="alice@example.org") == 303
    assert await change("add-owner", owner="nobody@example.org") == 422
    assert await change("rights", rights=["send"]) == 303
    details = await accounts.details(house.ports, OPERATOR, shared.id)
    assert details.aliases == ("printer@example.org",)
    assert [owner.id for owner in details.owners] == [alice.account.id]
    assert details.account.rights == {"send"}
    assert await change("remove-alias", alias="printer@example.org") == 303
    assert await change("remove-owner", owner=alice.account.id) == 303
    details = await accounts.details(house.ports, OPERATOR, shared.id)
    assert (details.aliases, details.owners) == ((), ())
    house.clock.move(minutes=6)
    page = await visitor.get(where)
    assert page.headers["location"] == f"/prove?next={where}"


async def test_a_role_is_given_and_taken(visitor: PortalClient, house: House, alice: Person, admin: Person) -> None:
    where = f"/console/accounts/{alice.account.id}/role"
    await visitor.get(where)
    assert (await visitor.post(where, {"role": "helpdesk"})).status_code == 303
    assert (await accounts.find(house.ports, OPERATOR, alice.account.id)).role is Role.HELPDESK
    await visitor.get(where)
    assert (await visitor.post(where, {"role": "emperor"})).status_code == 422
    assert (await visitor.post(where, {"role": ""})).status_code == 303
    assert (await accounts.find(house.ports, OPERATOR, alice.account.id)).role is None
    own = f"/console/accounts/{admin.account.id}/role"
    await visitor.get(own)
    refused = await visitor.post(own, {"role": ""})
    assert refused.status_code == 422
    assert "your own role" in refused.text


async def test_what_takes_two_administrators_is_proposed(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    await house.person("second@example.org", role=Role.ADMIN)
    for what in ("reset-second-factors", "invite"):
        where = f"/console/accounts/{alice.account.id}/{what}"
        page = await visitor.get(where)
        assert "two administrators" in page.text
        assert (await visitor.post(where, {"reason": " "})).status_code == 422
        sent = await visitor.post(where, {"reason": "Lost the phone; called back"})
        assert sent.status_code == 303
        assert sent.headers["location"].startswith("/console/proposals/pr_")
    assert (await accounts.find(house.ports, OPERATOR, alice.account.id)).has_second_factor
    assert (await sign_in.start(house.ports, alice.account.address, alice.password, address=HOME, client="x")).token


async def test_all_app_passwords_of_somebody_are_revoked(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    for name in ("Phone", "Tablet"):
        await house.issue(alice, name)
    where = f"/console/accounts/{alice.account.id}/revoke-all"
    assert "2 app passwords will stop working." in (await visitor.get(where)).text
    await visitor.post(where, {})
    page = await visitor.get(f"/console/accounts/{alice.account.id}")
    assert "2 app passwords are revoked" in page.text
    assert "None that works." in page.text


async def test_a_recovery_is_seen_and_called_off(
    visitor: PortalClient, house: House, alice: Person, admin: Person
) -> None:
    at = house.clock.now()
    opens = at + timedelta(minutes=9)
    recovery = Recovery(
        "rc_1", alice.account.id, RecoveryState.WAITING, at, "203.0.113.9", opens, opens + timedelta(days=7), at
    )
    await house.store.write(lambda writer: writer.add_recovery(recovery))
    assert "/console/recoveries" in (await visitor.get("/console")).text
    listed = await visitor.get("/console/recoveries")
    assert "203.0.113.9" in listed.text
    assert "Waiting time runs" in listed.text
    page = f"/console/accounts/{alice.account.id}"
    assert "A recovery of this account is under way" in (await visitor.get(page)).text
    house.clock.move(minutes=10)
    assert "Can be finished now" in (await visitor.get("/console/recoveries")).text
    asked = await visitor.get(f"{page}/recovery")
    assert "The waiting time is over" in asked.text
    assert (await visitor.post(f"{page}/recovery", {})).headers["location"] == page
    assert await house.store.read(lambda reader: reader.open_recovery(alice.account.id)) is None
    assert "called off" in (await visitor.get(page)).text
    assert (await visitor.get(f"{page}/recovery")).status_code == 404
    told = await house.store.read(lambda reader: reader.due_notices(house.clock.now()))
    assert [one.kind for one in told if one.recipient == alice.account.address][-1] == "recovery-cancelled"
