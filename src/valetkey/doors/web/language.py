"""A language as pages speak it: texts, numbers, lists, dates and times, and the way it is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from gettext import NullTranslations
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_gmt, get_timezone_name
from babel.lists import format_list
from babel.numbers import format_decimal

from valetkey.core.errors import ValetkeyError
from valetkey.core.sentence import Sentence, say

_FORMATS = {"en": Locale("en", "GB")}  # the English of the texts: 20 November 2026, 14:05
_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_STAMP = say("{day}, {time} {zone}")


@dataclass(frozen=True, slots=True)
class Language:
    """A catalogue, the formats that go with it, and the time zone of whoever reads."""

    code: str  # as in the attribute `lang` (BCP 47)
    locale: Locale
    catalogue: NullTranslations
    zone: tzinfo = UTC

    @property
    def direction(self) -> str:
        """How lines are written: "ltr" or "rtl"."""
        return self.locale.text_direction

    @property
    def name(self) -> str:
        """What its speakers call it."""
        own = self.locale.get_language_name() or self.code
        return own[:1].upper() + own[1:]

    @property
    def zone_name(self) -> str:
        """What the time zone is called, such as "Coordinated Universal Time"."""
        zone = _SOME_TIME if self.zone is UTC else self.zone  # Babel knows the name of UTC only from a time in it
        return get_timezone_name(zone, width="long", locale=self.locale)

    def gettext(self, message: str) -> str:
        """Translate a text of the source code; what has no translation stays English."""
        return self.catalogue.gettext(message) if message else ""

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """Translate a text of the source code in the form that goes with a number."""
        return self.catalogue.ngettext(singular, plural, number)

    def translated(self, said: Sentence | ValetkeyError | str) -> str:
        """Translate a sentence and its values, an error's sentence, or a fixed text of the source code."""
        match said:
            case str():
                return self.gettext(said)
            case ValetkeyError():
                return self.translated(said.sentence)
            case Sentence(message=message, plural=plural, number=number) if plural:
                return said.filled(self.ngettext(message, plural, number), self.shown)
            case Sentence(message=message):
                return said.filled(self.gettext(message), self.shown)

    def shown(self, value: object) -> str:
        """Show a value: numbers, dates, times and lists as the language writes them, text as it is."""
        match value:
            case str() | bool():
                return str(value)
            case Sentence() | ValetkeyError():
                return self.translated(value)
            case int():
                return self.number(value)
            case datetime():
                return self.stamp(value)
            case date():
                return format_date(value, "long", locale=self.locale)
            case tuple() | list():
                return self.listed(value)
            case _:
                return str(value)

    def number(self, value: float) -> str:
        """Write a number."""
        return format_decimal(value, locale=self.locale)

    def listed(self, items: Iterable[object], joint: Literal["and", "or"] = "and") -> str:
        """Join words as a sentence does: a, b and c."""
        style: Literal["standard", "or"] = "or" if joint == "or" else "standard"
        return format_list([self.shown(item) for item in items], style=style, locale=self.locale)

    def day(self, moment: datetime) -> str:
        """Give a date as people write it, in the reader's zone."""
        return format_date(moment.astimezone(self.zone), "long", locale=self.locale)

    def clock(self, moment: datetime) -> str:
        """Give the time of day, in the reader's zone."""
        return format_time(moment.astimezone(self.zone), "short", locale=self.locale)

    def stamp(self, moment: datetime) -> str:
        """Give date, time and the zone that they are told in."""
        there = moment.astimezone(self.zone)
        zone = get_timezone_name(there, width="short", locale=self.locale)
        if zone[:1] in "+-":  # one without a short name in this language
            zone = get_timezone_gmt(there, width="long", locale=self.locale)
        values = {"day": self.day(moment), "time": self.clock(moment), "zone": zone}
        return self.translated(Sentence(_STAMP.message, values))


def language(code: str, catalogue: NullTranslations, zone: tzinfo = UTC) -> Language:
    """Make a language from the name of its catalogue, such as "de" or "pt_BR".

    Raises:
        babel.UnknownLocaleError: Nothing is known about it.
    """
    locale = _FORMATS.get(code) or Locale.parse(code)
    return Language(code.replace("_", "-"), locale, catalogue, zone)


ENGLISH = language("en", NullTranslations())
