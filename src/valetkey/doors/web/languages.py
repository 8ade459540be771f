"""Which language and time zone a visitor reads: what they chose, else what their browser asks for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from gettext import NullTranslations
from zoneinfo import ZoneInfo

from valetkey.doors.web.catalogues import SOURCE
from valetkey.doors.web.language import Language, language

_MOST_OCTETS, _MOST_RANGES = 500, 20  # of Accept-Language; browsers send less than a tenth
# A language range with its weight (RFC 9110 sections 12.4.2 and 12.5.4).
_RANGE = re.compile(
    r"[ \t]*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_UTC = {"UTC", "Etc/UTC", "GMT", "Etc/GMT"}  # these lie in no region, so they have no name of their own


class Languages:
    """The languages that the pages can speak."""

    def __init__(self, catalogues: Mapping[str, NullTranslations]) -> None:
        found = [language(name, catalogue) for name, catalogue in catalogues.items()]
        self._by_code = {one.code.lower(): one for one in found}

    def __iter__(self) -> Iterator[Language]:
        """Go through them, for a choice."""
        return iter(self._by_code.values())

    def __contains__(self, code: object) -> bool:
        """Tell whether there is a language of this code."""
        return isinstance(code, str) and code.lower() in self._by_code

    def choose(self, chosen: str, accepted: str, zone: str = "") -> Language:
        """Give the language for a visitor.

        Args:
            chosen: The code that the visitor chose, or "".
            accepted: The header Accept-Language, or "".
            zone: The name of the browser's time zone (IANA), or "" for UTC.
        """
        found = self._by_code.get(chosen.lower()) or self._first_of(accepted)
        return replace(found, zone=zone_of(zone)) if zone else found

    def _first_of(self, accepted: str) -> Language:
        for wanted in _wanted(accepted):
            parts = wanted.split("-")
            for length in range(len(parts), 0, -1):  # the lookup of RFC 4647 section 3.4
                found = self._by_code.get("-".join(parts[:length]))
                if found is not None:
                    return found
        return self._by_code[SOURCE]


def _wanted(accepted: str) -> list[str]:
    weighted = []
    for text in accepted[:_MOST_OCTETS].split(",")[:_MOST_RANGES]:
        found = _RANGE.fullmatch(text)
        weight = float(found[2] or 1) if found else 0.0
        if found and weight > 0:
            weighted.append((weight, found[1].lower()))
    return [wanted for _, wanted in sorted(weighted, key=lambda one: -one[0])]


def zone_of(name: str) -> tzinfo:
    """Give a time zone by its IANA name; UTC for one that is not known here."""
    if _ZONE.fullmatch(name) is None or name in _UTC:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no name of a file, a folder, not found
        return UTC
