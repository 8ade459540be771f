"""Follows what an IMAP server says, so that something of ours can be put between two whole responses.

Data passes in slices as it comes, literals by their count; only the few lines that a filter has to see are taken
apart (RFC 9051 section 7).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from valetkey.wire.imap_syntax import TAG
from valetkey.wire.machine import PeerError

# What the filter must see begins otherwise than "* ", speaks of capabilities, or ends in a literal's announcement.
_NOTEWORTHY = re.compile(rb"\}\r?\n|\n(?!\* |\Z)|[Cc][Aa][Pp][Aa][Bb][Ii][Ll][Ii][Tt][Yy]")
_ANNOUNCEMENT = re.compile(rb"\{([0-9]{1,20})\+?\}\r?\n\Z")
_STATUS = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH|CAPABILITY)(?=[ \r\n])", re.IGNORECASE)
_TAGGED = re.compile(rb" (?:OK|NO|BAD)(?=[ \r\n])", re.IGNORECASE)
_CAPABILITY = re.compile(rb"(\* |[^ ]+ [A-Z]+ \[)(CAPABILITY(?: +[^\]\r\n]*)?)", re.IGNORECASE)

_HELD = 8192  # of a line that only passes
_LINE = 65536  # of a line that has to be seen whole
_TAIL = 32  # longer than the announcement of any literal with its line end


@dataclass(frozen=True, slots=True)
class Passage:
    """Octets to pass on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Continuation:
    """The server says "+": it waits for the client."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Tagged:
    """The server has done with a command."""

    tag: bytes
    line: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """An untagged status or capability response."""

    line: bytes


Response = Passage | Continuation | Tagged | Notice


class ResponseReader:
    """Cuts what a server sends into responses and passages of responses."""

    __slots__ = ("_data", "_inside", "_literal", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0
        self._inside = False  # in the middle of a response that only passes
        self._literal = 0  # octets of a literal that are still to come

    @property
    def at_boundary(self) -> bool:
        """Whether everything given so far ended with a whole response."""
        return not self._inside

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._data += data

    def next(self) -> Response | None:
        """Give what comes next, or None while more bytes are needed.

        Raises:
            PeerError: The server does not speak IMAP, or a line that has to be seen is too long.
        """
        if not self._data:
            return None
        if self._literal:
            data = self._take(min(self._literal, len(self._data)))
            self._literal -= len(data)
            return Passage(data)
        if self._inside:
            return self._pass_line()
        return self._pass_lines() or self._see_line()

    def _pass_lines(self) -> Passage | None:
        """Pass whole lines in one piece, up to the first that has to be seen."""
        end = self._data.rfind(b"\n") + 1
        if not end or not self._data.startswith(b"* "):
            return None
        match = _NOTEWORTHY.search(self._data, 0, end)
        if match is not None:
            start = match.start() + 1 if match[0] == b"\n" else match.start()
            end = self._data.rfind(b"\n", 0, start) + 1
        return Passage(self._take(end)) if end else None

    def _see_line(self) -> Response | None:
        line_end = self._find_line_end()
        if not line_end:
            return self._see_unfinished_line()
        match = _STATUS.match(self._data)
        if match is None and self._data.startswith(b"* "):
            self._inside = True
            return self._pass_line()
        line = self._take(line_end)
        if match is not None:
            return Notice(line)
        if line.startswith(b"+"):
            return Continuation(line)
        tag = TAG.match(line)
        if tag is None or not _TAGGED.match(line, tag.end()):
            raise PeerError("The upstream's response is not IMAP")
        return Tagged(tag[0], line)

    def _see_unfinished_line(self) -> Response | None:
        """Let a long line pass before it has ended, unless it is one that has to be seen."""
        if len(self._data) < _HELD:
            return None
        if self._data.startswith(b"* ") and not _STATUS.match(self._data):
            self._inside = True
            return self._pass_line()
        if len(self._data) > _LINE:
            raise PeerError("The upstream sent a line that is too long")
        return None

    def _pass_line(self) -> Passage | None:
        line_end = self._find_line_end()
        if not line_end:
            return Passage(self._take(len(self._data) - _TAIL)) if len(self._data) >= _HELD else None
        data = self._take(line_end)
        announcement = _ANNOUNCEMENT.search(data, max(0, len(data) - _TAIL))
        if announcement is None:
            self._inside = False
            return Passage(data)
        self._literal = int(announcement[1])
        return Passage(data)

    def _find_line_end(self) -> int:
        """Where the first line ends; 0 while it has not."""
        end = self._data.find(b"\n", self._searched) + 1
        self._searched = 0 if end else len(self._data)
        return end

    def _take(self, count: int) -> bytes:
        with memoryview(self._data) as view:
            taken = bytes(view[:count])
        del self._data[:count]
        self._searched = 0
        return taken


def with_capabilities(line: bytes, limited: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> bytes:
    """Write a status or capability response again with the capabilities that `limited` leaves."""
    match = _CAPABILITY.match(line)
    if match is None:
        return line
    names = match[2].split()
    written = b" ".join((names[0], *limited(tuple(names[1:]))))
    return match[1] + written + line[match.end() :]
