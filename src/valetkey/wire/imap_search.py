"""The criteria of SEARCH, SORT and THREAD, and the cursor with which arguments are read."""

import re
from collections.abc import Callable, Collection, Sequence

from valetkey.wire.imap_syntax import ATOM, Group, ImapSyntaxError, Node, Text, Word, value_of

_SEQUENCE_SET = re.compile(
    rb"(?:\$|(?:\*|[1-9][0-9]{0,9})(?::(?:\*|[1-9][0-9]{0,9}))?(?:,(?:\*|[1-9][0-9]{0,9})(?::(?:\*|[1-9][0-9]{0,9}))?)*)\Z"
)
_NUMBER = re.compile(rb"[0-9]{1,20}\Z")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+\Z")
_PATTERN = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"\\]+\Z")
_DATE = re.compile(rb"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}\Z")
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}\Z")

_RETURNS = frozenset(b"ALL COUNT MAX MIN SAVE".split())
_SORT_KEYS = frozenset(b"ARRIVAL CC DATE DISPLAYFROM DISPLAYTO FROM REVERSE SIZE SUBJECT TO".split())
_THREADINGS = frozenset(b"ORDEREDSUBJECT REFERENCES REFS".split())


class ImapArguments:
    """The arguments of a command or of a parenthesised list, taken one after the other.

    Every method that takes one raises ImapSyntaxError if what comes next is something else.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._next = 0

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._next < len(self._nodes)

    def peek(self) -> Node | None:
        """Look at what comes next."""
        return self._nodes[self._next] if self.more else None

    def take(self) -> Node:
        """Take whatever comes next."""
        if not self.more:
            raise ImapSyntaxError("An argument is missing")
        node = self._nodes[self._next]
        self._next += 1
        return node

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self.more:
            raise ImapSyntaxError("Too many arguments, or an extension that is not available")

    def word(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Take a word that matches."""
        node = self.take()
        match = pattern.match(node.text) if isinstance(node, Word) else None
        if match is None:
            raise ImapSyntaxError("Malformed argument, or an extension that is not available")
        return match

    def matching(self, pattern: re.Pattern[bytes]) -> bytes:
        """Take a word or string that matches."""
        node = self.take()
        value = value_of(node)
        if value is None or pattern.match(value) is None:
            raise ImapSyntaxError("Malformed argument")
        return value

    def keyword(self, allowed: Collection[bytes]) -> bytes:
        """Take one of these keywords, in whatever case; gives it in upper case."""
        keyword = self.word(ATOM)[0].upper()
        if keyword not in allowed:
            raise ImapSyntaxError("Malformed argument, or an extension that is not available")
        return keyword

    def optional_keyword(self, allowed: Collection[bytes]) -> bool:
        """Take one of these keywords if it comes next."""
        node = self.peek()
        found = isinstance(node, Word) and node.text.upper() in allowed
        if found:
            self.take()
        return found

    def keywords(self, allowed: Collection[bytes]) -> None:
        """Take keywords up to the end."""
        while self.more:
            self.keyword(allowed)

    def group(self) -> "ImapArguments":
        """Take a parenthesised list."""
        node = self.take()
        if not isinstance(node, Group):
            raise ImapSyntaxError("A parenthesised list is missing")
        return ImapArguments(node.items)

    def optional_group(self) -> "ImapArguments | None":
        """Take a parenthesised list if one comes next."""
        return self.group() if isinstance(self.peek(), Group) else None

    def some(self, take_one: Callable[["ImapArguments"], object]) -> None:
        """Take one or more, up to the end."""
        take_one(self)
        while self.more:
            take_one(self)

    def sequence_set(self) -> None:
        """Take message numbers or UIDs; `$` is what SEARCH has saved."""
        self.word(_SEQUENCE_SET)

    def number(self) -> None:
        """Take a number of up to 64 bits."""
        self.word(_NUMBER)

    def string(self) -> bytes:
        """Take a quoted string or literal."""
        node = self.take()
        if not isinstance(node, Text):
            raise ImapSyntaxError("A string is missing")
        return node.value

    def nstring(self) -> None:
        """Take a string or NIL."""
        if not self.optional_keyword({b"NIL"}):
            self.string()

    def astring(self) -> bytes:
        """Take a string, quoted or not."""
        node = self.take()
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Word) and _ASTRING.match(node.text):
            return node.text
        raise ImapSyntaxError("A string is missing")

    def mailbox(self) -> bytes:
        """Take the name of a mailbox."""
        return self.astring()

    def pattern(self) -> None:
        """Take a pattern of mailbox names."""
        node = self.take()
        if not isinstance(node, Text) and not (isinstance(node, Word) and _PATTERN.match(node.text)):
            raise ImapSyntaxError("A pattern is missing")


