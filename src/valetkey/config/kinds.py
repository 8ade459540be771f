"""The kinds of values that settings have: how each is read from TOML, and how it is written in the reference."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from valetkey.core.account import canonical_domain
from valetkey.core.errors import InvalidInput
from valetkey.core.network import Network, parse_network

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_DURATION = re.compile(r"([0-9]{1,9}) *(second|minute|hour|day|week)s?")
_SIZES = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2, "GB": 1000**3, "GiB": 1024**3}
_SIZE = re.compile(r"([0-9]{1,12}) *(B|kB|KiB|MB|MiB|GB|GiB)")
_MAX_PORT = 65535
_MAX_SECONDS = 366 * 100 * 86400
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_E = TypeVar("_E", bound=Enum)


class Unreadable(ValueError):  # noqa: N818  (it is the file's fault, told to its writer)
    """A value that a setting cannot have: what it should be, and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    `read` takes the TOML value and the folder of the file, and raises `Unreadable`; `write` gives a TOML value.
    """

    words: str
    read: Callable[[Any, Path], Any]
    write: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a socket listens. An empty host is every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"


def quoted(text: str) -> str:
    """Write a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _list(values: Any, write: Callable[[Any], str] = lambda value: quoted(str(value))) -> str:
    return "[" + ", ".join(write(value) for value in values) + "]"


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable("should be text", f'write it in quotes: "{value}"')
    return value


def _text(value: Any, _: Path) -> str:
    text = _as_text(value)
    if not text.isprintable():
        raise Unreadable("holds control characters", "write one line of plain text")
    return text


def _flag(value: Any, _: Path) -> bool:
    if not isinstance(value, bool):
        raise Unreadable("should be true or false", "write true or false, without quotes")
    return value


def _path(value: Any, folder: Path) -> Path:
    text = _as_text(value)
    if not text or "\0" in text:
        raise Unreadable("should be the path of a file", "name a file; relative paths begin at this file's folder")
    return folder / Path(text).expanduser()


def _domain(value: Any, _: Path) -> str:
    text = _as_text(value)
    try:
        return canonical_domain(text)
    except InvalidInput:
        raise Unreadable(
            f"“{text[:60]}” is not a host or domain name", "write a name such as mail.example.org"
        ) from None


def _domain_or_star(value: Any, folder: Path) -> str:
    return "*" if value == "*" else _domain(value, folder)


def _host(value: Any, _: Path) -> str:
    text = _as_text(value)
    if not text or not text.isascii() or re.search(r"[\s/\[\]@]", text):
        raise Unreadable(
            "should be a host name or an IP address", "write a name such as mail.example.org, or 192.0.2.7"
        )
    return text


def _host_or_none(value: Any, folder: Path) -> str:
    return "" if value == "" else _host(value, folder)


def _endpoint(value: Any, _: Path) -> Endpoint:
    text = _as_text(value)
    host, colon, port = text.rpartition(":")
    mend = "write host:port, such as 127.0.0.1:8080, [::1]:8080, or *:993 for every address"
    if not colon or not port.isascii() or not port.isdigit() or (":" in host and not host.startswith("[")):
        raise Unreadable(f"“{text[:60]}” is not an address to listen on", mend)
    if not 0 < int(port) <= _MAX_PORT:
        raise Unreadable(f"{port[:20]} is not a port", f"ports go from 1 to {_MAX_PORT}")
    return Endpoint("" if host == "*" else _host(host.removeprefix("[").removesuffix("]"), Path()), int(port))


def _endpoint_or_none(value: Any, folder: Path) -> Endpoint | None:
    return None if value == "" else _endpoint(value, folder)


def _url(value: Any, _: Path) -> str:
    text = _as_text(value)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment
        usable = usable and parts.username is None and (parts.port is None or parts.port > 0) and text.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise Unreadable(
            f"“{text[:60]}” is not a web address", "write the whole of it, such as https://mail.example.org"
        )
    return text.rstrip("/")


def _networks(value: Any, _: Path) -> tuple[Network, ...]:
    if not isinstance(value, list):
        raise Unreadable("should be a list of networks", 'write a list such as ["192.0.2.0/24", "2001:db8::/32"]')
    networks: list[Network] = []
    for entry in value:
        try:
            networks.append(parse_network(_as_text(entry)))
        except InvalidInput as error:
            raise Unreadable(
                str(error).rstrip("."), "write an address, or a network whose host bits are zero"
            ) from None
    return tuple(networks)


