"""The portal in German: the pages of a visitor whose browser asks for it, the mails, and what the records say."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from tests.browser.portal_client import PortalClient
from tests.verbs.german import english_in
from tests.verbs.site import House, Person

from valetkey.core import event as events
from valetkey.core.account import AccountKind
from valetkey.core.event import Event
from valetkey.core.event_sentences import describe
from valetkey.core.notice import FACTS, NoticeKind, notice_text
from valetkey.core.policy import Policy
from valetkey.core.proposal import ProposalKind, ProposalState
from valetkey.core.role import Role
from valetkey.core.scope import Permission
from valetkey.doors.web.catalogues import installed_catalogues
from valetkey.doors.web.language import language

THEN = datetime(2026, 3, 9, 22, 5, tzinfo=UTC)
GERMAN = language("de", installed_catalogues()["de"])
# What the fields of events can hold that is no name, address or number.
KEYS: dict[tuple[type, str], tuple[str, ...]] = {
    (events.AccountCreated, "kind"): tuple(AccountKind),
    (events.RightsSet, "rights"): tuple(Permission),
    (events.RoleSet, "role"): (*Role, ""),
    (events.SignedIn, "factor"): ("an authenticator code", "a recovery code", "a passkey", "main password and passkey"),
    (events.SignInRefused, "reason"): ("wrong", "paused", "disabled"),
    (events.AppPasswordRevoked, "reason"): ("Device lost or stolen", "No longer used", ""),
    (events.AppPasswordChanged, "fields"): ("description", "scope", "restrictions"),
    (events.ProposalMade, "kind"): tuple(ProposalKind),
    (events.ProposalDecided, "kind"): tuple(ProposalKind),
    (events.ProposalDecided, "state"): tuple(set(ProposalState) - {ProposalState.OPEN}),
    (events.PolicyChanged, "after"): tuple(field.name for field in dataclasses.fields(Policy)),
    (events.Exported, "what"): ("audit log", "everything"),
}


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


def held(of: Any, key: str) -> object:
    """Give a value of the type of a field, with a key in it."""
    values: dict[object, object] = {str: key, int: 2, tuple: (key,), dict: {key: 1}}
    return values.get(get_origin(of) or of)


def events_of(kind: Any) -> list[Event]:
    """Give an event of a kind for each of the keys that its fields can hold."""
    fields = get_type_hints(kind)
    plain = {name: held(of, str(KEYS.get((kind, name), ["Zug"])[0])) for name, of in fields.items()}
    each = [(name, key) for name in fields for key in KEYS.get((kind, name), ())]
    return [kind(**plain), *(kind(**plain | {name: held(fields[name], str(key))}) for name, key in each)]


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_a_record_is_said_without_english(kind: type) -> None:
    for event in events_of(kind):
        said = GERMAN.translated(describe(event))
        assert said != str(describe(event))
        assert english_in(said) == [], said


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_mail_is_written_without_english(kind: NoticeKind) -> None:
    known = {"opens_at": THEN.isoformat(), "closes_at": THEN.isoformat(), "expires_at": THEN.isoformat(), "left": 3}
    for role in Role:
        facts = {name: known.get(name, role.value if name == "role" else "Zug") for name in FACTS[kind]}
        text = notice_text(
            kind, facts, account="a@x.example", at=THEN, portal="https://x.example", link="https://x.example/y"
        )
        for said in (text.subject, *text.paragraphs):
            assert GERMAN.translated(said) != str(said)
            assert english_in(GERMAN.translated(said)) == []
