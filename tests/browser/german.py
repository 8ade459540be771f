"""A visitor whose browser asks for German, on the same walks as everybody: what a walk names in English is looked for in German.

`english_on` finds what a page still says in English: words that stand in the texts of the source and in no translation.
"""

from typing import Any, cast

from playwright.sync_api import Locator, Page
from tests.browser.conftest import Visitor
from tests.verbs.german import DATA, english_in, in_german

LOCALE = "de-DE"
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


def english_on(page: Page) -> list[str]:
    """Give the texts of a page that hold a telltale word, each with its words."""
    found = page.evaluate(_SAID)
    left = []
    for text in dict.fromkeys(found["said"]):
        plain = text
        for name in sorted({*found["names"], *DATA}, key=len, reverse=True):
            plain = plain.replace(name, " ")
        if words := english_in(plain):
            left.append(f"{' '.join(text.split())[:120]} ({', '.join(words)})")
    return left
