"""The tokens of ManageSieve (RFC 5804 4): read within bounds, written canonically."""

import re
from collections.abc import Generator, Iterable

from valetkey.wire.buffer import Buffer
from valetkey.wire.dialogue import one_line, strip_line_end
from valetkey.wire.machine import PeerError

# An atom, a number or a parenthesis is a str; the value of a string, quoted or literal, is bytes.
Token = str | bytes

_TOKEN = re.compile(rb' *(?:"(?P<quoted>[^"\\]*(?:\\["\\][^"\\]*)*)"|(?P<word>[A-Za-z0-9._/-]+|[()]))')
_LITERAL = re.compile(rb" *\{([0-9]{1,10})(\+?)\}")
_ESCAPED = re.compile(rb'\\(["\\])')
_QUOTED_LIMIT = 1024  # RFC 5804 1.2: longer strings are sent as literals
_TOKEN_LIMIT = 1000


class SieveSyntaxError(Exception):
    """The line holds no tokens of ManageSieve; the next line can be read again. The message is safe."""


def read_tokens(
    buffer: Buffer, *, first: bytes | None = None, line_limit: int, literal_limit: int, from_client: bool
) -> Generator[None, None, list[Token]]:
    """Read one command or response line with its literals; yields while more bytes are needed.

    Args:
        buffer: Where the bytes arrive.
        first: The first line with its end, where it was already taken.
        line_limit: How long a line may be, in octets.
        literal_limit: How long all literals together may be, in octets.
        from_client: Whether literals must be of the form that a client sends, `{n+}`.

    Raises:
        SieveSyntaxError: The line is malformed; nothing of it is left in the buffer.
        PeerError: A literal is too long or is not to be told from commands.
        LimitExceededError: A line is too long.
    """
    tokens: list[Token] = []
    while True:
        if first is None:
            while (first := buffer.take_raw_line(line_limit)) is None:
                yield
        size = _take_line(first, tokens, from_client=from_client)
        first = None
        if size is None:
            return tokens
        literal_limit -= size
        if literal_limit < 0:
            raise PeerError("A literal is too long")
        while (literal := buffer.take_exactly(size)) is None:
            yield
        tokens.append(literal)


def _take_line(raw: bytes, tokens: list[Token], *, from_client: bool) -> int | None:
    """Add the tokens of one line; return the size of the literal that follows it, or None."""
    line = strip_line_end(raw)
    if line is None:
        raise _malformed(raw)
    position = 0
    while position < len(line):
        found = _TOKEN.match(line, position)
        if found is None:
            break
        tokens.append(_value(found))
        position = found.end()
    if len(tokens) > _TOKEN_LIMIT:
        raise PeerError("A line has too many words")
    if not line[position:].strip(b" "):
        return None
    literal = _LITERAL.fullmatch(line, position)
    if literal is None or (from_client and not literal[2]):
        raise _malformed(raw)
    return int(literal[1])


def _value(found: re.Match[bytes]) -> Token:
    if found["word"] is not None:
        return found["word"].decode("ascii")
    return _ESCAPED.sub(rb"\1", found["quoted"])


def _malformed(raw: bytes) -> Exception:
    # Behind something like a literal come octets that must not be read as commands.
    if raw.rstrip().endswith(b"}"):
        return PeerError("A literal is malformed")
    return SieveSyntaxError("Malformed command")


def write_tokens(tokens: Iterable[Token], *, to_server: bool) -> bytes:
    """Write one line of tokens, CR LF included."""
    line = b""
    opens = True
    for word in tokens:
        line += (b"" if opens or word == ")" else b" ") + _written(word, to_server=to_server)
        opens = word == "("
    return line + b"\r\n"


def _written(token: Token, *, to_server: bool) -> bytes:
    return token.encode("ascii") if isinstance(token, str) else _string(token, to_server=to_server)


def _string(value: bytes, *, to_server: bool) -> bytes:
    if len(value) <= _QUOTED_LIMIT and not any(octet in value for octet in b"\r\n\0"):
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d%s}\r\n" % (len(value), b"+" if to_server else b"") + value


def quoted_text(text: str) -> bytes:
    """Write a text for the person as a quoted string."""
    return _string(one_line(text).encode(), to_server=False)