def check_search(arguments: ImapArguments) -> None:
    """Check the arguments of SEARCH (RFC 9051 section 6.4.4, RFC 4731, RFC 5182)."""
    _check_returns(arguments)
    if arguments.optional_keyword({b"CHARSET"}):
        arguments.astring()
    _check_keys(arguments)


def check_sort(arguments: ImapArguments) -> None:
    """Check the arguments of SORT (RFC 5256, RFC 5267, RFC 5957)."""
    _check_returns(arguments)
    arguments.group().keywords(_SORT_KEYS)
    arguments.astring()
    _check_keys(arguments)


def check_thread(arguments: ImapArguments) -> None:
    """Check the arguments of THREAD (RFC 5256)."""
    arguments.keyword(_THREADINGS)
    arguments.astring()
    _check_keys(arguments)


def _check_returns(arguments: ImapArguments) -> None:
    if arguments.optional_keyword({b"RETURN"}):
        arguments.group().keywords(_RETURNS)


def _check_keys(arguments: ImapArguments) -> None:
    """Check search keys up to the end; NOT, OR and FUZZY owe keys of their own."""
    owed = 1
    while arguments.more or owed > 0:
        owed = max(owed - 1, 0) + _check_key(arguments)


def _check_key(arguments: ImapArguments) -> int:
    """Check one search key; gives how many keys it still owes."""
    node = arguments.peek()
    if isinstance(node, Group):
        _check_keys(arguments.group())
        return 0
    if isinstance(node, Word) and _SEQUENCE_SET.match(node.text):
        arguments.take()
        return 0
    keyword = arguments.keyword(_KEYS)
    if keyword in _OPERATORS:
        return _OPERATORS[keyword]
    for take in _KEYS[keyword]:
        take(arguments)
    return 0


def _take_date(arguments: ImapArguments) -> None:
    arguments.matching(_DATE)


def _take_flag(arguments: ImapArguments) -> None:
    arguments.word(ATOM)


def _take_object_id(arguments: ImapArguments) -> None:
    arguments.word(_OBJECT_ID)


def _take_modification(arguments: ImapArguments) -> None:
    # RFC 7162 section 3.1.5: MODSEQ ["/flags/…" priv|shared|all] number
    if isinstance(arguments.peek(), Text):
        arguments.string()
        arguments.keyword({b"PRIV", b"SHARED", b"ALL"})
    arguments.number()


_Taker = Callable[[ImapArguments], object]
_OPERATORS = {b"NOT": 1, b"OR": 2, b"FUZZY": 1}


def _keys(names: bytes, *takers: _Taker) -> dict[bytes, tuple[_Taker, ...]]:
    return dict.fromkeys(names.split(), takers)


_KEYS: dict[bytes, tuple[_Taker, ...]] = {
    **_keys(b"NOT OR FUZZY"),
    **_keys(b"ALL ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN"),
    **_keys(b"UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN SAVEDATESUPPORTED"),
    **_keys(b"BCC BODY CC FROM SUBJECT TEXT TO", ImapArguments.astring),
    **_keys(b"HEADER", ImapArguments.astring, ImapArguments.astring),
    **_keys(b"BEFORE ON SENTBEFORE SENTON SENTSINCE SINCE SAVEDBEFORE SAVEDON SAVEDSINCE", _take_date),
    **_keys(b"KEYWORD UNKEYWORD", _take_flag),
    **_keys(b"LARGER SMALLER OLDER YOUNGER", ImapArguments.number),
    **_keys(b"UID", ImapArguments.sequence_set),
    **_keys(b"EMAILID THREADID", _take_object_id),
    **_keys(b"MODSEQ", _take_modification),
}
