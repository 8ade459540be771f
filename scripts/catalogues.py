# ruff: noqa: INP001, T201 - a script by itself, which tells what it found
"""Gather the texts that people see, and bring the catalogue of every language up to date with them.

What is new has no translation yet and is named; what is gone is dropped. Nothing is guessed.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "valetkey"
LOCALES = SOURCE / "locale"
DOMAIN = "valetkey"
# What only operators read, in logs and on the command line, stays English.
FOR_OPERATORS = (
    "adapters", "app", "config", "demo", "doors/asked", "doors/cli", "doors/courier", "doors/dovecot", "doors/gateway",
    "doors/ldap", "doors/nginx", "doors/ops", "doors/postfix", "doors/radius", "doors/sasl", "doors/saslauthd",
    "doors/serve", "wire",
)  # fmt: skip
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "say": None,
    "counted": (1, 2),
    "Refused": None,
    "NotAllowed": None,
    "NotFound": None,
    "Conflict": None,
    "PolicyForbids": None,
    "ProveAgain": None,
    "Unavailable": None,
    "InvalidInput": (2,),
    "HTTPException": (2,),
}
_METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}


def gathered() -> Catalog:
    """Give every text of the code and the templates that people see."""
    catalogue = Catalog(domain=DOMAIN, charset="utf-8")
    found = extract_from_dir(
        SOURCE, _METHODS, _OPTIONS, KEYWORDS, comment_tags=("Translators:",), directory_filter=_is_for_people
    )
    for place, _line, message, comments, context in found:
        # Without line numbers: a catalogue changes when a text does.
        catalogue.add(message, None, [(place, 0)], auto_comments=comments, context=context)
    return catalogue


def catalogues() -> Iterator[tuple[str, Path]]:
    """Give the languages that there are, each with its file."""
    for folder in sorted(LOCALES.iterdir()):
        if folder.is_dir():
            yield folder.name, folder / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str, file: Path) -> Catalog:
    """Read the catalogue of a language; an empty one if the file is not there yet."""
    if not file.exists():
        return Catalog(locale=language, domain=DOMAIN, charset="utf-8")
    with file.open("rb") as opened:
        return read_po(opened, locale=language, domain=DOMAIN)


def written(language: str, old: Catalog, texts: Catalog) -> bytes:
    """Give the file of a language: all of the texts, with the translations that it has."""
    new = Catalog(locale=language, domain=DOMAIN, charset="utf-8", header_comment="", fuzzy=False)
    for message in texts:
        if message.id:
            known = old.get(message.id, message.context)
            same_form = known is not None and known.pluralizable == message.pluralizable
            kept = known.string if known is not None and same_form else None
            new.add(
                message.id, kept, message.locations, message.flags, message.auto_comments, context=message.context,
                user_comments=known.user_comments if known else (),
            )  # fmt: skip
    lines = BytesIO()
    write_po(lines, new, width=116, omit_header=True, sort_by_file=True, include_lineno=False)
    head = (
        f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
        f'"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {new.plural_forms}\\n"\n\n'
    )
    return head.encode() + lines.getvalue()


def untranslated(catalogue: Catalog) -> list[str]:
    """Name the texts that have no translation."""
    missing = []
    for message in catalogue:
        strings = message.string if isinstance(message.string, list | tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(strings)):
            missing.append(message.id if isinstance(message.id, str) else message.id[0])
    return missing


def _is_for_people(folder: str) -> bool:
    place = Path(folder).resolve().relative_to(SOURCE.resolve()).as_posix()
    return place not in FOR_OPERATORS and not place.endswith("__pycache__")


def main() -> int:
    """Write the catalogues and say what each lacks."""
    texts = gathered()
    for language, file in catalogues():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written(language, read(language, file), texts))
        missing = untranslated(read(language, file))
        print(f"{language}: {len(texts) - len(missing)} of {len(texts)} texts translated")
        for text in missing:
            print(f"  missing: {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
