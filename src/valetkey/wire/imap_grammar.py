"""The arguments of each IMAP command that may pass a filter, each checked completely (RFC 9051 section 9).

What is not written here is refused: an extension can pass only after somebody has read what it may do.
"""

import re
from collections.abc import Callable, Sequence

from valetkey.wire.imap_search import ImapArguments, check_search, check_sort, check_thread
from valetkey.wire.imap_syntax import ATOM, Group, ImapSyntaxError, Message, Node, Section, Text, Word

_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+\Z")
_FETCH_MACROS = frozenset({b"ALL", b"FAST", b"FULL"})
_FETCH_ITEMS = frozenset(
    b"BODY BODYSTRUCTURE EMAILID ENVELOPE FLAGS INTERNALDATE MODSEQ PREVIEW RFC822 RFC822.HEADER RFC822.SIZE "
    b"RFC822.TEXT SAVEDATE THREADID UID".split()
)
_STATUS_ITEMS = frozenset(
    b"APPENDLIMIT DELETED DELETED-STORAGE HIGHESTMODSEQ MAILBOXID MESSAGES RECENT SIZE UIDNEXT UIDVALIDITY UNSEEN".split()
)
_LIST_SELECTIONS = frozenset(b"RECURSIVEMATCH REMOTE SPECIAL-USE SUBSCRIBED".split())
_LIST_RETURNS = frozenset(b"CHILDREN SPECIAL-USE SUBSCRIBED".split())
_SECTION_TEXT = re.compile(
    rb"(?:[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*"
    rb"(?:\.(?:HEADER|TEXT|MIME|(?P<fields_of_part>HEADER\.FIELDS(?:\.NOT)?)))?"
    rb"|HEADER|TEXT|(?P<fields>HEADER\.FIELDS(?:\.NOT)?))\Z",
    re.IGNORECASE,
)
_PART_NUMBER = re.compile(rb"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*\Z")
_STORE = re.compile(rb"[+-]?FLAGS(?:\.SILENT)?\Z", re.IGNORECASE)
_DATE_TIME = re.compile(rb"[ 0-9][0-9]-[A-Za-z]{3}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\Z")
_ID_PAIRS = 30


def check_arguments(name: str, arguments: Sequence[Node]) -> None:
    """Check the arguments of a command; the name of a UID command begins with "UID ".

    Raises:
        ImapSyntaxError: They are malformed, or use what is not understood here.
        KeyError: The command is unknown.
    """
    rest = ImapArguments(arguments)
    _GRAMMAR[name](rest)
    rest.end()


def _nothing(_arguments: ImapArguments) -> None:
    pass


def _mailbox(arguments: ImapArguments) -> None:
    arguments.mailbox()


def _two_mailboxes(arguments: ImapArguments) -> None:
    arguments.mailbox()
    arguments.mailbox()


def _select(arguments: ImapArguments) -> None:
    arguments.mailbox()
    parameters = arguments.optional_group()
    while parameters is not None and parameters.more:
        if parameters.keyword({b"CONDSTORE", b"QRESYNC"}) == b"QRESYNC":
            _qresync(parameters.group())


def _qresync(arguments: ImapArguments) -> None:
    # RFC 7162 section 3.2.5: uidvalidity, mod-sequence, known UIDs, and a match of sequence numbers to UIDs
    arguments.number()
    arguments.number()
    if arguments.more and isinstance(arguments.peek(), Word):
        arguments.sequence_set()
    match = arguments.optional_group()
    if match is not None:
        match.sequence_set()
        match.sequence_set()
        match.end()
    arguments.end()


def _create(arguments: ImapArguments) -> None:
    arguments.mailbox()
    parameters = arguments.optional_group()
    if parameters is not None:
        parameters.keyword({b"USE"})  # RFC 6154 section 3
        _flags(parameters.group())
        parameters.end()


def _list(arguments: ImapArguments) -> None:
    selections = arguments.optional_group()
    if selections is not None:
        selections.keywords(_LIST_SELECTIONS)
    arguments.mailbox()
    patterns = arguments.optional_group()
    if patterns is None:
        arguments.pattern()
    else:
        patterns.some(ImapArguments.pattern)
    if arguments.more:
        arguments.keyword({b"RETURN"})
        _list_returns(arguments.group())


def _list_returns(options: ImapArguments) -> None:
    while options.more:
        if options.keyword(_LIST_RETURNS | {b"STATUS"}) == b"STATUS":  # RFC 5819
            options.group().keywords(_STATUS_ITEMS)


def _lsub(arguments: ImapArguments) -> None:
    arguments.mailbox()
    arguments.pattern()


def _status(arguments: ImapArguments) -> None:
    arguments.mailbox()
    arguments.group().keywords(_STATUS_ITEMS)


