"""Reads one IMAP command at a time, asking before each literal.

A literal is announced before its octets come, and the one who reads decides whether they are taken into memory,
passed on, or thrown away. Nothing is allocated for what was only announced.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.imap_syntax import LITERAL, TAG, ImapSyntaxError, Node, Words

_FETCH = re.compile(rb"[^ ]+ +(?:UID +)?FETCH ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one command may cost, in octets and parentheses."""

    line: int
    literal: int  # one literal that is taken into memory
    total: int  # lines and literals of one command in memory
    skipped: int  # what is thrown away to find the end of a refused command
    depth: int  # parentheses within parentheses


@dataclass(frozen=True, slots=True)
class Announced:
    """A literal is announced; the reader waits for `accept`, `discard` or `release`."""

    size: int
    synchronizing: bool  # the client waits for "+" before it sends the octets
    binary: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """A whole command was read."""

    tag: bytes
    words: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """What was read is no command. It is skipped, with the literals that belong to it."""

    tag: bytes  # b"*" when no tag could be read
    text: str


Step = Announced | Finished | Malformed


class CommandReader:
    """Reads commands out of a buffer."""

    def __init__(self, buffer: Buffer, limits: ReadLimits) -> None:
        self._buffer = buffer
        self._limits = limits
        self.line = b""  # the line read last, for who must recognise another protocol; never for a log
        self._announced: Announced | None = None
        self._expected: int | None = None  # the size of the literal that is being taken
        self._forget()

    @property
    def tag(self) -> bytes:
        """The tag of the command that is being read."""
        return self._tag

    @property
    def words(self) -> Sequence[Node]:
        """The words outside parentheses read so far, without the tag; not copied, for it is asked at each literal."""
        return self._words.top

    @property
    def nested(self) -> bool:
        """Whether a parenthesis is open."""
        return self._words.nested

    def advance(self) -> Step | None:
        """Read on; None while more octets are needed, or while an announced literal waits for a decision.

        Raises:
            LimitExceededError: The client sends more than the limits allow: the connection cannot be kept.
        """
        if self._announced is not None or (self._skipping and not self._skip()):
            return None
        if self._expected is not None:
            value = self._buffer.take_exactly(self._expected)
            if value is None:
                return None
            malformed = self._take_literal(value)
            if malformed is not None:
                return malformed
        raw = self._buffer.take_raw_line(self._limits.line)
        return None if raw is None else self._read_line(raw)

    def fits(self, size: int) -> bool:
        """Whether a literal of this size may be taken into memory."""
        return size <= self._limits.literal and self._used + size <= self._limits.total

    def accept(self) -> None:
        """Take the announced literal into memory; the caller has asked `fits`."""
        announced, self._announced = self._announced, None
        if announced is not None:
            self._expected = announced.size

    def discard(self) -> None:
        """Give the command up; octets that come without being asked for are thrown away.

        Raises:
            LimitExceededError: They are too many.
        """
        announced = self._announced
        self._forget()
        if announced is not None and not announced.synchronizing:
            self._start_skipping(announced.size)

    def release(self) -> None:
        """Let the command go: from here on, the caller reads the announced literal and the line's end itself."""
        self._forget()

    def _forget(self) -> None:
        self._tag = b""
        self._started = False
        self._sections = False
        self._used = 0
        self._words = Words(self._limits.depth)
        self._announced = None
        self._expected = None
        self._skipping = False
        self._to_skip = 0

    def _read_line(self, raw: bytes) -> Step:
        self.line = raw
        self._used += len(raw)
        if self._used > self._limits.total:
            raise LimitExceededError
        line = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
        literal = LITERAL.search(line)
        try:
            self._gather(line if literal is None else line[: literal.start()])
            _require_line_end(raw)
            if literal is None:
                return self._finish()
            self._words.expect_literal()
        except ImapSyntaxError as error:
            return self._complain(str(error), literal)
        announced = Announced(int(literal[2]), not literal[3], bool(literal[1]))
        self._announced = announced
        return announced

    def _gather(self, text: bytes) -> None:
        if not self._started:
            self._started = True
            self._sections = _FETCH.match(text) is not None
            tag = TAG.match(text)
            if tag is None or text[tag.end() : tag.end() + 1] not in (b"", b" "):
                raise ImapSyntaxError("A command begins with a tag")
            self._tag = tag[0]
            text = text[tag.end() :]
        self._words.add_line(text, sections=self._sections)

    def _finish(self) -> Finished:
        finished = Finished(self._tag, self._words.finish())
        self._forget()
        return finished

    def _take_literal(self, value: bytes) -> Malformed | None:
        self._expected = None
        self._used += len(value)
        try:
            self._words.add_literal(value)
        except ImapSyntaxError as error:
            malformed = Malformed(self._tag, str(error))
            self._forget()
            self._start_skipping(0)  # the rest of the line still belongs to this command
            return malformed
        return None

    def _complain(self, text: str, literal: re.Match[bytes] | None) -> Malformed:
        malformed = Malformed(self._tag or b"*", text)
        self._forget()
        if literal is not None and literal[3]:
            self._start_skipping(int(literal[2]))
        return malformed

    def _start_skipping(self, size: int) -> None:
        if size > self._limits.skipped:
            raise LimitExceededError
        self._skipping = True
        self._to_skip = size

    def _skip(self) -> bool:
        """Throw away announced octets and the rest of their command; whether the end of it was reached."""
        while True:
            self._to_skip -= self._buffer.drop_up_to(self._to_skip)
            raw = None if self._to_skip else self._buffer.take_raw_line(self._limits.line)
            if raw is None:
                return False
            literal = LITERAL.search(raw.rstrip(b"\r\n"))
            if literal is None or not literal[3]:
                self._forget()
                return True
            self._start_skipping(int(literal[2]))


def _require_line_end(raw: bytes) -> None:
    if not raw.endswith(b"\r\n"):
        raise ImapSyntaxError("A line ends with CR LF")
