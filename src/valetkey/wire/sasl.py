"""SASL PLAIN and LOGIN as the server hears them, and PLAIN as a client says it (RFC 4422, RFC 4616).

Here are the messages of the mechanisms and their base64; how a protocol carries them is the protocol's machine.
"""

import base64
import binascii
from collections.abc import Callable

from valetkey.wire.machine import LoginAsked

MECHANISMS = ("PLAIN", "LOGIN")

_NUL = b"\0"
_FORBIDDEN_IN_NAMES = frozenset(b"\0\r\n")


class SaslError(Exception):
    """The response is malformed; the message holds nothing that the peer sent."""


class SaslAborted(Exception):  # noqa: N818  the peer's right (RFC 4422 3.5), not an error
    """The peer gave the exchange up with "*"."""


class SaslServer:
    """One exchange of one mechanism, seen from the server.

    `mechanism` is one of `MECHANISMS`, in capitals; KeyError for any other.
    """

    __slots__ = ("_mechanism", "_name", "_next")

    def __init__(self, mechanism: str) -> None:
        steps: dict[str, Callable[[bytes], bytes | LoginAsked]] = {"PLAIN": self._plain, "LOGIN": self._login_name}
        self._next: Callable[[bytes], bytes | LoginAsked] = steps[mechanism]
        self._mechanism = mechanism
        self._name = b""

    def step(self, response: bytes | None) -> bytes | LoginAsked:
        """Take a decoded response, or None where none was sent yet; give the next challenge or the login.

        Raises:
            SaslError: The response does not fit the mechanism. The exchange is over.
        """
        if response is None:
            return b"" if self._mechanism == "PLAIN" else b"Username:"
        step, self._next = self._next, _over
        return step(response)

    def _plain(self, response: bytes) -> LoginAsked:
        # RFC 4616 2: message = [authzid] NUL authcid NUL passwd
        parts = response.split(_NUL)
        if len(parts) != 3:  # noqa: PLR2004  the three parts of the grammar above
            raise SaslError("A PLAIN message has three parts")
        authorization_id, name, secret = parts
        return _login("PLAIN", name, secret, authorization_id)

    def _login_name(self, response: bytes) -> bytes:
        _require_name(response)
        self._name = response
        self._next = self._login_secret
        return b"Password:"

    def _login_secret(self, response: bytes) -> LoginAsked:
        if _NUL in response:
            raise SaslError("A password cannot hold NUL")
        return _login("LOGIN", self._name, response, b"")


def _over(_response: bytes) -> bytes | LoginAsked:
    raise SaslError("The exchange is over")


def _login(mechanism: str, name: bytes, secret: bytes, authorization_id: bytes) -> LoginAsked:
    _require_name(name)
    if not secret:
        raise SaslError("The password is empty")
    if _FORBIDDEN_IN_NAMES.intersection(authorization_id):
        raise SaslError("The authorization identity holds a control character")
    return LoginAsked(mechanism, name, secret, authorization_id)


def _require_name(name: bytes) -> None:
    if not name:
        raise SaslError("The user name is empty")
    # A name goes into lines of other protocols and of logs; a line end there would begin a command of its own.
    if _FORBIDDEN_IN_NAMES.intersection(name):
        raise SaslError("The user name holds a control character")


def decode_base64(line: bytes) -> bytes:
    """Decode one response as it stands on the line; `=` alone is the empty response (RFC 4954 4, RFC 4959 3).

    Raises:
        SaslAborted: The line is `*`.
        SaslError: The line is not base64 in its one canonical form (RFC 4648 3.3, 3.5).
    """
    if line == b"*":
        raise SaslAborted
    if line == b"=":
        return b""
    try:
        decoded = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise SaslError("The response is not base64") from None
    if base64.b64encode(decoded) != line:
        raise SaslError("The response is not canonical base64")
    return decoded


def encode_plain(authorization_id: str, name: str, secret: str) -> bytes:
    """Write the PLAIN message of a client in base64, without a line end.

    Raises:
        ValueError: A part holds NUL, or name or secret is empty.
    """
    parts = (authorization_id, name, secret)
    if any("\0" in part for part in parts) or not (name and secret):
        # The parts are secrets, so the message does not show them.
        raise ValueError("PLAIN needs a name and a secret, and no part can hold NUL")
    return base64.b64encode(_NUL.join(part.encode() for part in parts))
