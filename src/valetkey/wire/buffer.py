"""The bounded reader under every machine: what has arrived and was not yet read.

Every read names its limit, so a peer can never make us hold more than we chose to.
"""


class LimitExceededError(Exception):
    """The peer sent more than this read allows."""


class Buffer:
    """Bytes that arrived and were not yet taken."""

    __slots__ = ("_data", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()
        # How far a line end was already looked for, so that a line which trickles in is not searched again and again.
        self._searched = 0

    def __len__(self) -> int:
        return len(self._data)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes that arrived."""
        self._data += data

    def take_line(self, limit: int) -> bytes | None:
        """Take one line without its CR LF (or bare LF), or None while it is incomplete.

        Raises:
            LimitExceededError: The line is longer than `limit` octets, its end included.
        """
        line = self.take_raw_line(limit)
        if line is None:
            return None
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def take_raw_line(self, limit: int) -> bytes | None:
        """Take one line with its end, so that the reader can tell CR LF from a bare LF; None while incomplete.

        Raises:
            LimitExceededError: The line is longer than `limit` octets, its end included.
        """
        end = self._data.find(b"\n", self._searched, limit)
        if end < 0:
            if len(self._data) >= limit:
                raise LimitExceededError
            self._searched = len(self._data)
            return None
        return self.take_up_to(end + 1)

    def take_exactly(self, count: int) -> bytes | None:
        """Take exactly `count` octets, or None while fewer have arrived."""
        if len(self._data) < count:
            return None
        return self.take_up_to(count)

    def take_up_to(self, count: int) -> bytes:
        """Take what has arrived, `count` octets at most."""
        with memoryview(self._data) as view:
            taken = bytes(view[:count])
        self._drop(len(taken))
        return taken

    def take_all(self) -> bytes:
        """Take everything that has arrived."""
        return self.take_up_to(len(self._data))

    def drop_up_to(self, count: int) -> int:
        """Forget what has arrived, `count` octets at most; answers how many were forgotten."""
        dropped = min(count, len(self._data))
        self._drop(dropped)
        return dropped

    def clear(self) -> None:
        """Forget everything that has arrived."""
        self._drop(len(self._data))

    def _drop(self, count: int) -> None:
        del self._data[:count]
        self._searched = 0
