"""On which line of a TOML file a key stands, for the messages about it. Reads no values; `tomllib` does."""

import re
from collections.abc import Iterator, Mapping

Place = tuple[str | int, ...]  # keys, and numbers for the entries of [[arrays of tables]]

_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|[\[\]{}]', re.DOTALL)


def places(text: str) -> Mapping[Place, int]:
    """Find the line of each table and key of a valid TOML text, counted from 1."""
    found: dict[Place, int] = {(): 1}
    arrays: dict[Place, int] = {}
    table: Place = ()
    for number, statement in _statements(text):
        header = _HEADER.match(statement)
        if header and "=" not in statement.split("#")[0].split("]")[-1]:
            table = _table(_keys(header[2]), arrays, is_array=header[1] == "[[")
            _note(found, table, number)
        elif statement.strip() and not statement.lstrip().startswith("#"):
            _note(found, table + _keys(statement), number)
    return found


def _note(found: dict[Place, int], place: Place, number: int) -> None:
    for length in range(1, len(place) + 1):
        found.setdefault(place[:length], number)


def _table(keys: Place, arrays: dict[Place, int], *, is_array: bool) -> Place:
    place: Place = ()
    for position, key in enumerate(keys):
        place = (*place, key)
        if is_array and position == len(keys) - 1:
            arrays[place] = arrays.get(place, -1) + 1
        if place in arrays:
            place = (*place, arrays[place])
    return place


def _keys(text: str) -> Place:
    keys: list[str | int] = []
    position = 0
    while match := _KEY_PART.match(text, position):
        keys.append(next(group for group in match.groups() if group is not None))
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return tuple(keys)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Give each statement's first line, skipping the lines inside multi-line strings, lists and inline tables."""
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        is_inside = bool(depth or quote)
        is_header = not is_inside and line.lstrip().startswith("[")
        if not is_inside:
            yield number, line
        if not is_header:
            depth, quote = _after(line, depth, quote)


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return depth, quote
            position, quote = end + len(quote), ""
            continue
        token = _TOKEN.search(line, position)
        if token is None:
            break
        position = token.end()
        if token[0] in {'"""', "'''"}:
            quote = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
    return depth, quote