def _append(arguments: ImapArguments) -> None:
    arguments.mailbox()
    flags = arguments.optional_group()
    if flags is not None:
        _flags(flags)
    if isinstance(arguments.peek(), Text):
        arguments.matching(_DATE_TIME)
    if not isinstance(arguments.take(), Message):
        raise ImapSyntaxError("APPEND takes one message as a literal")


def _id(arguments: ImapArguments) -> None:
    fields = arguments.optional_group()
    if fields is None:
        arguments.keyword({b"NIL"})
        return
    for _ in range(_ID_PAIRS):
        if fields.more:
            fields.string()
            fields.nstring()
    fields.end()


def _enable(arguments: ImapArguments) -> None:
    arguments.some(lambda rest: rest.word(ATOM))


def _flags(arguments: ImapArguments) -> None:
    while arguments.more:
        arguments.word(_FLAG)


def _store(arguments: ImapArguments) -> None:
    arguments.sequence_set()
    modifiers = arguments.optional_group()
    if modifiers is not None:
        modifiers.keyword({b"UNCHANGEDSINCE"})
        modifiers.number()
        modifiers.end()
    arguments.word(_STORE)
    flags = arguments.optional_group()
    if flags is None:
        arguments.some(lambda rest: rest.word(_FLAG))
    else:
        _flags(flags)


def _sequence_set(arguments: ImapArguments) -> None:
    arguments.sequence_set()


def _copy(arguments: ImapArguments) -> None:
    arguments.sequence_set()
    arguments.mailbox()


def _fetch(arguments: ImapArguments) -> None:
    arguments.sequence_set()
    items = arguments.optional_group()
    if items is not None:
        items.some(_fetch_item)
    elif not arguments.optional_keyword(_FETCH_MACROS):
        _fetch_item(arguments)
    modifiers = arguments.optional_group()
    while modifiers is not None and modifiers.more:
        if modifiers.keyword({b"CHANGEDSINCE", b"VANISHED"}) == b"CHANGEDSINCE":  # RFC 7162 section 3.1.4
            modifiers.number()


def _fetch_item(arguments: ImapArguments) -> None:
    if isinstance(arguments.peek(), Section):
        _check_section(arguments.take())
    elif arguments.keyword(_FETCH_ITEMS) == b"PREVIEW" and isinstance(arguments.peek(), Group):
        _preview(arguments)


def _preview(arguments: ImapArguments) -> None:
    # RFC 8970: PREVIEW (LAZY). A group behind a lone PREVIEW may also be the modifiers of FETCH.
    group = arguments.peek()
    if isinstance(group, Group) and group.items == (Word(b"LAZY"),):
        arguments.take()


def _check_section(node: Node) -> None:
    if not isinstance(node, Section):
        raise ImapSyntaxError("Malformed section")
    inside = ImapArguments(node.items)
    if node.name.startswith(b"BINARY"):
        # RFC 3516 section 4.2
        if inside.more:
            inside.word(_PART_NUMBER)
        if node.name == b"BINARY.SIZE" and node.partial:
            raise ImapSyntaxError("A size has no parts")
    elif inside.more:
        match = inside.word(_SECTION_TEXT)
        if match["fields"] or match["fields_of_part"]:
            inside.group().some(ImapArguments.astring)
    inside.end()


_GRAMMAR: dict[str, Callable[[ImapArguments], None]] = {
    "CAPABILITY": _nothing,
    "NOOP": _nothing,
    "LOGOUT": _nothing,
    "ID": _id,
    "ENABLE": _enable,
    "SELECT": _select,
    "EXAMINE": _select,
    "CREATE": _create,
    "DELETE": _mailbox,
    "RENAME": _two_mailboxes,
    "SUBSCRIBE": _mailbox,
    "UNSUBSCRIBE": _mailbox,
    "LIST": _list,
    "LSUB": _lsub,
    "NAMESPACE": _nothing,
    "STATUS": _status,
    "APPEND": _append,
    "IDLE": _nothing,
    "GETQUOTA": _mailbox,
    "GETQUOTAROOT": _mailbox,
    "CHECK": _nothing,
    "CLOSE": _nothing,
    "UNSELECT": _nothing,
    "EXPUNGE": _nothing,
    "UID EXPUNGE": _sequence_set,
    "SEARCH": check_search,
    "UID SEARCH": check_search,
    "SORT": check_sort,
    "UID SORT": check_sort,
    "THREAD": check_thread,
    "UID THREAD": check_thread,
    "FETCH": _fetch,
    "UID FETCH": _fetch,
    "STORE": _store,
    "UID STORE": _store,
    "COPY": _copy,
    "UID COPY": _copy,
    "MOVE": _copy,
    "UID MOVE": _copy,
}

COMMANDS: frozenset[str] = frozenset(_GRAMMAR)
"""Every command that can reach a rule; all others are refused before."""
