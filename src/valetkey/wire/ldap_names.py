r"""Distinguished names as text (RFC 4514): `uid=alice,service=imap,dc=example`, with `\,` or `\2C` for a comma.

Read strictly: what stands for nothing, or could be read in two ways, is no name. Not read at all are names of several
values (`a=1+b=2`), values in hexadecimal (`#04…`) and the quotes of older standards.
"""

import re
from collections.abc import Sequence

MOST_OCTETS = 8_192
MOST_PARTS = 64
_CHAR = rb'[^\x00"+,;<>\\]|\\(?:["+,;<>\\ #=]|[0-9A-Fa-f]{2})'
_PART = re.compile(rb" *([A-Za-z0-9.-]{1,64})=((?:" + _CHAR + rb")*)(,|\Z)")
_CHARS = re.compile(_CHAR)
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_TO_ESCAPE = re.compile(rb"[^ !#-*\-.-:=?-\[\]-~]|^[ #]| \Z")
_HEX_PAIR = 2

Part = tuple[str, bytes]  # an attribute's name in lower case, and its value as it is meant


class InvalidName(ValueError):  # noqa: N818  it is what the text is
    """A text is no distinguished name."""


def read_name(text: bytes) -> tuple[Part, ...]:
    """Take a distinguished name apart, the nearest part first.

    Raises:
        InvalidName: It is none, or a very long one.
    """
    if len(text) > MOST_OCTETS:
        raise InvalidName
    parts: list[Part] = []
    at = 0
    while at < len(text) or parts:
        found = _PART.match(text, at)
        if found is None or len(parts) == MOST_PARTS:
            raise InvalidName
        parts.append((found[1].decode().lower(), _value(found[2])))
        at = found.end()
        if not found[3]:
            break
    return tuple(parts)


def write_name(parts: Sequence[Part]) -> bytes:
    """Write a distinguished name, in ASCII; the same parts are always written alike."""
    return b",".join(kind.encode() + b"=" + _TO_ESCAPE.sub(_in_hex, value) for kind, value in parts)


def _value(raw: bytes) -> bytes:
    chars = _CHARS.findall(raw)
    if chars and (chars[0] in (b" ", b"#") or chars[-1] == b" "):
        raise InvalidName
    return _ESCAPED.sub(_meant, raw)


def _meant(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if len(found[1]) == _HEX_PAIR else found[1]


def _in_hex(found: re.Match[bytes]) -> bytes:
    return b"\\%02X" % found[0][0]
