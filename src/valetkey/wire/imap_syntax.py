"""The words of an IMAP command: how they are read out of a line, and how they are written again.

Nothing here knows what a command means. What is written is always made from what was read, never from the raw line,
so that our reading and the next server's reading cannot differ.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# RFC 9051 section 9: tag = 1*<any ASTRING-CHAR except "+">; the length is our bound.
TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]{1,64}")
# literal = "{" number64 ["+"] "}" CRLF; literal8 begins with "~" (RFC 9051 section 9, RFC 7888).
LITERAL = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")

# A word may hold everything that an atom, a flag, a number, a sequence set or a list pattern may hold; which of
# these it is, the command's own grammar asks. `]` ends a word only directly inside a section.
_TOKEN = re.compile(
    rb'(?P<space>\x20+)|(?P<open>\()|(?P<close>\))|"(?P<quoted>[^"\\\x00\r\n]*(?:\\["\\][^"\\\x00\r\n]*)*)"'
    rb"|(?P<word>\\?[^\x00-\x20\x7f-\xff(){\"\\]+)"
)
_IN_SECTION = re.compile(
    rb"(?P<space>\x20+)|(?P<open>\()|(?P<end>\])(?P<partial><[0-9]{1,10}\.[0-9]{1,10}>)?"
    rb"|(?P<word>[^\x00-\x20\x7f-\xff(){\"\\\]]+)"
)
_SECTION = re.compile(rb"(?P<section>BODY(?:\.PEEK)?|BINARY(?:\.PEEK|\.SIZE)?)\[", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(.)")
# RFC 9051 section 9: atom = 1*ATOM-CHAR, and nothing else.
ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+\Z")
_QUOTABLE = re.compile(rb"[\x20-\x7e]{0,4096}\Z")


class ImapSyntaxError(Exception):
    """A command is malformed. The message is ours alone and may be shown to the client."""


@dataclass(frozen=True, slots=True)
class Word:
    """An atom, number, flag, sequence set or list pattern, as it was spelled."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A string: what was in a quoted string or a literal."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """A parenthesised list."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message that FETCH names, such as BODY.PEEK[HEADER.FIELDS (FROM)]<0.100>."""

    name: bytes  # in upper case
    items: tuple["Node", ...]
    partial: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """The message of APPEND: only its size is known, its octets are passed on as they come."""

    size: int
    binary: bool = False  # announced as a literal8 (RFC 3516)


Node = Word | Text | Group | Section | Message


@dataclass(slots=True)
class _Frame:
    items: list[Node] = field(default_factory=list)
    section: bytes | None = None


class Words:
    """Gathers the words of one command from its lines and literals."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._stack = [_Frame()]
        self._spaced = True  # whether a new word may begin here

    @property
    def top(self) -> Sequence[Node]:
        """The words gathered so far outside all parentheses."""
        return self._stack[0].items

    @property
    def nested(self) -> bool:
        """Whether a parenthesis or section is still open."""
        return len(self._stack) > 1

    def add_line(self, line: bytes, *, sections: bool) -> None:
        """Gather the words of a line (or of the rest of a line after a literal).

        Raises:
            ImapSyntaxError: The line holds what no command may hold.
        """
        position = 0
        while position < len(line):
            match = self._match(line, position, sections)
            if match is None:
                raise ImapSyntaxError("Malformed command")
            self._take(match)
            position = match.end()

    def add_literal(self, value: bytes) -> None:
        """Gather the octets of a literal.

        Raises:
            ImapSyntaxError: The literal holds NUL (RFC 9051 section 9: CHAR8).
        """
        if b"\0" in value:
            raise ImapSyntaxError("NUL is not allowed")
        self.expect_literal()
        self._add(Text(value))

    def expect_literal(self) -> None:
        """Check that a literal may stand here.

        Raises:
            ImapSyntaxError: It may not.
        """
        if not self._spaced or self._stack[-1].section is not None:
            raise ImapSyntaxError("A literal may not stand here")

    def finish(self) -> tuple[Node, ...]:
        """Give all words.

        Raises:
            ImapSyntaxError: A parenthesis is still open.
        """
        if self.nested:
            raise ImapSyntaxError("A parenthesis is not closed")
        return tuple(self._stack[0].items)

    def _match(self, line: bytes, position: int, sections: bool) -> re.Match[bytes] | None:
        if self._stack[-1].section is not None:
            return _IN_SECTION.match(line, position)
        return (_SECTION.match(line, position) if sections else None) or _TOKEN.match(line, position)

    def _take(self, match: re.Match[bytes]) -> None:
        match match.lastgroup:
            case "space":
                self._spaced = True
            case "open":
                self._open(_Frame())
            case "section":
                self._open(_Frame(section=match["section"].upper()))
            case "close":
                self._close()
            case "end" | "partial":
                self._close(match["partial"] or b"")
            case "quoted":
                self._add(Text(_ESCAPE.sub(rb"\1", match["quoted"])))
            case _:
                self._add(Word(match["word"]))

    def _add(self, node: Node) -> None:
        if not self._spaced:
            raise ImapSyntaxError("A space is missing")
        self._stack[-1].items.append(node)
        self._spaced = False

    def _open(self, frame: _Frame) -> None:
        if not self._spaced:
            raise ImapSyntaxError("A space is missing")
        if len(self._stack) > self._depth:
            raise ImapSyntaxError("Too many parentheses")
        self._stack.append(frame)

    def _close(self, partial: bytes = b"") -> None:
        if not self.nested:
            raise ImapSyntaxError("A parenthesis was not opened")
        frame = self._stack.pop()
        items = tuple(frame.items)
        self._spaced = True
        self._add(Group(items) if frame.section is None else Section(frame.section, items, partial))


def written(nodes: Sequence[Node]) -> Iterator[bytes | Text | Message]:
    """Write nodes again: bytes stand as they are; a Text or a Message has to be sent as a literal."""
    for index, node in enumerate(nodes):
        if index:
            yield b" "
        match node:
            case Word(text):
                yield text
            case Text(value):
                yield quoted(value) if is_quotable(value) else node
            case Group(items):
                yield b"("
                yield from written(items)
                yield b")"
            case Section(name, items, partial):
                yield name + b"["
                yield from written(items)
                yield b"]" + partial
            case Message():
                yield node


def quoted(value: bytes) -> bytes:
    """Write a quoted string; the caller knows that `value` is printable ASCII (RFC 9051 section 4.3)."""
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def value_of(node: Node) -> bytes | None:
    """Give what a word or string says, however it was spelled; None for what is neither."""
    match node:
        case Word(value) | Text(value):
            return value
        case _:
            return None


def is_quotable(value: bytes) -> bool:
    """Whether a value may stand in a quoted string in every dialect of IMAP: printable ASCII, not long."""
    return _QUOTABLE.match(value) is not None
