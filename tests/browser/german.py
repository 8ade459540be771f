"""A visitor whose browser asks for German, on the same walks as everybody: what a walk names in English is looked for in German.

`english_on` finds what a page still says in English: words that stand in the texts of the source and in no translation.
"""

import re
from functools import cache
from typing import Any, cast

from babel.messages import Catalog
from playwright.sync_api import Locator, Page
from scripts.catalogues import catalogues, read
from tests.browser.conftest import Visitor

LOCALE = "de-DE"
# What people called their things, and what programs call themselves, is said as it is.
DATA = frozenset(
    {
        "Office scanner",
        "My phone",
        "Old phone",
        "Nightly backup",
        "Contact form",
        "Travel tablet",
        "Thunderbird, laptop",
    }
    | {"Phone", "Kitchen tablet", "Monitoring", "Carol’s laptop", "Yearly audit", "iPhone Mail", "Headless Chrome"}
)
_FRAGMENTS = {"is ready": "ist bereit"}  # part of a text that a walk looks for
_PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|</?[a-z][^>]*>")
_WORD = re.compile(r"[^\W\d_]{3,}")

# Everything that is read out or seen, without names that people gave and without code.
_SAID = """() => {
  const body = document.body.cloneNode(true);
  body.querySelectorAll('bdi, code, pre, script, style, textarea, [lang]').forEach((one) => one.remove());
  const said = [document.title, ...body.querySelectorAll('*')].flatMap((one) => typeof one === 'string' ? [one] :
    ['aria-label', 'title', 'alt', 'placeholder', 'data-label'].map((name) => one.getAttribute(name) ?? ''));
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) said.push(texts.currentNode.data);
  const names = [...document.querySelectorAll('bdi')].map((one) => one.textContent).filter((name) => name.trim());
  return {said: said.filter((text) => text.trim()), names};
}"""


@cache
def german() -> Catalog:
    """Give the German catalogue."""
    return read("de", dict(catalogues())["de"])


@cache
def _texts() -> dict[str, str]:
    texts: dict[str, str] = {}
    for message in german():
        if message.id:
            ids = (message.id,) if isinstance(message.id, str) else message.id
            strings = (message.string,) if isinstance(message.string, str) else message.string or ()
            texts |= dict(zip(ids, cast("tuple[str, ...]", strings), strict=False))
    return texts


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Give the texts that hold one value and little else, such as "Remove %(name)s"."""
    return [
        (re.compile(re.escape(source).replace(re.escape("%(name)s"), "(.+)")), translation)
        for source, translation in _texts().items()
        if _PLACEHOLDER.findall(source) == ["%(name)s"] and len(source) < 40
    ]


def in_german(text: str) -> str:
    """Say in German what a walk looks for; what has no translation stays as it is."""
    if text in DATA:
        return text
    if found := _texts().get(text) or _FRAGMENTS.get(text):
        return found
    for pattern, translation in _patterns():
        if filled := pattern.fullmatch(text):
            return translation.replace("%(name)s", filled[1])
    return text


class _Page:
    """A page whose parts are looked for in German."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._page, name)

    def get_by_label(self, text: str, **wanted: Any) -> Locator:
        found = self._page.get_by_label(in_german(text), **wanted)
        # In German, the one label may begin as the other does.
        return self._page.get_by_label(in_german(text), exact=True) if found.count() > 1 else found

    def get_by_text(self, text: str, **wanted: Any) -> Locator:
        return self._page.get_by_text(in_german(text), **wanted)

    def get_by_role(self, role: Any, **wanted: Any) -> Locator:
        if "name" in wanted:
            wanted["name"] = in_german(wanted["name"])
        return self._page.get_by_role(role, **wanted)


class GermanVisitor(Visitor):
    """Somebody at a browser that asks for German; the context has the locale `LOCALE`."""

    def open(self) -> Page:
        """Open another tab."""
        return cast("Page", _Page(super().open()))


@cache
def telltales() -> frozenset[str]:
    """Give the words of the source's texts that no translation holds."""
    texts = _texts()
    english = {word.lower() for text in texts for word in _WORD.findall(_PLACEHOLDER.sub(" ", text))}
    kept = {word.lower() for text in texts.values() for word in _WORD.findall(_PLACEHOLDER.sub(" ", text))}
    return frozenset(english - kept)


def english_on(page: Page) -> list[str]:
    """Give the texts of a page that hold a telltale word, each with its words."""
    found = page.evaluate(_SAID)
    left = []
    for text in dict.fromkeys(found["said"]):
        plain = text
        for name in sorted({*found["names"], *DATA}, key=len, reverse=True):
            plain = plain.replace(name, " ")
        plain = re.sub(r"\S*[@/.=_]\w\S*|<[^>]*>", " ", plain)  # addresses, hosts, paths
        words = sorted({word for word in _WORD.findall(plain) if word.lower() in telltales()})
        if words:
            left.append(f"{' '.join(text.split())[:120]} ({', '.join(words)})")
    return left
