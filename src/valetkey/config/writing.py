"""From sections to the TOML that a person reads: the annotated reference, and the file that `init` writes."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from valetkey.config.kinds import quoted
from valetkey.config.sections import Config
from valetkey.config.setting import Setting, Shape, is_required, setting_of

_WIDTH = 110
_BLANK_LINES = re.compile(r"\n{3,}")
_HEAD = (
    "Configuration of Valetkey. Relative paths begin at the folder of this file. Unknown settings are errors."
    " A line that begins with #name = shows the default, or an example where that is said."
)
_NOT_SET = "Not set. For example:"
_EMPTY: tuple[Any, ...] = (None, "", ())


def describe() -> str:
    """Give the annotated reference: every setting with its documentation and its default. It is a valid file."""
    return _file(_reference_of(Config), _HEAD)


def annotated(config: Config) -> str:
    """Give a configuration as an annotated file; settings that have their default are commented out."""
    return _file(config, _HEAD)


def _file(config: Any, head: str) -> str:
    lines = [*_comment(head), ""]
    for field in fields(config):
        lines += _section(setting_of(field), field.name, getattr(config, field.name))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).rstrip() + "\n"


def _reference_of(section: type) -> Any:
    """Make a section from its examples and defaults, for the reference."""
    values: dict[str, Any] = {}
    for field in fields(section):
        setting = setting_of(field)
        if setting.shape is Shape.TABLE and setting.table:
            values[field.name] = _reference_of(setting.table)
        elif setting.shape in {Shape.TABLES, Shape.NAMED_NETWORKS} or is_required(field):
            values[field.name] = setting.example
    return section(**values)


def _section(setting: Setting, name: str, content: Any) -> list[str]:
    if setting.shape is Shape.NAMED_NETWORKS:
        return _named_networks(setting, name, content)
    if setting.shape is Shape.TABLES and setting.table:
        doc = _comment(_doc_of(setting.table))
        if not content:
            example = _reference_of(setting.table)
            return [*doc, *(_commented_out(line) for line in _one_of(name, example, comments=True)), ""]
        blocks = [line for number, entry in enumerate(content) for line in _one_of(name, entry, comments=number == 0)]
        return [*doc, *blocks, ""]
    return [*_comment(_doc_of(type(content))), f"[{name}]", *_settings(content), ""]


def _commented_out(line: str) -> str:
    return line if not line or line.startswith("#") else f"#{line}"


def _one_of(name: str, entry: Any, *, comments: bool) -> Iterator[str]:
    yield f"[[{name}]]"
    yield from _settings(entry, comments=comments)
    for field in fields(entry):
        if setting_of(field).shape is Shape.OPTIONAL_TABLE and (inner := getattr(entry, field.name)) is not None:
            yield ""
            yield f"[{name}.{field.name}]"
            yield from _settings(inner, comments=comments and field.name == "imap")
    yield ""


def _settings(section: Any, *, comments: bool = True) -> Iterator[str]:
    for field in fields(section):
        setting = setting_of(field)
        if setting.shape is not Shape.VALUE or setting.kind is None:
            continue
        content = getattr(section, field.name)
        is_default = content == field.default
        if is_default and not comments:
            continue
        is_example = is_default and content in _EMPTY and setting.example is not MISSING
        if comments:
            yield from _comment(setting.doc)
        if comments and is_example:
            yield from _comment(_NOT_SET)
        shown = setting.example if is_example else content
        yield f"{'#' if is_default else ''}{field.name} = {setting.kind.write(shown)}"


def _named_networks(setting: Setting, name: str, content: Any) -> list[str]:
    entries = content or setting.example
    mark = "" if content else "#"
    lines = [f"{mark}{key} = [{', '.join(quoted(str(n)) for n in networks)}]" for key, networks in entries.items()]
    return [*_comment(setting.doc), f"[{name}]", *lines, ""]


def _doc_of(section: type) -> str:
    return " ".join((section.__doc__ or "").split())


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH)]
