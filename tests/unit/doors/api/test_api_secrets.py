"""No answer ever holds a secret, but the one that made it."""

import base64
import re

from tests.verbs.api_client import ApiClient, token_for
from tests.verbs.site import HOME, House, Person

from valetkey.core.scope import MailProtocol
from valetkey.doors.api.operations import OPERATIONS
from valetkey.service import rotation
from valetkey.service.ports import LiveSession


async def test_no_answer_holds_a_secret(house: House, alice: Person, ada: Person, api: ApiClient) -> None:
    """Ask everything that only reads, as whoever sees most, after making every kind of secret."""
    issued = await house.issue(ada)
    rotated = await rotation.rotate(house.ports, house.acting(ada.account), issued.app_password.id)
    token = await token_for(house, ada)
    mine = await api.as_person(ada)
    link = (await api.post(f"/accounts/{(await new(api))}/invitation")).json()["link"]
    made = await api.post("/accounts/me/app-passwords", {"description": "x", "ready_made": "send-only"})
    secrets = [
        issued.secret.text,
        rotated.secret.text,
        token.secret,
        mine.secret,
        link.rpartition("/")[2],
        made.json()["secret"].replace("-", ""),
        ada.password,
        base64.b32encode(ada.seed or b"").decode(),
        *ada.recovery_codes,
        "$argon2",
    ]
    assert all(secrets)
    now = house.clock.now()
    house.live.sessions = [LiveSession("s1", ada.account.id, None, MailProtocol.IMAP, HOME, "x", now, "1")]
    found = {"account_id": "me", "app_password_id": issued.app_password.id, "number": "1"}
    asked = 0
    for operation in OPERATIONS:
        named = re.findall(r"{(\w+)}", operation.path)
        if operation.method != "GET" or not set(named) <= found.keys():
            continue
        answer = await api.get(operation.path.format(**found))
        assert answer.status_code == 200, (operation.id, answer.text)
        plain = answer.text.replace("-", "")
        assert [each for each in secrets if each.replace("-", "") in plain] == [], operation.id
        asked += 1
    assert asked > 20


async def new(api: ApiClient) -> str:
    answer = await api.post("/accounts", {"address": "new@example.org"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_an_invitation_is_shown_once(house: House, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    account_id = await new(api)
    made = await api.post(f"/accounts/{account_id}/invitation", idempotency_key="k")
    again = await api.post(f"/accounts/{account_id}/invitation", idempotency_key="k")
    assert made.json()["link"].startswith("https://portal.example.org/welcome/")
    assert again.json() == {**made.json(), "link": None, "replayed": True}


async def test_nobody_makes_one_for_another_person(house: House, alice: Person, ada: Person, api: ApiClient) -> None:
    await api.as_person(ada)
    wanted = {"description": "x", "ready_made": "send-only"}
    assert (await api.post(f"/accounts/{alice.account.id}/app-passwords", wanted)).status_code == 404
    theirs = (await house.issue(alice)).app_password.id
    assert (await api.post(f"/app-passwords/{theirs}/rotate", {})).status_code == 404
    renamed = await api.http.patch(f"/app-passwords/{theirs}", json={"description": "x"}, headers={"If-Match": "*"})
    assert renamed.status_code == 404
    assert (await api.post(f"/app-passwords/{theirs}/revoke", {"reason": "Lost"})).status_code == 200
