"""Keeps a session to some of a mailbox's folders: what the upstream says of others does not get through.

Stands before `imap_response.ResponseReader`. What names no mailbox passes in slices as it comes; of LIST, LSUB, STATUS
and QUOTAROOT the whole response is read, and passed on if its mailbox is permitted; what is not known does not pass.
Before the client's first command the upstream is asked what stands between the levels of a name (RFC 9051 6.3.9).
"""

import re
from collections.abc import Callable, Sequence

from valetkey.wire.imap_syntax import Group, ImapSyntaxError, Node, Text, Word, Words, value_of
from valetkey.wire.machine import PeerError
from valetkey.wire.mailbox_name import decode_mailbox

_TAG = b"valetkey"
_ASK = _TAG + b' LIST "" ""\r\n'

_KIND = re.compile(rb"\* ([0-9]+|[A-Za-z]+)(?=[ \r\n])")
_LISTS = frozenset({b"LIST", b"LSUB"})
_NAMED = _LISTS | {b"STATUS", b"QUOTAROOT"}
_NAMELESS = frozenset(
    b"OK NO BAD BYE PREAUTH CAPABILITY ENABLED FLAGS SEARCH ESEARCH SORT THREAD ID NAMESPACE QUOTA VANISHED".split()
)
_ANNOUNCEMENT = re.compile(rb"~?\{([0-9]{1,20})\+?\}\r?\n\Z")
_LINE = 65536  # of a line that has to be seen whole
_RESPONSE = 65536  # of a response that has to be read
_TAIL = 32  # longer than the announcement of any literal with its line end
_DEPTH = 5


