"""What the filters have in common: the bytes that wait for either side, and why the session must end."""


class TwoSides:
    """The outputs of a filter, and its end; what it reads and answers is the filter's own."""

    def __init__(self) -> None:
        self._to_client = bytearray()
        self._to_server = bytearray()
        self._close_reason: str | None = None

    def take_to_client(self) -> bytes:
        """Take the bytes to send to the client."""
        output = bytes(self._to_client)
        self._to_client.clear()
        return output

    def take_to_server(self) -> bytes:
        """Take the bytes to send to the upstream."""
        output = bytes(self._to_server)
        self._to_server.clear()
        return output

    @property
    def close_reason(self) -> str | None:
        """Why the session must end once the output is sent, or None."""
        return self._close_reason
