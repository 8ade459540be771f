"""The page that shows a new secret hands it back once more, sealed, to have a device's profile made of it."""

import base64
import binascii
from datetime import timedelta

from valetkey.core.app_password import AppPassword, Secret, read
from valetkey.core.errors import Conflict, NotAllowed, Unavailable
from valetkey.core.sentence import say
from valetkey.service.app_passwords import Issued
from valetkey.service.ports import Actor, Ports

_LASTS = timedelta(minutes=15)
_MAX_SEALED = 512
_TIME_OCTETS = 8
_TOO_LATE = say(
    "The password can no longer be put into a profile: that works for 15 minutes, on the page that showed it."
)


def seal_secret(ports: Ports, actor: Actor, issued: Issued) -> str:
    """Seal a new secret for the form of the page that shows it: for this app password, session and quarter of an hour.

    Raises:
        NotAllowed: Not a person who is signed in.
    """
    made = int(ports.clock.now().timestamp()).to_bytes(_TIME_OCTETS, "big")
    sealed = ports.keys.seal(made + issued.secret.text.encode(), _context(actor, issued.app_password.id))
    return base64.urlsafe_b64encode(sealed).decode()


def open_secret(ports: Ports, actor: Actor, app_password: AppPassword, sealed: str) -> Secret:
    """Open what `seal_secret` sealed.

    Raises:
        Conflict: It is too old, another session's or another app password's, or that is no longer in use.
        NotAllowed: Not a person who is signed in.
    """
    context = _context(actor, app_password.id)
    if len(sealed) > _MAX_SEALED or not app_password.is_live:
        raise Conflict(_TOO_LATE)
    try:
        payload = ports.keys.unseal(base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True), context)
    except (UnicodeError, binascii.Error, Unavailable):
        raise Conflict(_TOO_LATE) from None
    age = ports.clock.now().timestamp() - int.from_bytes(payload[:_TIME_OCTETS], "big")
    secret = read(payload[_TIME_OCTETS:].decode())
    if secret is None or not -1 <= age <= _LASTS.total_seconds():
        raise Conflict(_TOO_LATE)
    return secret


def _context(actor: Actor, credential_id: str) -> str:
    if actor.session is None:
        raise NotAllowed("Only a person who is signed in makes a profile.")
    return f"shown secret\0{actor.session.hex()}\0{credential_id}"
