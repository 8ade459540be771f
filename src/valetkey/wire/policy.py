"""Postfix's policy delegation protocol, the server's side: what is about to be sent, and what shall become of it.

A request is lines of `name=value` and an empty line; the answer is `action=…` and an empty line, before the next request.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from valetkey.wire.buffer import Buffer, LimitExceededError
from valetkey.wire.machine import PeerError

MOST_LINE = 8_192  # octets; Postfix cuts what it is told at 2,048
_MOST_LINES = 200  # Postfix 3.7 sends 33
_MOST_OCTETS = 65_536  # of all values
_REQUEST = "smtpd_access_policy"


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """One request; what Postfix did not send is empty."""

    attributes: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name, "")

    @property
    def recipients(self) -> int:
        """How many recipients the message has, as far as Postfix tells: 0 before DATA."""
        count = self["recipient_count"]
        return int(count) if count.isascii() and count.isdigit() and len(count) <= 9 else 0  # noqa: PLR2004  below any overflow


class PolicyServer:
    """One connection of a Postfix, which asks one thing at a time."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._attributes: dict[str, str] = {}
        self._size = 0

    @property
    def has_pending(self) -> bool:
        """Whether the beginning of a request has arrived that is not whole."""
        return len(self._buffer) > 0 or bool(self._attributes)

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes that arrived."""
        self._buffer.append(data)

    def next_request(self) -> PolicyRequest | None:
        """Give the next request, or None while more bytes are needed.

        Raises:
            PeerError: This is no policy request.
        """
        try:
            while (line := self._buffer.take_line(MOST_LINE)) is not None:
                if not line:
                    return self._whole()
                self._add(line)
        except LimitExceededError:
            raise PeerError("a line of a policy request is too long") from None
        return None

    def _add(self, line: bytes) -> None:
        name, equals, value = line.partition(b"=")
        key = name.decode("latin-1")
        if not equals or key in self._attributes:
            raise PeerError("a policy request holds what is no attribute, or one twice")
        self._size += len(line)
        if len(self._attributes) >= _MOST_LINES or self._size > _MOST_OCTETS:
            raise PeerError("a policy request has too many attributes")
        self._attributes[key] = _text(value)

    def _whole(self) -> PolicyRequest:
        attributes, self._attributes, self._size = self._attributes, {}, 0
        if attributes.get("request") != _REQUEST:
            raise PeerError("this is no request for an access policy")
        return PolicyRequest(attributes)


def policy_reply(action: str) -> bytes:
    """Write an answer; `action` is one line, such as `DUNNO` or `REJECT 5.7.1 text`.

    Raises:
        ValueError: It is not one line.
    """
    if not action or not action.isprintable():
        raise ValueError("An action is one line")
    return f"action={action}\n\n".encode()


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
