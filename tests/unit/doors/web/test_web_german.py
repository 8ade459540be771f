"""The pages in German: what a visitor whose browser asks for it sees."""

import re

import pytest
from tests.browser.portal_client import PortalClient
from tests.verbs.site import House, Person


@pytest.fixture
def visitor(visitor: PortalClient) -> PortalClient:
    visitor.http.headers["Accept-Language"] = "de-DE,de;q=0.9,en;q=0.5"
    return visitor


async def test_the_sign_in_and_its_errors(visitor: PortalClient) -> None:
    page = await visitor.get("/sign-in")
    assert '<html lang="de" dir="ltr">' in page.text
    assert "Hauptpasswort" in page.text
    refused = await visitor.post("/sign-in", {"name": "nobody@example.org", "password": "wrong", "next": "/"})
    assert "Die Adresse oder das Passwort stimmt nicht." in refused.text


async def test_an_app_password_from_first_to_last(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    assert "Noch keine App-Passwörter" in (await visitor.get("/")).text
    fields = await visitor.new_form("scanner", description="", rule="allowed", networks="nonsense", expires="30")
    wrong = (await visitor.post("/app-passwords/new", fields)).text
    assert "Geben Sie ihm einen Namen, den Sie wiedererkennen" in wrong
    assert "„nonsense“ ist weder Adresse noch Netz" in wrong
    assert "30 Tage (bis " in wrong
    made = await visitor.post("/app-passwords/new", await visitor.new_form("scanner", description="Büro"))
    assert "Es kann Mail senden. Es kann nicht Mail lesen, " in made.text
    (one,) = set(re.findall(r'href="(/app-passwords/ap_[a-z0-9]+)"', made.text))
    assert "gerade eben" in (await visitor.get(one)).text
    activity = (await visitor.get("/activity")).text
    assert "App-Passwort „Büro“ erstellt" in activity
    assert "durch Sie" in activity


async def test_errors_without_a_visit(visitor: PortalClient) -> None:
    page = await visitor.get("/no-such")
    assert "Diese Seite gibt es nicht" in page.text
    assert '<html lang="de"' in page.text
