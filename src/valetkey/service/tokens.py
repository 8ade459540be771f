"""The tokens of portal sessions and of one-time links: drawn at random, kept only as a keyed hash."""

import base64
import hmac
from datetime import datetime

from valetkey.core.errors import Unavailable
from valetkey.service.ports import KeyPurpose, PortalSession, Ports, Reader
from valetkey.service.store_parts import LinkPurpose, OneTimeLink

_TOKEN_OCTETS = 32
_MAX_TOKEN = 128
_SESSION = b"valetkey session 1\0"
_LINK = b"valetkey link 1\0"


def new_token(ports: Ports) -> str:
    """Draw a token of 256 bits, safe in a cookie."""
    return base64.urlsafe_b64encode(ports.entropy.octets(_TOKEN_OCTETS)).rstrip(b"=").decode()


def id_hash(ports: Ports, token: str) -> bytes:
    """Give the keyed hash that a new session is kept under."""
    return _hash(ports, ports.keys.current, _SESSION, token)


def link_hash(ports: Ports, token: str) -> bytes:
    """Give the keyed hash that a new one-time link is kept under."""
    return _hash(ports, ports.keys.current, _LINK, token)


def find_link(ports: Ports, reader: Reader, token: str, purpose: LinkPurpose, now: datetime) -> OneTimeLink | None:
    """Find the link of a token, if it is for this purpose, not used and not expired."""
    if not token or len(token) > _MAX_TOKEN or not token.isascii():
        return None
    found = (reader.one_time_link(_hash(ports, number, _LINK, token)) for number in ports.keys.numbers)
    link = next((link for link in found if link is not None), None)
    is_good = link is not None and link.purpose is purpose and link.used_at is None and now < link.expires_at
    return link if is_good else None


def find_session(ports: Ports, reader: Reader, token: str) -> PortalSession | None:
    """Find the session of a token, under whichever key it was made."""
    if not token or len(token) > _MAX_TOKEN or not token.isascii():
        return None
    found = (reader.portal_session(_hash(ports, number, _SESSION, token)) for number in ports.keys.numbers)
    return next((session for session in found if session is not None), None)


def _hash(ports: Ports, number: int, what: bytes, token: str) -> bytes:
    try:
        key = ports.keys.derive(KeyPurpose.SESSION, number)
    except KeyError:
        raise Unavailable("A key is missing.") from None
    return hmac.digest(key, what + token.encode(), "sha256")
