"""What both kinds of dialogue have in common, the server's and the client's: bytes in, bytes out, in lines."""

from valetkey.wire.buffer import Buffer


class Exchange:
    """What has arrived and was not yet parsed, and what is to be sent."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._output = bytearray()

    def take_output(self) -> bytes:
        """Take the bytes to send."""
        output = bytes(self._output)
        self._output.clear()
        return output

    @property
    def has_pending(self) -> bool:
        """Whether bytes have arrived that were not yet parsed."""
        return len(self._buffer) > 0

    def _write(self, line: bytes) -> None:
        self._output += line + b"\r\n"
