"""App passwords through the API, end to end: a real store, a real token, every answer in its declared form."""

from tests.verbs.api_client import ApiClient
from tests.verbs.site import House, Person, attempt

from valetkey.core.login import Allowed
from valetkey.core.role import Action
from valetkey.core.scope import MailProtocol
from valetkey.service import login


async def test_a_token_makes_an_app_password_that_opens_mail(house: House, alice: Person, api: ApiClient) -> None:
    await api.as_person(alice, Action.OWN_MAKE, Action.OWN_READ)
    made = await api.post("/accounts/me/app-passwords", {"description": "Scanner", "ready_made": "send-only"})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    verdict = await login.check(house.ports, attempt("alice@example.org", secret, protocol=MailProtocol.SMTP))
    assert isinstance(verdict, Allowed)
    listed = await api.get("/accounts/me/app-passwords")
    assert [each["description"] for each in listed.json()["items"]] == ["Scanner"]
    assert secret not in listed.text
