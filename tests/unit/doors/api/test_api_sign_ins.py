"""What is seen of one's own signing in to the portal: browsers, who came in and was turned away, the notice address."""

import pytest
from tests.verbs.api_client import ApiClient, token_for
from tests.verbs.outbox import Outbox
from tests.verbs.site import HOME, PASSWORD, House, Person

from valetkey.core.errors import Refused
from valetkey.core.role import OWN_ACTIONS, Action
from valetkey.service import notice_addresses, portal_sessions, sign_in

PATHS = ("/me/sessions", "/me/sign-ins", "/me/notice-address")


async def test_browsers_are_listed_without_what_opens_them(
    house: House, alice: Person, ada: Person, api: ApiClient
) -> None:
    await house.signed_in(ada)
    await api.as_person(alice)
    assert (await api.get("/me/sessions")).json() == {"items": [], "next": None}
    whole = await house.signed_in(alice)
    house.clock.move(seconds=30)
    half = await sign_in.start(house.ports, "alice", PASSWORD, address=HOME, client="Firefox")
    answer = await api.get("/me/sessions")
    newest, oldest = answer.json()["items"]
    assert [newest["is_complete"], oldest["is_complete"]] == [False, True]
    assert newest | {"is_complete": True} == {
        "id": portal_sessions.public_id(half.session),
        "client": "Firefox",
        "address": HOME,
        "created_at": newest["seen_at"],
        "seen_at": newest["seen_at"],
        "is_complete": True,
    }
    for started in (whole, half):
        for secret in (started.token, started.session.csrf, started.session.id_hash.hex()):
            assert secret not in answer.text
    first = (await api.get("/me/sessions", limit=1)).json()
    rest = (await api.get("/me/sessions", limit=1, cursor=first["next"])).json()
    assert [*first["items"], *rest["items"]] == [newest, oldest]
    house.clock.move(hours=2)
    assert (await api.get("/me/sessions")).json()["items"] == [], "they are over"


async def test_sign_ins_come_page_by_page_with_those_refused(
    house: House, alice: Person, ada: Person, api: ApiClient
) -> None:
    await house.signed_in(ada)
    for _ in range(2):
        started = await house.signed_in(alice)
        await portal_sessions.sign_out(house.ports, started.token)
    for _ in range(3):
        with pytest.raises(Refused):
            await sign_in.start(house.ports, "alice", "wrong", address=HOME, client="curl")
    await api.as_person(alice)
    first = (await api.get("/me/sign-ins", limit=3)).json()
    rest = (await api.get("/me/sign-ins", limit=3, cursor=first["next"])).json()
    assert [each["kind"] for each in first["items"]] == ["SignedOut", "SignedIn", "SignedOut"]
    assert [each["kind"] for each in rest["items"]] == ["SignedIn"]
    assert (rest["next"], rest["refused"]) == (None, [])
    assert [(each["network"], each["count"]) for each in first["refused"]] == [("198.51.100.0/24", 3)]
    assert {each["account_id"] for each in first["items"] + rest["items"]} == {alice.account.id}


async def test_the_notice_address_is_told_and_what_waits(house: House, alice: Person) -> None:
    house.with_ports(mailer=Outbox())
    api = ApiClient(house)
    await api.as_person(alice)
    nothing = {"address": None, "confirmed_at": None, "pending": None, "can_mail": True}
    assert (await api.get("/me/notice-address")).json() == nothing
    now = house.clock.now()
    await house.store.write(lambda writer: writer.set_notice_address(alice.account.id, "alice@elsewhere.example", now))
    await notice_addresses.ask_for(house.ports, house.acting(alice.account), "new@elsewhere.example")
    found = (await api.get("/me/notice-address")).json()
    assert found == {**nothing, "address": "alice@elsewhere.example", "pending": "new@elsewhere.example"} | {
        "confirmed_at": found["confirmed_at"]
    }
    assert found["confirmed_at"] == now.isoformat().replace("+00:00", "Z")
    await api.close()


async def test_they_take_the_action_to_read_and_cannot_be_changed(
    house: House, alice: Person, ada: Person, api: ApiClient
) -> None:
    await api.as_person(ada, *sorted((await token_for(house, ada)).token.actions - {Action.OWN_READ}))
    for path in PATHS:
        answer = await api.get(path)
        assert (answer.status_code, 'scope="own:read"' in answer.headers["www-authenticate"]) == (403, True), path
    await api.as_person(alice, *OWN_ACTIONS)
    for path in PATHS:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await api.http.request(method, path)).status_code == 405, (method, path)


async def test_a_shared_account_signs_in_nowhere(house: House, alice: Person, api: ApiClient) -> None:
    """And its token tells nothing about its owner."""
    shared = await house.shared(owner=alice)
    await house.signed_in(alice)
    await house.store.write(
        lambda writer: writer.set_notice_address(alice.account.id, "alice@elsewhere.example", house.clock.now())
    )
    await api.as_person(alice, Action.OWN_READ, account_id=shared.id)
    assert (await api.get("/me/sessions")).json()["items"] == []
    assert (await api.get("/me/sign-ins")).json() == {"items": [], "next": None, "refused": []}
    assert (await api.get("/me/notice-address")).json()["address"] is None
