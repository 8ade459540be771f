"""Where a text that ends with a lone dot ends: RFC 1939 3 (multi-line responses), RFC 5321 4.1.1.4 (DATA).

The only end is CR LF "." CR LF. Any other spelling is text, or for a message that is sent a reason to refuse it.
"""

END = b"\r\n.\r\n"
_KEPT = len(END) - 1


class DotEnd:
    """Finds the end of one text that arrives in slices; nothing is kept but the last four octets."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        # The line before the text has ended, so an empty text is a dot and CR LF.
        self._tail = b"\r\n"

    def find(self, data: bytes) -> int:
        """Give the index in `data` just behind the end, or -1 if the text goes on behind `data`."""
        border = (self._tail + data[:_KEPT]).find(END)
        if border >= 0:
            return border + len(END) - len(self._tail)
        at = data.find(END)
        if at >= 0:
            return at + len(END)
        self._tail = (self._tail + data[-_KEPT:])[-_KEPT:]
        return -1


class LineEndCheck:
    """Tells whether CR and LF occur only as CR LF in a text that arrives in slices (RFC 5321 2.3.8)."""

    __slots__ = ("_after_cr",)

    def __init__(self) -> None:
        self._after_cr = False

    def passes(self, data: bytes) -> bool:
        """Whether `data` goes on without a bare CR or LF; a CR at its end is judged with the next slice."""
        if not data:
            return True
        if self._after_cr and not data.startswith(b"\n"):
            return False
        # Three counts are many times quicker than one search for what is bare.
        line_feeds = data.count(b"\n") - self._after_cr
        self._after_cr = data.endswith(b"\r")
        return data.count(b"\r\n") == line_feeds == data.count(b"\r") - self._after_cr
