"""What a page hands to the browser to be sent back: sealed, bound to its context, and good for a while only."""

import base64
import binascii
from datetime import timedelta

from valetkey.core.errors import Unavailable
from valetkey.service.ports import Ports

_TIME_OCTETS = 8
_MAX_SEALED = 512  # characters


def seal_form(ports: Ports, payload: bytes, context: str) -> str:
    """Seal something for a hidden field, with the time."""
    made = int(ports.clock.now().timestamp()).to_bytes(_TIME_OCTETS, "big")
    return base64.urlsafe_b64encode(ports.keys.seal(made + payload, context)).decode()


def open_form(ports: Ports, sealed: str, context: str, *, lasts: timedelta) -> bytes | None:
    """Open what came back; None if it was sealed for something else, is damaged, or too old."""
    if len(sealed) > _MAX_SEALED:
        return None
    try:
        octets = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
        payload = ports.keys.unseal(octets, context)
    except (UnicodeError, binascii.Error, Unavailable):
        return None
    made = int.from_bytes(payload[:_TIME_OCTETS], "big")
    age = ports.clock.now().timestamp() - made
    return payload[_TIME_OCTETS:] if -1 <= age <= lasts.total_seconds() else None