def _duration(value: Any, _: Path) -> timedelta:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Unreadable("should be a span of time", 'write a number and a unit, such as "10 minutes" or "90 days"')
    seconds = int(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= _MAX_SECONDS:
        raise Unreadable("is out of range", "spans of time go from 1 second to 100 years")
    return timedelta(seconds=seconds)


def _duration_or_none(value: Any, folder: Path) -> timedelta | None:
    return None if value == "" else _duration(value, folder)


def _write_duration(value: timedelta | None) -> str:
    if value is None:
        return '""'
    seconds = int(value.total_seconds())
    unit, size = next((u, s) for u, s in reversed(_UNITS.items()) if u != "week" and seconds % s == 0)
    count = seconds // size
    return quoted(f"{count} {unit}{'' if count == 1 else 's'}")


def _size(value: Any, _: Path) -> int:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise Unreadable("should be a size", 'write a number and a unit, such as "100 MiB"')
    return int(match[1]) * _SIZES[match[2]]


def _write_size(value: int) -> str:
    unit, size = next((u, s) for u, s in reversed(_SIZES.items()) if u not in {"kB", "MB", "GB"} and value % s == 0)
    return quoted(f"{value // size} {unit}")


def count(least: int, most: int) -> Kind:
    """Make the kind of a whole number between two bounds."""

    def read(value: Any, _: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unreadable("should be a whole number", f"write a number from {least} to {most}, without quotes")
        if not least <= value <= most:
            raise Unreadable(f"{value} is out of range", f"choose a number from {least} to {most}")
        return value

    return Kind(f"a number from {least} to {most}", read, str)


def choice(values: type[_E]) -> Kind:
    """Make the kind of one of an enumeration's values."""
    words = ", ".join(f'"{item.value}"' for item in values)

    def read(value: Any, _: Path) -> _E:
        text = _as_text(value)
        for item in values:
            if item.value == text:
                return item
        raise Unreadable(f"“{text[:60]}” is not one of the choices", f"choose one of {words}")

    return Kind(f"one of {words}", read, lambda item: quoted(str(item.value)))


def choice_or_none(values: type[_E]) -> Kind:
    """Make the kind of one of an enumeration's values, or none."""
    kind = choice(values)

    def read(value: Any, folder: Path) -> _E | None:
        return None if value == "" else kind.read(value, folder)

    return Kind(f'{kind.words}, or "" for none', read, lambda item: quoted("") if item is None else kind.write(item))


def choices(values: type[_E]) -> Kind:
    """Make the kind of any number of an enumeration's values."""
    kind = choice(values)

    def read(value: Any, folder: Path) -> frozenset[_E]:
        if not isinstance(value, list):
            raise Unreadable("should be a list", f"write a list of {kind.words.removeprefix('one of ')}")
        return frozenset(kind.read(entry, folder) for entry in value)

    def write(found: frozenset[_E]) -> str:
        return _list(item.value for item in values if item in found)

    return Kind(f"a list of {kind.words.removeprefix('one of ')}", read, write)


def _name(value: Any, _: Path) -> str:
    text = _as_text(value)
    if _NAME.fullmatch(text) is None:
        raise Unreadable(f"“{text[:60]}” is not a name", "write up to 63 of a to z, 0 to 9, dot, hyphen and underscore")
    return text


def _names(value: Any, folder: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Unreadable("should be a list of names", 'write a list such as ["mx1", "mx2"]')
    return tuple(_name(entry, folder) for entry in value)


def _fingerprint(value: Any, _: Path) -> bytes:
    digits = _as_text(value).replace(":", "").lower()
    if _SHA256.fullmatch(digits) is None:
        mend = "write 64 hexadecimal digits, as openssl x509 -noout -fingerprint -sha256 gives them"
        raise Unreadable("is not a SHA-256 fingerprint", mend)
    return bytes.fromhex(digits)


TEXT = Kind("text", _text, quoted)
NAME = Kind("a name of a to z, 0 to 9, dot, hyphen and underscore", _name, quoted)
NAMES = Kind("a list of names", _names, _list)
FLAG = Kind("true or false", _flag, lambda value: "true" if value else "false")
PATH = Kind("a path, relative to this file", _path, lambda value: quoted(str(value)))
PATH_OR_NONE = Kind(
    'a path, relative to this file, or "" for none',
    lambda value, folder: None if value == "" else _path(value, folder),
    lambda value: quoted("" if value is None else str(value)),
)
DOMAIN = Kind("a host or domain name", _domain, quoted)
DOMAIN_OR_STAR = Kind('a mail domain, or "*"', _domain_or_star, quoted)
HOST = Kind("a host name or an IP address", _host, quoted)
HOST_OR_NONE = Kind('a host name or an IP address, or "" for none', _host_or_none, quoted)
ENDPOINT = Kind("host:port", _endpoint, lambda value: quoted(str(value)))
ENDPOINT_OR_NONE = Kind('host:port, or "" for none', _endpoint_or_none, lambda value: quoted(str(value or "")))
URL = Kind("a web address", _url, quoted)
FINGERPRINT = Kind("a SHA-256 fingerprint in hexadecimal", _fingerprint, lambda value: quoted(value.hex(":")))
NETWORKS = Kind("a list of addresses and networks", _networks, _list)
DURATION = Kind("a span of time", _duration, _write_duration)
DURATION_OR_NONE = Kind('a span of time, or "" for none', _duration_or_none, _write_duration)
SIZE = Kind("a size", _size, _write_size)
PORT = count(1, _MAX_PORT)
PORT_OR_NONE = Kind(
    f'{PORT.words}, or "" for none',
    lambda value, folder: None if value == "" else PORT.read(value, folder),
    lambda value: quoted("") if value is None else PORT.write(value),
)
