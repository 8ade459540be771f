"""SASL XOAUTH2 and OAUTHBEARER as the server hears them (RFC 7628; XOAUTH2 is Google's, and older).

A refusal takes two steps: the server's challenge says in JSON why, the client answers with next to nothing, and only
then the exchange has failed (RFC 7628 3.2.3).
"""

import re

from valetkey.wire.machine import LoginAsked
from valetkey.wire.sasl import SaslError

BEARER_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")

_SEPARATOR = b"\x01"
_SCHEME = b"bearer "
_MOST_PAIRS = 16
_HEADER = re.compile(
    rb"[ny],(?:a=(?P<name>[^,\x00\x01\r\n]*))?,"
)  # the GS2 header of RFC 5801 4, without channel binding
_PAIR = re.compile(rb"(?P<key>[A-Za-z]+)=(?P<value>[\t\r\n -~]*)")
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=-]+")  # the b68token of RFC 6750 2.1
_NAME = re.compile(rb"[^\x00\r\n]+")
_CHALLENGES = {
    "XOAUTH2": b'{"status":"401","schemes":"bearer","scope":"mail"}',
    "OAUTHBEARER": b'{"status":"invalid_token","scope":"mail"}',
}


class BearerServer:
    """One exchange of one mechanism, seen from the server.

    `mechanism` is one of `BEARER_MECHANISMS`, in capitals; KeyError for any other.
    """

    __slots__ = ("_has_answered", "_mechanism", "refusal")

    def __init__(self, mechanism: str) -> None:
        self.refusal = _CHALLENGES[mechanism]  # the challenge that says no, and that the client has to answer
        self._mechanism = mechanism
        self._has_answered = False

    def step(self, response: bytes | None) -> bytes | LoginAsked:
        """Take a decoded response, or None where none was sent yet; give the next challenge, or name and token.

        Raises:
            SaslError: The response does not fit the mechanism. The exchange is over.
        """
        if response is None:
            return b""
        if self._has_answered:
            raise SaslError("The exchange is over")
        self._has_answered = True
        name, pairs = self._split(response)
        token = pairs.get(b"auth", b"")
        if token[: len(_SCHEME)].lower() != _SCHEME or _TOKEN.fullmatch(token[len(_SCHEME) :].strip()) is None:
            raise SaslError("There is no bearer token")
        if _NAME.fullmatch(name) is None:
            raise SaslError("The user name is empty or holds a control character")
        return LoginAsked(self._mechanism, name, token[len(_SCHEME) :].strip())

    def _split(self, response: bytes) -> tuple[bytes, dict[bytes, bytes]]:
        if self._mechanism == "XOAUTH2":
            user, _, rest = response.partition(_SEPARATOR)
            if not user.startswith(b"user="):
                raise SaslError("An XOAUTH2 message begins with the user")
            return user.removeprefix(b"user="), _pairs(rest)
        header, _, rest = response.partition(_SEPARATOR)
        found = _HEADER.fullmatch(header)
        if found is None:
            raise SaslError("An OAUTHBEARER message begins with a GS2 header")
        return _saslname(found["name"] or b""), _pairs(rest)


def _pairs(text: bytes) -> dict[bytes, bytes]:
    """Read key=value, each with a separator behind it, and one separator behind all."""
    if not text.endswith(_SEPARATOR * 2):
        raise SaslError("The message is not whole")
    words = text[:-2].split(_SEPARATOR)
    found = [_PAIR.fullmatch(word) for word in words]
    pairs = {each["key"].lower(): each["value"] for each in found if each is not None}
    if len(words) > _MOST_PAIRS or len(pairs) < len(words):
        raise SaslError("The message holds what is no pair, or one twice, or too many")
    return pairs


def _saslname(text: bytes) -> bytes:
    """Undo the two escapes of a name (RFC 5801 4)."""
    if re.search(rb"=(?!2C|3D)", text):
        raise SaslError("The name holds an unknown escape")
    return text.replace(b"=2C", b",").replace(b"=3D", b"=")
