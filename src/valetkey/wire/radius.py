"""RADIUS as an authentication server reads and writes it: one datagram is one request, one reply (RFC 2865, RFC 3579).

pyrad encodes packets and works out their proofs. What may be in a request at all is held here, before pyrad sees it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from pyrad.packet import AuthPacket, PacketError

from valetkey.wire.machine import PeerError

MAX_DATAGRAM = 4096  # octets (RFC 2865 3)
MAX_PASSWORD = 128  # octets (RFC 2865 5.2)
_MAX_VALUE = 253
_MAX_PROXY_STATES = 64
_MAX_PROXY_OCTETS = 2048  # so that a reply that repeats them is no longer than a datagram may be
_HEADER = 20
_BLOCK = 16
_PROOF = 16


class _Code(IntEnum):
    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    STATUS_SERVER = 12


class _Attribute(IntEnum):
    USER_NAME = 1
    USER_PASSWORD = 2
    CHAP_PASSWORD = 3
    REPLY_MESSAGE = 18
    CLASS = 25
    CALLING_STATION_ID = 31
    NAS_IDENTIFIER = 32
    PROXY_STATE = 33
    EAP_MESSAGE = 79
    MESSAGE_AUTHENTICATOR = 80


# RFC 2865 5.44, RFC 3579 3.3: at most one of each.
_ONCE = (
    _Attribute.USER_NAME,
    _Attribute.USER_PASSWORD,
    _Attribute.CHAP_PASSWORD,
    _Attribute.CALLING_STATION_ID,
    _Attribute.NAS_IDENTIFIER,
    _Attribute.MESSAGE_AUTHENTICATOR,
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is well formed. Nothing in it is proven before `is_proven_by`."""

    is_status: bool  # Status-Server (RFC 5997): whether we are there
    name: bytes
    client: bytes  # Calling-Station-Id; empty: not said
    service: bytes  # NAS-Identifier; empty: not said
    is_signed: bool  # it has a Message-Authenticator
    is_pap: bool  # it has a password that can be read, and none by CHAP or EAP beside it
    _packet: AuthPacket = field(repr=False)

    def is_proven_by(self, secret: bytes) -> bool:
        """Tell whether whoever made the request knows this secret.

        The Message-Authenticator proves it. Where there is none nothing does; then a password that can be read shows
        that it was hidden under this secret and not under another, which is no proof against forgery (CVE-2024-3596).
        As the reply repeats Proxy-State, which such a forgery needs, a request without a proof may not have any.
        """
        if self.is_signed:
            return bool(self._packet.verify_message_authenticator(secret))
        if not self.is_pap or self.is_status or self._packet.get(_Attribute.PROXY_STATE):
            return False
        try:
            return all(char.isprintable() for char in self.password(secret).decode())
        except UnicodeDecodeError:
            return False

    def password(self, secret: bytes) -> bytes:
        """Read the password, which is hidden under the secret (RFC 2865 5.2); empty if there is none."""
        hidden: bytes = self._packet.get(_Attribute.USER_PASSWORD, [b""])[0]
        last: bytes = self._packet.authenticator
        plain = bytearray()
        for start in range(0, len(hidden), _BLOCK):
            block = hidden[start : start + _BLOCK]
            mask = hashlib.md5(secret + last, usedforsecurity=False).digest()
            plain += bytes(a ^ b for a, b in zip(block, mask, strict=True))
            last = block
        return bytes(plain).rstrip(b"\0")

    def accept(self, secret: bytes, class_: str = "") -> bytes:
        """Write an Access-Accept; `class_` is ours, and comes back to whoever counts sessions."""
        return self._reply(_Code.ACCESS_ACCEPT, secret, _Attribute.CLASS, class_)

    def reject(self, secret: bytes, message: str = "") -> bytes:
        """Write an Access-Reject, with a message that the user may be shown."""
        return self._reply(_Code.ACCESS_REJECT, secret, _Attribute.REPLY_MESSAGE, message)

    def _reply(self, code: _Code, secret: bytes, attribute: _Attribute, text: str) -> bytes:
        reply = AuthPacket(int(code), self._packet.id, secret, self._packet.authenticator)
        reply.add_message_authenticator()  # before all others, so that no forger can choose what stands before it
        if text:
            reply[int(attribute)] = [_cut(text)]
        states = self._packet.get(_Attribute.PROXY_STATE)
        if states:
            reply[int(_Attribute.PROXY_STATE)] = list(states)
        written: bytes = reply.ReplyPacket()
        return written


def read_request(datagram: bytes) -> Request:
    """Read a datagram.

    Raises:
        PeerError: It is no request of ours to answer, or not well formed; it gets no reply (RFC 2865 3).
    """
    attributes = list(_attributes(datagram))
    if datagram[0] not in (_Code.ACCESS_REQUEST, _Code.STATUS_SERVER):
        raise PeerError("no request for access")
    _check(attributes)
    try:
        packet = AuthPacket(packet=datagram, secret=b"")
    except PacketError:
        raise PeerError("a packet that cannot be read") from None
    kinds = {kind for kind, _ in attributes}
    first = {kind: value for kind, value in reversed(attributes)}  # noqa: C416  (of those that come once only)
    return Request(
        is_status=packet.code == _Code.STATUS_SERVER,
        name=first.get(_Attribute.USER_NAME, b""),
        client=first.get(_Attribute.CALLING_STATION_ID, b""),
        service=first.get(_Attribute.NAS_IDENTIFIER, b""),
        is_signed=_Attribute.MESSAGE_AUTHENTICATOR in kinds,
        is_pap=_Attribute.USER_PASSWORD in kinds and not kinds & {_Attribute.CHAP_PASSWORD, _Attribute.EAP_MESSAGE},
        _packet=packet,
    )


def _attributes(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Take the attributes apart; every length has to be true."""
    if len(datagram) < _HEADER:
        raise PeerError("a packet without a whole header")
    length = int.from_bytes(datagram[2:4], "big")
    if not _HEADER <= length <= min(len(datagram), MAX_DATAGRAM):
        raise PeerError("a length that is not the packet's")
    at = _HEADER
    while at < length:
        size = datagram[at + 1] if at + 1 < length else 0
        if size < 2 or at + size > length:  # noqa: PLR2004  (its kind and its length)
            raise PeerError("an attribute whose length is not true")
        yield datagram[at], datagram[at + 2 : at + size]
        at += size


def _check(attributes: list[tuple[int, bytes]]) -> None:
    counts = Counter(kind for kind, _ in attributes)
    if any(counts[kind] > 1 for kind in _ONCE):
        raise PeerError("an attribute twice that may come once")
    for kind, value in attributes:
        if kind == _Attribute.MESSAGE_AUTHENTICATOR and len(value) != _PROOF:
            raise PeerError("a Message-Authenticator of another length")
        if kind == _Attribute.USER_PASSWORD and (len(value) % _BLOCK or not _BLOCK <= len(value) <= MAX_PASSWORD):
            raise PeerError("a password of a length that it cannot have")
    states = [value for kind, value in attributes if kind == _Attribute.PROXY_STATE]
    if len(states) > _MAX_PROXY_STATES or sum(map(len, states)) + 2 * len(states) > _MAX_PROXY_OCTETS:
        raise PeerError("too much Proxy-State")


def _cut(text: str) -> bytes:
    """Give a text in as many octets as an attribute holds, without half a character."""
    return text.encode()[:_MAX_VALUE].decode(errors="ignore").encode()