class FolderGate:
    """Passes what an upstream says, as far as it is of permitted mailboxes.

    `permits` is asked for a mailbox by its name in Unicode with "/" between the levels.
    """

    def __init__(self, permits: Callable[[str], bool]) -> None:
        self._permits = permits
        self._separator: str | None = None
        self._is_known = False
        self._data = bytearray()
        self._take_part: Callable[[bytes], None] | None = None  # of the response that has begun
        self._literal = 0  # octets of a literal that are still to come
        self._read = bytearray()  # a response that has to be read whole
        self._literals: list[tuple[int, int]] = []  # where literals lie in it
        self._passed = bytearray()

    @property
    def question(self) -> bytes:
        """What the upstream is to be asked first."""
        return _ASK

    @property
    def is_known(self) -> bool:
        """Whether the upstream has said what stands between levels, so that names can be judged."""
        return self._is_known

    def permits(self, mailbox: bytes) -> bool:
        """Tell whether a mailbox, as the client wrote its name, may be used."""
        name = self._name(mailbox)
        return name is not None and self._permits(name)

    def permits_whole(self, mailbox: bytes) -> bool:
        """Tell whether a mailbox and whatever may lie in it may be used: RENAME takes along what lies in it."""
        name = self._name(mailbox)
        # No name of a folder holds NUL, so this one lies in it and is none that is permitted by name.
        return name is not None and self._permits(name) and self._permits(f"{name}/\0")

    def _name(self, mailbox: bytes) -> str | None:
        """Give a name with "/" between the levels; None if it cannot be judged."""
        name = decode_mailbox(mailbox)
        if not self._is_known or not name:
            return None
        levels = name.split(self._separator) if self._separator else [name]
        # An empty level, or one that means another place, would be judged as one name and opened as another.
        if any(level in {"", ".", ".."} or "/" in level for level in levels):
            return None
        return "/".join(levels)

    def receive(self, data: bytes | memoryview) -> bytes:
        """Take bytes that arrived, and give those that may pass.

        Raises:
            PeerError: The server does not speak IMAP, or sends a response that is too long to be read.
        """
        self._data += data
        while self._data and self._step():
            pass
        passed = bytes(self._passed)
        self._passed.clear()
        return passed

    def _step(self) -> bool:
        if self._literal:
            part = self._cut(min(self._literal, len(self._data)))
            self._literal -= len(part)
            self._part(part)
            return True
        line_end = self._data.find(b"\n") + 1
        if self._take_part is None and not self._begin(has_end=bool(line_end)):
            return False
        if not line_end:
            return self._take_unfinished()
        self._take_line(self._cut(line_end))
        return True

    def _begin(self, *, has_end: bool) -> bool:
        """See by its first word what is to be done with a response; False while it has not come."""
        kind = _KIND.match(self._data)
        if kind is None and not has_end:
            if len(self._data) > _LINE:
                raise PeerError("The upstream sent a line that is too long")
            return False
        self._read.clear()
        self._literals.clear()
        if kind is None:
            self._take_part = self._pass if not self._data.startswith(b"* ") else _drop
        elif kind[1].isdigit() or kind[1].upper() in _NAMELESS:
            self._take_part = self._pass
        else:
            self._take_part = self._keep if kind[1].upper() in _NAMED else _drop
        return True

    def _take_unfinished(self) -> bool:
        if len(self._data) < _LINE:
            return False
        self._part(self._cut(len(self._data) - _TAIL))
        return True

    def _take_line(self, line: bytes) -> None:
        announcement = _ANNOUNCEMENT.search(line, max(0, len(line) - _TAIL))
        is_tagged = not line.startswith(b"* ") and self._take_part == self._pass and not self._is_known
        if is_tagged and line.startswith(_TAG + b" "):
            self._is_known, self._take_part = True, None
            return
        self._part(line)
        if announcement is not None:
            self._literal = int(announcement[1])
            self._literals.append((len(self._read), self._literal))
            return
        if self._take_part == self._keep:
            self._judge()
        self._take_part = None

    def _part(self, part: bytes) -> None:
        if self._take_part is not None:
            self._take_part(part)

    def _pass(self, part: bytes) -> None:
        self._passed += part

    def _keep(self, part: bytes) -> None:
        if len(self._read) + len(part) + self._literal > _RESPONSE:
            raise PeerError("The upstream sent a response that is too long")
        self._read += part

    def _judge(self) -> None:
        """Pass on a response that was read if its mailbox is permitted."""
        try:
            words = self._words()
        except ImapSyntaxError:
            return
        kind = (value_of(words[1]) or b"").upper() if len(words) > 1 else b""
        if kind in _LISTS:
            self._judge_list(words)
        elif len(words) > 2 and self.permits(value_of(words[2]) or b""):  # noqa: PLR2004  * STATUS mailbox
            self._pass(bytes(self._read))

    def _judge_list(self, words: Sequence[Node]) -> None:
        match words:
            case [_, _, Group(), Word() | Text() as separator, Word() | Text() as mailbox, *_]:
                name = value_of(mailbox) or b""
            case _:
                return
        if not self._is_known:
            self._learn(separator)
        elif not name or self.permits(name):
            self._pass(bytes(self._read))

    def _learn(self, separator: Word | Text) -> None:
        """Learn from the answer to our own question, which the client does not hear."""
        is_nil = isinstance(separator, Word) and separator.text.upper() == b"NIL"
        said = None if is_nil else (value_of(separator) or b"").decode("latin-1")
        self._separator = said or None

    def _words(self) -> tuple[Node, ...]:
        words = Words(_DEPTH)
        position = 0
        for start, size in self._literals:
            line = bytes(self._read[position:start])
            words.add_line(line[: line.rindex(b"{")].removesuffix(b"~"), sections=False)
            words.add_literal(bytes(self._read[start : start + size]))
            position = start + size
        words.add_line(bytes(self._read[position:]).rstrip(b"\r\n"), sections=False)
        return words.finish()

    def _cut(self, count: int) -> bytes:
        with memoryview(self._data) as view:
            taken = bytes(view[:count])
        del self._data[:count]
        return taken


def _drop(_part: bytes) -> None:
    """Let nobody hear it."""
