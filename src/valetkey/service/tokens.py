"""The tokens of portal sessions: drawn at random, kept only as a keyed hash."""

import base64
import hmac

from valetkey.core.errors import Unavailable
from valetkey.service.ports import KeyPurpose, PortalSession, Ports, Reader

_TOKEN_OCTETS = 32
_MAX_TOKEN = 128


def new_token(ports: Ports) -> str:
    """Draw a token of 256 bits, safe in a cookie."""
    return base64.urlsafe_b64encode(ports.entropy.octets(_TOKEN_OCTETS)).rstrip(b"=").decode()


def id_hash(ports: Ports, token: str) -> bytes:
    """Give the keyed hash that a new session is kept under."""
    return _hash(ports, ports.keys.current, token)


def find_session(ports: Ports, reader: Reader, token: str) -> PortalSession | None:
    """Find the session of a token, under whichever key it was made."""
    if not token or len(token) > _MAX_TOKEN or not token.isascii():
        return None
    found = (reader.portal_session(_hash(ports, number, token)) for number in ports.keys.numbers)
    return next((session for session in found if session is not None), None)


def _hash(ports: Ports, number: int, token: str) -> bytes:
    try:
        key = ports.keys.derive(KeyPurpose.SESSION, number)
    except KeyError:
        raise Unavailable("A key is missing.") from None
    return hmac.digest(key, b"valetkey session 1\0" + token.encode(), "sha256")
