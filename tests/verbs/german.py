"""What the German catalogue says to a text of the source, and which words tell that a text stayed English."""

import re
from functools import cache
from typing import cast

from babel.messages import Catalog
from scripts.catalogues import catalogues, read

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


@cache
def telltales() -> frozenset[str]:
    """Give the words of the source's texts that no translation holds."""
    texts = _texts()
    english = {word.lower() for text in texts for word in _WORD.findall(_PLACEHOLDER.sub(" ", text))}
    kept = {word.lower() for text in texts.values() for word in _WORD.findall(_PLACEHOLDER.sub(" ", text))}
    return frozenset(english - kept)


def english_in(text: str) -> list[str]:
    """Give the telltale words of a text, but for addresses, hosts and paths."""
    plain = re.sub(r"\S*[@/.=_]\w\S*|<[^>]*>", " ", text)
    return sorted({word for word in _WORD.findall(plain) if word.lower() in telltales()})
