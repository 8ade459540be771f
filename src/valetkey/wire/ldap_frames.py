"""LDAP's messages as they lie in a stream: each is one SEQUENCE of definite length (RFC 4511 5.1).

Length, nesting and number of elements are held here, octet by octet and without recursion, before any decoder sees a
message. So a hostile one costs no more than reading it.
"""

from dataclasses import dataclass, field

from valetkey.wire.buffer import Buffer
from valetkey.wire.machine import PeerError

MOST_MESSAGE = 65_536  # octets, without tag and length
MOST_DEPTH = 16
MOST_ELEMENTS = 256  # of one message; a search for a login has some thirty
_MOST_LENGTH_OCTETS = 4
_SEQUENCE, _SET = 0x30, 0x31
_CONSTRUCTED, _CLASS, _NUMBER = 0x20, 0xC0, 0x1F
_INTEGER = 0x02
_LONG_FORM = 0x80
_MOST_NUMBER_OCTETS = 4
_HEAD = 2  # octets: a tag, and the first of the length


@dataclass(frozen=True, slots=True)
class LdapFrame:
    """One message, and what it begins with: its number, above zero, and the tag of its operation."""

    number: int
    operation: int
    octets: bytes = field(repr=False)  # all of it


class LdapFrames:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._head = b""
        self._awaited: int | None = None  # octets of the message, once its length was read

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    @property
    def has_pending(self) -> bool:
        """Whether the beginning of a message has arrived that is not whole."""
        return bool(self._head) or len(self._buffer) > 0

    def next_message(self) -> LdapFrame | None:
        """Give the next message, or None while more bytes are needed.

        Raises:
            PeerError: It is none, or larger, deeper or of more elements than any that is of use here.
        """
        if self._awaited is None and not self._read_head():
            return None
        body = self._buffer.take_exactly(self._awaited or 0)
        if body is None:
            return None
        message = self._head + body
        self._head, self._awaited = b"", None
        _check(message)
        return _frame(message)

    def _read_head(self) -> bool:
        """Read tag and length as far as they are there; True once they are whole."""
        if not self._head:
            self._head = self._buffer.take_exactly(_HEAD) or b""
            if not self._head:
                return False
            if self._head[0] != _SEQUENCE:
                raise PeerError("no LDAP message")
        count = _octets_of_length(self._head[1])
        if len(self._head) < _HEAD + count:
            more = self._buffer.take_exactly(count)
            if more is None:
                return False
            self._head += more
        length = int.from_bytes(self._head[_HEAD:]) if count else self._head[1]
        if length > MOST_MESSAGE:
            raise PeerError("a message is too long")
        self._awaited = length
        return True


def _octets_of_length(first: int) -> int:
    """Tell how many octets of length follow the first one."""
    if first < _LONG_FORM:
        return 0
    count = first - _LONG_FORM
    if not 0 < count <= _MOST_LENGTH_OCTETS:
        raise PeerError("a length that is indefinite or too long")
    return count


def _check(message: bytes) -> None:
    """Walk through all elements: each has to lie within the one around it."""
    ends = [len(message)]
    at, elements = 0, 0
    while ends:
        if at == ends[-1]:
            ends.pop()
            continue
        elements += 1
        if elements > MOST_ELEMENTS:
            raise PeerError("a message has too many elements")
        tag, begin, end = _element(message, at, ends[-1])
        if tag & _CONSTRUCTED:
            if len(ends) > MOST_DEPTH:
                raise PeerError("a message is nested too deeply")
            ends.append(end)
            at = begin
        else:
            at = end


def _frame(message: bytes) -> LdapFrame:
    """Read how a message begins (RFC 4511 4.1.1)."""
    _, begin, end = _element(message, 0, len(message))
    tag, first, after = _element(message, begin, end)
    number = int.from_bytes(message[first:after], signed=True)
    if tag != _INTEGER or after - first > _MOST_NUMBER_OCTETS or number <= 0 or after == end:
        raise PeerError("a message has no number, or nothing behind it")
    return LdapFrame(number, message[after], message)


def _element(message: bytes, at: int, limit: int) -> tuple[int, int, int]:
    """Read tag and length; gives the tag, and where the content begins and ends."""
    if at + _HEAD > limit:
        raise PeerError("an element is cut off")
    tag = message[at]
    if tag & _NUMBER == _NUMBER or (not tag & _CLASS and not _is_universal_of_ldap(tag)):
        raise PeerError("an element that LDAP does not have")
    begin = at + _HEAD + _octets_of_length(message[at + 1])
    length = int.from_bytes(message[at + _HEAD : begin]) if begin > at + _HEAD else message[at + 1]
    if begin + length > limit:
        raise PeerError("an element is longer than what is around it")
    return tag, begin, begin + length


def _is_universal_of_ldap(tag: int) -> bool:
    """LDAP has no strings in pieces (RFC 4511 5.1), and nothing of class universal that is constructed but these."""
    return tag in (_SEQUENCE, _SET) if tag & _CONSTRUCTED else tag != 0
