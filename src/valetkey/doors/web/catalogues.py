"""The texts in other languages: read once, at start, from the gettext catalogues beside the code.

The `.po` files are read as they are, so that there is no compiled file to forget. Who adds a folder adds a language.
"""

from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE = "en"  # what the texts in the code are written in
DOMAIN = "valetkey"
_LOCALES = files("valetkey").joinpath("locale")


@cache
def installed_catalogues() -> Mapping[str, NullTranslations]:
    """Read the catalogues: English, which needs none, and every language that has a folder."""
    found: dict[str, NullTranslations] = {SOURCE: NullTranslations()}
    for folder in sorted(_LOCALES.iterdir(), key=lambda entry: entry.name):
        catalogue = folder.joinpath("LC_MESSAGES", f"{DOMAIN}.po")
        if catalogue.is_file():
            found[folder.name] = _read(catalogue, folder.name)
    return found


def _read(catalogue: Traversable, name: str) -> GNUTranslations:
    with catalogue.open("rb") as file:
        messages = read_po(file, locale=name, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return GNUTranslations(compiled)
