"""From a TOML file to its sections, with every mistake found at once."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from valetkey.config.consistency import contradictions
from valetkey.config.kinds import NETWORKS, Unreadable
from valetkey.config.lines import Place, places
from valetkey.config.mistakes import BadConfig, Mistake
from valetkey.config.sections import Config
from valetkey.config.setting import Shape, is_required, setting_of
from valetkey.core.errors import CannotStart

_MAX_FILE = 1_000_000
_AT_LINE = re.compile(r"\(at line ([0-9]+), column [0-9]+\)|\(at end of document\)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_MISSING = object()


def load(path: Path) -> Config:
    """Read a configuration file. Files that it names are not opened.

    Raises:
        CannotStart: There is no such file, or it cannot be read.
        BadConfig: It has mistakes; all of them are named, each with its line and its mend.
    """
    return parse(_text_of(path), path)


def parse(text: str, path: Path) -> Config:
    """Read the text of a configuration file; relative paths begin at the folder of `path`.

    Raises:
        BadConfig: It has mistakes.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(path, [_syntax_mistake(str(error), text)]) from None
    reading = _Reading(places(text), path.absolute().parent)
    config: Config | None = reading.table(Config, raw, ())
    if not reading.mistakes and config is not None:
        reading.mistakes += [
            Mistake(reading.line(at), name, what, mend) for at, name, what, mend in contradictions(config)
        ]
    if reading.mistakes or config is None:
        raise BadConfig(path, reading.mistakes)
    return config


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        raise CannotStart(f"There is no configuration file {path}. Make one with: valetkey init") from None
    except OSError as error:
        raise CannotStart(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    if len(octets) > _MAX_FILE:
        raise CannotStart(f"{path} is larger than 1 MB, so it is hardly a configuration file.")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        mistake = Mistake(line, "encoding", "this is not UTF-8 text", "save the file as UTF-8")
        raise BadConfig(path, [mistake]) from None


def _syntax_mistake(message: str, text: str) -> Mistake:
    match = _AT_LINE.search(message)
    line = int(match[1]) if match and match[1] else max(1, len(text.splitlines()))
    what = _AT_LINE.sub("", message).strip().rstrip(".") or "this is not TOML"
    if what.startswith(("Cannot overwrite", "Cannot declare")):
        return Mistake(line, "syntax", "what this line names stands above already", "keep one of the two")
    return Mistake(line, "syntax", what[:1].lower() + what[1:], 'write `name = value` lines, with text in "quotes"')


class _Reading:
    """One reading of one file: what was found wrong so far."""

    def __init__(self, lines: Mapping[Place, int], folder: Path) -> None:
        self._lines = lines
        self._folder = folder
        self.mistakes: list[Mistake] = []

    def line(self, place: Place) -> int:
        """Give the line of a place, or of the nearest table around it."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def table(self, section: type, raw: Any, place: Place) -> Any:
        """Read one table into its section; None if a mistake makes that impossible."""
        if not isinstance(raw, dict):
            self._note(place, "should be a section", f"begin it with a line [{_dotted(place)}]")
            return None
        declared = {field.name: field for field in fields(section)}
        for key in raw:
            if key not in declared:
                self._note((*place, key), "unknown setting", _suggestion(key, declared, place))
        before = len(self.mistakes)
        values = {name: self._field(field, raw.get(name, _MISSING), (*place, name)) for name, field in declared.items()}
        if len(self.mistakes) > before:
            return None
        return section(**{name: value for name, value in values.items() if value is not _MISSING})

    def _field(self, field: "Field[Any]", raw: Any, place: Place) -> Any:
        setting = setting_of(field)
        if raw is _MISSING and not is_required(field):
            return self._default(field)
        if setting.shape is Shape.VALUE and raw is _MISSING:
            example = setting.kind.write(setting.example) if setting.kind else ""
            self._note(place, "missing", f"add a line such as: {field.name} = {example}")
            return _MISSING
        if setting.shape is Shape.NAMED_NETWORKS:
            return self._named_networks(raw, place)
        if setting.shape is Shape.VALUE and setting.kind:
            return self._value(setting.kind.read, raw, place)
        if setting.shape is Shape.TABLES and setting.table:
            return self._tables(setting.table, raw, place)
        return self.table(setting.table or dict, {} if raw is _MISSING else raw, place)

    def _default(self, field: "Field[Any]") -> Any:
        default = field.default
        if isinstance(default, Path):
            return self._folder / default
        if callable(field.default_factory) and (section := setting_of(field).table) is not None:
            return self.table(section, {}, (field.name,))
        return _MISSING

    def _value(self, read: Any, raw: Any, place: Place) -> Any:
        try:
            return read(raw, self._folder)
        except Unreadable as error:
            self._note(place, error.what, error.mend)
            return _MISSING

    def _tables(self, section: type, raw: Any, place: Place) -> Any:
        if not isinstance(raw, list):
            self._note(place, "may stand several times", f"begin each with a line [[{_dotted(place)}]]")
            return _MISSING
        return tuple(self.table(section, entry, (*place, number)) for number, entry in enumerate(raw))

    def _named_networks(self, raw: Any, place: Place) -> Any:
        if not isinstance(raw, dict):
            self._note(place, "should be a section", f"begin it with a line [{_dotted(place)}]")
            return _MISSING
        for name in raw:
            if not _NAME.fullmatch(name):
                self._note((*place, name), "not a usable name", "use letters, digits and hyphens, a letter first")
        return {name: self._value(NETWORKS.read, value, (*place, name)) for name, value in raw.items()}

    def _note(self, place: Place, what: str, mend: str) -> None:
        self.mistakes.append(Mistake(self.line(place), _label(place), what, mend))


def _dotted(place: Place) -> str:
    return ".".join(part for part in place if isinstance(part, str))


def _label(place: Place) -> str:
    table, key = place[:-1], place[-1]
    if isinstance(key, int):
        return f"[[{_dotted(place)}]]"
    return f"[{_dotted(table)}] {key}" if table else f"[{key}]"


def _suggestion(key: str, declared: Mapping[str, Any], place: Place) -> str:
    near = difflib.get_close_matches(key, declared, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?" if place else f"did you mean [{near[0]}]?"
    home = _section_with(key)
    if home and home != _dotted(place):
        return f"this belongs under [{home}]"
    return f"remove it; known here: {', '.join(declared)}"


def _section_with(key: str) -> str | None:
    for section in fields(Config):
        table = setting_of(section).table
        if table and any(field.name == key for field in fields(table)):
            return section.name
    return None
