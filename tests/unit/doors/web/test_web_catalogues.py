"""The catalogues hold every text that people see, each translated, with the same placeholders and marks; and nothing else."""

import re
from pathlib import Path
from string import Formatter

import pytest
from babel.messages import Catalog, Message
from scripts.catalogues import catalogues, gathered, read, written

from valetkey.doors.web.catalogues import installed_catalogues
from valetkey.doors.web.language import language

LANGUAGES = [pytest.param(name, file, id=name) for name, file in catalogues()]
_NAMED = re.compile(r"%\((\w+)\)s|%%")
_MARK = re.compile(r"</?[a-z]+\b[^>]*>")
_ENDS = ".?:…"  # a sentence stays one, a question a question; what is none does not become one


def forms(message: Message) -> tuple[str, ...]:
    """Give the translation in each of its forms."""
    string = message.string or ""
    return (string,) if isinstance(string, str) else tuple(string)


def pairs(message: Message) -> list[tuple[str, str]]:
    """Give each form of a text with its translation; the plural stands for all forms but the first."""
    sources = (message.id,) if isinstance(message.id, str) else message.id
    return [(sources[min(form, len(sources) - 1)], text) for form, text in enumerate(forms(message))]


def texts(catalogue: Catalog) -> dict[tuple[str, ...], Message]:
    """Give the messages by what they are keyed by, without the head."""
    return {(m.id,) if isinstance(m.id, str) else tuple(m.id): m for m in catalogue if m.id}


def placeholders(text: str, *, is_page: bool) -> set[str]:
    """Give the placeholders of a text: `%(name)s` in templates of pages, `{name}` in sentences."""
    if is_page:
        return {found[0] for found in _NAMED.finditer(text)}
    return {f"{name}!{conversion}:{form}" for _, name, form, conversion in Formatter().parse(text) if name is not None}


def of_a_page(message: Message) -> bool:
    return any(place.endswith(".html") for place, _line in message.locations)


@pytest.fixture(scope="module")
def sources() -> Catalog:
    return gathered()


@pytest.fixture
def catalogue(name: str, file: Path) -> Catalog:
    return read(name, file)


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_it_has_every_text_and_no_other(catalogue: Catalog, sources: Catalog) -> None:
    """If this fails, run scripts/catalogues.py and translate what it names."""
    has, needed = texts(catalogue), texts(sources)
    assert [key for key in needed if key not in has] == []
    assert [key for key in has if key not in needed] == []


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_every_text_is_translated_for_sure(catalogue: Catalog) -> None:
    found = [
        message.id
        for message in texts(catalogue).values()
        if message.fuzzy
        or not all(text and text.strip() for _, text in pairs(message))
        or (not isinstance(message.id, str) and len(forms(message)) != catalogue.num_plurals)
    ]
    assert found == []


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_placeholders_are_kept(catalogue: Catalog) -> None:
    found = [
        (source, text)
        for message in texts(catalogue).values()
        for source, text in pairs(message)
        if placeholders(source, is_page=of_a_page(message)) != placeholders(text, is_page=of_a_page(message))
    ]
    assert found == []


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_marks_are_kept(catalogue: Catalog) -> None:
    """Translations of a page are markup: a translator adds none, links nowhere else, and loses none."""
    found = [
        (source, text)
        for message in texts(catalogue).values()
        for source, text in pairs(message)
        if sorted(_MARK.findall(source)) != sorted(_MARK.findall(text)) or source.count("<") != text.count("<")
    ]
    assert found == []


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_sentences_stay_sentences(catalogue: Catalog) -> None:
    found = [
        (source, text)
        for message in texts(catalogue).values()
        for source, text in pairs(message)
        if ((source[-1] in _ENDS or text[-1] in _ENDS) and source[-1] != text[-1])
        or (source != source.strip()) != (text != text.strip())
        or source.count("\n\n") != text.count("\n\n")
    ]
    assert found == []


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_the_file_is_as_the_script_writes_it(name: str, file: Path, catalogue: Catalog, sources: Catalog) -> None:
    """So that two people who translate get small differences. If this fails, run scripts/catalogues.py."""
    assert file.read_bytes() == written(name, catalogue, sources)


@pytest.mark.parametrize(("name", "file"), LANGUAGES)
def test_every_form_can_be_filled(name: str, catalogue: Catalog) -> None:
    """What the portal reads gives, for numbers of each form, a text with the number's words in it."""
    spoken = language(name, installed_catalogues()[name])
    for message in texts(catalogue).values():
        if isinstance(message.id, str):
            assert (spoken.gettext(message.id),) == forms(message)
            continue
        singular, plural = message.id
        said = {spoken.ngettext(singular, plural, number) for number in range(201)}
        assert said == set(forms(message)), message.id


def test_german_speaks_to_people_as_sie() -> None:
    """Not "du", and not both."""
    catalogue = installed_catalogues()["de"]._catalog  # type: ignore[attr-defined]  # gettext offers no list of its texts
    informal = re.compile(r"\b(?:du|dich|dir|dein\w*|euch|euer\w*)\b", re.IGNORECASE)
    assert [text for text in catalogue.values() if informal.search(str(text))] == []


@pytest.mark.parametrize(
    ("source", "translated", "is_page"),
    [
        ("%(name)s left", "%(nam)s übrig", True),
        ("%(name)s left", "%(name)d übrig", True),
        ("{name} left", "{nam} übrig", False),
        ("{name} left", "{name!r} übrig", False),
        ("{name} left", "übrig", False),
        ("%(share)s %%", "%(share)s %", True),
    ],
)
def test_a_wrong_placeholder_is_found(source: str, translated: str, is_page: bool) -> None:
    assert placeholders(source, is_page=is_page) != placeholders(translated, is_page=is_page)
