"""How a setting is declared: its kind, its documentation and its default stand in one place, in the field."""

from collections.abc import Callable
from dataclasses import MISSING, Field, field
from enum import Enum
from typing import Any

from valetkey.config.kinds import Kind


class Shape(Enum):
    """What a field of a section holds."""

    VALUE = "value"
    TABLE = "table"  # [name]
    OPTIONAL_TABLE = "optional-table"  # [name], may be left out
    TABLES = "tables"  # [[name]], any number
    NAMED_NETWORKS = "named-networks"  # [name] with keys of the administrator's choosing


_KEY = "valetkey.setting"


class Setting:
    """What the metadata of a field says."""

    __slots__ = ("doc", "example", "kind", "shape", "table")

    def __init__(self, doc: str, kind: Kind | None, shape: Shape, table: type | None, example: Any) -> None:
        self.doc = doc
        self.kind = kind
        self.shape = shape
        self.table = table
        self.example = example


def value(kind: Kind, doc: str, default: Any = MISSING, *, example: Any = MISSING) -> Any:
    """Declare one setting. Without a default it must be given; `example` is what the reference shows then."""
    return field(default=default, metadata={_KEY: Setting(doc, kind, Shape.VALUE, None, example)})


def table(section: Callable[..., Any], doc: str = "") -> Any:
    """Declare a section."""
    setting = Setting(doc, None, Shape.TABLE, _as_type(section), MISSING)
    return field(default_factory=section, metadata={_KEY: setting})


def required_table(section: Callable[..., Any], doc: str = "") -> Any:
    """Declare a section that has settings without a default."""
    return field(metadata={_KEY: Setting(doc, None, Shape.TABLE, _as_type(section), MISSING)})


def optional_table(section: Callable[..., Any], doc: str, example: Any = MISSING) -> Any:
    """Declare a section that may be left out altogether."""
    return field(default=None, metadata={_KEY: Setting(doc, None, Shape.OPTIONAL_TABLE, _as_type(section), example)})


def tables(section: Callable[..., Any], doc: str, example: tuple[Any, ...]) -> Any:
    """Declare a section that may stand any number of times; `example` is what the reference shows."""
    return field(default=(), metadata={_KEY: Setting(doc, None, Shape.TABLES, _as_type(section), example)})


def named_networks(doc: str, example: Any) -> Any:
    """Declare the section of named networks."""
    return field(default_factory=dict, metadata={_KEY: Setting(doc, None, Shape.NAMED_NETWORKS, None, example)})


def setting_of(declared: "Field[Any]") -> Setting:
    """Give what a field says of itself."""
    setting: Setting = declared.metadata[_KEY]
    return setting


def is_required(declared: "Field[Any]") -> bool:
    """Tell whether a file must give this setting."""
    return declared.default is MISSING and declared.default_factory is MISSING


def _as_type(section: Callable[..., Any]) -> type:
    if not isinstance(section, type):
        raise TypeError("a section is a dataclass")
    return section
