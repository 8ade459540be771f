"""Between JSON and the typed values of `valetkey.client.models`."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from valetkey.client.unsaid import UNSAID

T = TypeVar("T")
_NUMBERS = (int, float)


def decode(kind: type[T], value: Any) -> T:
    """Read a value of a kind out of JSON. Fields that this version does not know are passed over.

    Raises:
        ValueError: It is not of that kind.
    """
    return cast("T", _decode(kind, value))


def _decode(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if kind is Any or origin is Literal:
        return value  # a newer server may know more words
    if origin in {Union, UnionType}:
        return _decode_union(get_args(kind), value)
    if origin is tuple:
        return tuple(_decode(get_args(kind)[0], one) for one in _a(list, value))
    if origin is dict:
        return {name: _decode(get_args(kind)[1], one) for name, one in _a(dict, value).items()}
    if is_dataclass(kind):
        return _decode_fields(cast("type[Any]", kind), _a(dict, value))
    if kind is datetime:
        return _moment(_a(str, value))
    if kind is float and isinstance(value, _NUMBERS):
        return float(value)
    return _a(kind, value)


def _decode_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and NoneType in kinds:
        return None
    rest = [kind for kind in kinds if kind is not NoneType]
    for kind in rest[:-1]:
        try:
            return _decode(kind, value)
        except ValueError:
            continue
    return _decode(rest[-1], value)


def _decode_fields(kind: type[Any], value: dict[str, Any]) -> Any:
    hints = _hints(cast("Any", kind))
    try:
        return kind(**{name: _decode(hint, value[name]) for name, hint in hints.items() if name in value})
    except TypeError:  # one that it cannot be without
        missing = ", ".join(name for name in hints if name not in value)
        raise ValueError(f"{kind.__name__} without {missing}") from None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _a(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"not a {kind.__name__}")
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def encode(value: Any) -> Any:
    """Give a value as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        said = ((each.name, getattr(value, each.name)) for each in fields(value))
        return {name: encode(one) for name, one in said if one is not UNSAID}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("Give times with a time zone.")
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): encode(one) for name, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(encode(one) for one in value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [encode(one) for one in value]
    return value


def in_query(value: Any) -> str:
    """Give a value as a query string has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(encode(value))
