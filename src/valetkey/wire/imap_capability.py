"""Which of an upstream's capabilities a limited session may announce.

Only what the grammar here reads completely, and what cannot slip past a rule, is listed; everything else is left
out, known or not.
"""

_ANNOUNCED = frozenset(
    b"IMAP4REV1 IMAP4REV2 LITERAL+ LITERAL- ID ENABLE "  # RFC 3501, 9051, 7888, 2971, 5161
    b"APPENDLIMIT "  # RFC 7889
    b"BINARY "  # RFC 3516
    b"CHILDREN LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE NAMESPACE "  # RFC 3348, 5258, 5819, 6154, 2342
    b"CONDSTORE QRESYNC "  # RFC 7162
    b"ESEARCH SEARCHRES SEARCH=FUZZY WITHIN "  # RFC 4731, 5182, 6203, 5032
    b"SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS "  # RFC 5256, 5957, 5267
    b"IDLE MOVE UIDPLUS UNSELECT STATUS=SIZE SAVEDATE OBJECTID PREVIEW QUOTA".split()  # RFC 2177 … 9208
)
_ENABLED = frozenset({b"CONDSTORE", b"QRESYNC", b"IMAP4REV2"})
_SIZE_LIMIT = b"APPENDLIMIT="


def limited_capabilities(capabilities: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The capabilities that a limited session may announce, in the upstream's order and spelling."""
    return tuple(name for name in capabilities if _may_be_announced(name.upper()))


def may_be_enabled(name: bytes) -> bool:
    """Whether a client may ENABLE this in a limited session (RFC 5161)."""
    return name.upper() in _ENABLED


def _may_be_announced(name: bytes) -> bool:
    return name in _ANNOUNCED or (name.startswith(_SIZE_LIMIT) and name.removeprefix(_SIZE_LIMIT).isdigit())
