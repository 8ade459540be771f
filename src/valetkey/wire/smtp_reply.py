"""SMTP's replies: read line by line within bounds, and written (RFC 5321 4.2)."""

import re
from dataclasses import dataclass

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_LINE_LIMIT = 4096
_LINES = 200
_POSITIVE, _INTERMEDIATE = 2, 3  # the first digit


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """One complete reply: its code and its texts, one of each line."""

    code: int
    texts: tuple[bytes, ...]

    @property
    def is_positive(self) -> bool:
        """Whether what was asked is done: 2yz (RFC 5321 4.2.1)."""
        return self.code // 100 == _POSITIVE

    @property
    def is_intermediate(self) -> bool:
        """Whether more is expected of the client: 3yz (RFC 5321 4.2.1)."""
        return self.code // 100 == _INTERMEDIATE

    def line(self) -> bytes:
        """Write the reply, every line ended by CR LF."""
        code = str(self.code).encode()
        *before, last = self.texts
        return b"".join(code + b"-" + text + b"\r\n" for text in before) + code + b" " + last + b"\r\n"


class SmtpReplyReader:
    """Collects the lines of one reply after the other."""

    def __init__(self) -> None:
        self._code = b""
        self._texts: list[bytes] = []

    def read(self, buffer: Buffer) -> SmtpReply | None:
        """Take a reply from `buffer`, or None while it is incomplete.

        Raises:
            PeerError: This is no reply, or it is too long.
        """
        try:
            while (line := buffer.take_line(_LINE_LIMIT)) is not None:
                if self._is_last(line):
                    reply = SmtpReply(int(self._code), tuple(self._texts))
                    self._code, self._texts = b"", []
                    return reply
        except LimitExceededError:
            raise PeerError("A reply's line is too long") from None
        return None

    def _is_last(self, line: bytes) -> bool:
        found = _LINE.fullmatch(line)
        if found is None or (self._texts and found[1] != self._code):
            raise PeerError("This is no SMTP reply")
        if len(self._texts) >= _LINES:
            raise PeerError("A reply has too many lines")
        self._code = found[1]
        self._texts.append(found[3] or b"")
        return found[2] != b"-"


def hello_reply(hostname: str, extensions: tuple[bytes, ...]) -> bytes:
    """Write the answer to EHLO (RFC 5321 4.1.1.1)."""
    return SmtpReply(250, (hostname.encode(), *extensions)).line()
