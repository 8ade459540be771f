"""Languages: which one is chosen, what it writes, and how pages carry it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from gettext import NullTranslations
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from markupsafe import Markup
from tests.browser.portal_client import PortalClient
from tests.verbs.site import House, Person

from valetkey.core.errors import Refused
from valetkey.core.sentence import counted, say
from valetkey.doors.web.catalogues import installed_catalogues
from valetkey.doors.web.language import ENGLISH, Language, language
from valetkey.doors.web.languages import Languages, zone_of
from valetkey.doors.web.rendering import Templates
from valetkey.doors.web.words import Words

THEN = datetime(2026, 3, 9, 22, 5, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


class Dictionary(NullTranslations):
    """A catalogue of a few words."""

    def __init__(self, **texts: str) -> None:
        super().__init__()
        self._texts = texts

    def gettext(self, message: str) -> str:
        return self._texts.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._texts.get(f"{msgid1}|{'one' if n == 1 else 'many'}", msgid1 if n == 1 else msgid2)


@pytest.fixture
def german() -> Language:
    texts = {
        "Wait {long}": "Warte {long}",
        "{number} day|one": "{number} Tag",
        "{number} day|many": "{number} Tage",
        "{day}, {time} {zone}": "{day}, {time} Uhr {zone}",
        "Revoked": "Widerrufen",
    }
    return language("de", Dictionary(**texts))


def test_english_writes_days_before_months() -> None:
    assert ENGLISH.stamp(THEN) == "9 March 2026, 22:05 UTC"
    assert ENGLISH.zone_name == "Coordinated Universal Time"
    assert (ENGLISH.code, ENGLISH.direction, ENGLISH.name) == ("en", "ltr", "English")


def test_german_dates_in_the_zone_of_the_reader(german: Language) -> None:
    assert german.stamp(THEN) == "9. März 2026, 22:05 Uhr UTC"
    there = replace(german, zone=BERLIN)
    assert there.stamp(THEN) == "9. März 2026, 23:05 Uhr MEZ"
    assert there.day(datetime(2026, 3, 9, 23, 30, tzinfo=UTC)) == "10. März 2026"
    assert (german.name, there.zone_name) == ("Deutsch", "Mitteleuropäische Zeit")


def test_values_are_shown_as_the_language_writes_them(german: Language) -> None:
    assert german.shown(12345) == "12.345"
    assert german.shown(date(2026, 3, 9)) == "9. März 2026"
    assert german.shown(("a", "b", say("Revoked"))) == "a, b und Widerrufen"
    assert german.listed(("a", "b", "c"), "or") == "a, b oder c"
    assert ENGLISH.listed(()) == ""
    assert ENGLISH.shown(THEN) == "9 March 2026, 22:05 UTC"


def test_sentences_and_their_values_are_translated(german: Language) -> None:
    error = Refused("Wait {long}", long=counted("{number} day", "{number} days", 2))
    assert german.translated(error) == "Warte 2 Tage"
    assert str(error) == "Wait 2 days"
    assert german.translated(counted("{number} day", "{number} days", 1)) == "1 Tag"
    assert german.translated("Revoked") == "Widerrufen"
    assert german.translated("") == ""
    assert german.translated(say("Not in the catalogue")) == "Not in the catalogue"


def spoken() -> Languages:
    return Languages({name: NullTranslations() for name in ("en", "de", "pt_BR", "ar")})


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-AT-1996,en;q=0.9", "de"),
        ("fr, de;q=0.5", "de"),
        ("en;q=0.5, de;q=0.9", "de"),
        ("en, de", "en"),
        ("de;q=0, en", "en"),
        ("de;q=0.000", "en"),
        ("pt-BR", "pt-BR"),
        ("pt", "en"),
        ("*", "en"),
        ("de;q=2", "en"),
        ("de;q=nan", "en"),
        ("de;q=0.5555", "en"),
        ("de;level=1", "en"),
        (",,;;==", "en"),
        ("../../de", "en"),
        ("\x00de", "en"),
        ("de\r\n", "en"),
    ],
)
def test_accept_language(accepted: str, code: str) -> None:
    assert spoken().choose("", accepted).code == code


@pytest.mark.parametrize("hostile", ["a" * 100_000, "de;q=0." + "0" * 100_000, "xx," * 100_000 + "de", "x-" * 100_000])
def test_a_hostile_header_costs_nothing(hostile: str) -> None:
    languages = spoken()
    begun = process_time()
    assert languages.choose(hostile, hostile, hostile).code == "en"
    assert process_time() - begun < 0.1


def test_what_the_visitor_chose_goes_before_what_the_browser_asks_for() -> None:
    assert spoken().choose("ar", "de").code == "ar"
    assert spoken().choose("xx", "de").code == "de"
    assert "PT-br" in spoken()
    assert "xx" not in spoken()


@pytest.mark.parametrize(
    "name", ["", "Nowhere/At_All", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 65, "a\x00b"]
)
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert zone_of(name) is UTC


def test_a_known_zone_is_used() -> None:
    assert zone_of("Europe/Berlin") is BERLIN
    assert spoken().choose("", "", "Europe/Berlin").zone is BERLIN


def test_the_catalogues_are_read_fast_and_once() -> None:
    installed_catalogues.cache_clear()
    begun = process_time()
    assert {"en", "de"} <= installed_catalogues().keys()
    assert process_time() - begun < 0.5
    assert installed_catalogues() is installed_catalogues()


def rendered(text: str, language: Language = ENGLISH, **facts: object) -> str:
    templates = Templates("Site", {})
    page = templates._environment.from_string(text)
    return page.render({"language": language, "words": Words(language), **facts})


def test_values_in_a_translated_text_are_escaped_and_harmless() -> None:
    assert rendered('{{ _("<b>%(x)s</b>", x=x) }}', x="<i>\u202e") == "<b>&lt;i&gt;</b>"
    assert rendered('{{ _("<b>%(x)s</b>", x=x) }}', x=Markup("<i>")) == "<b><i></b>"
    assert rendered("{% trans x=x %}{{ x }}<br>{% endtrans %}", x="&") == "&amp;<br>"
    assert rendered('{{ ngettext("%(num)s of %(x)s", "%(num)ss of %(x)s", 2000, x="<") }}') == "2,000s of &lt;"


def test_a_sentence_is_translated_escaped_and_harmless_where_it_stands(german: Language) -> None:
    said = say("Wait {long}", long="<i>\u202e")
    assert rendered("{{ x }}", german, x=said) == "Warte &lt;i&gt;"
    assert rendered("{{ x }}", german, x=Refused(said)) == "Warte &lt;i&gt;"
    assert rendered('{{ _("%(x)s!", x=x) }}', german, x=say("Revoked")) == "Widerrufen!"
    assert rendered("{% macro m(y) %}{{ y }}{% endmacro %}{{ m(x) }}", german, x=say("Revoked")) == "Widerrufen"


def test_the_language_reaches_templates_that_are_imported_without_context(german: Language) -> None:
    text = '{% import "_parts.html" as parts %}{{ parts.when(then, now) }}'
    shown = rendered(text, replace(german, zone=BERLIN), then=THEN, now=THEN)
    assert "9. März 2026, 23:05 Uhr MEZ" in shown
    assert "22:05 UTC" in rendered(text, then=THEN, now=THEN)


async def test_a_page_says_its_language_and_direction(portal: FastAPI, visitor: PortalClient) -> None:
    assert '<html lang="en" dir="ltr">' in (await visitor.get("/sign-in")).text
    portal.state.portal = replace(portal.state.portal, languages=spoken())
    page = await visitor.http.get("/sign-in", headers={"Accept-Language": "ar"})
    assert '<html lang="ar" dir="rtl">' in page.text
    assert page.headers["content-language"] == "ar"


async def test_the_choice_is_kept_in_a_cookie(portal: FastAPI, visitor: PortalClient) -> None:
    portal.state.portal = replace(portal.state.portal, languages=spoken())
    await visitor.get("/sign-in")
    response = await visitor.post("/language", {"language": "pt-BR", "next": "/sign-in"})
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in")
    assert '<html lang="pt-BR"' in (await visitor.get("/sign-in")).text


@pytest.mark.parametrize("code", ["xx", "", "../de", "d" * 500])
async def test_a_language_that_is_not_spoken_changes_nothing(visitor: PortalClient, code: str) -> None:
    await visitor.get("/sign-in")
    response = await visitor.post("/language", {"language": code, "next": "//evil.example"})
    assert response.headers["location"] == "/"
    assert "set-cookie" not in response.headers


async def test_a_choice_from_elsewhere_is_refused(visitor: PortalClient) -> None:
    await visitor.get("/sign-in")
    response = await visitor.http.post("/language", data={"language": "de", "csrf": "x"})
    assert response.status_code == 403


async def test_times_are_told_in_the_zone_of_the_browser(visitor: PortalClient, house: House, alice: Person) -> None:
    await visitor.sign_in(house, alice)
    visitor.http.cookies.set("__Host-valetkey-zone", "Pacific%2FKiritimati")
    assert "GMT+14:00" in (await visitor.get("/account")).text
    visitor.http.cookies.set("__Host-valetkey-zone", "../../etc/passwd")
    assert "UTC" in (await visitor.get("/account")).text


async def test_the_choice_is_not_offered_where_a_secret_is_shown_once(
    visitor: PortalClient, house: House, alice: Person
) -> None:
    await visitor.sign_in(house, alice)
    assert 'action="/language"' in (await visitor.get("/")).text
    made = await visitor.post("/app-passwords/new", await visitor.new_form("phone"))
    assert "Settings that go with it" in made.text
    assert 'action="/language"' not in made.text
