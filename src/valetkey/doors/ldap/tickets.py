"""Tickets: what proves that a name to bind as was given by us, to this peer, moments ago.

A mail server that has proven itself searches, and binds as what was found; some do so on another connection. A ticket
holds for every worker and every restart, as it is made with the keys of the installation. It opens nothing: it only says
who described the login.
"""

import hmac
from base64 import urlsafe_b64encode

from valetkey.doors.ldap.context import TICKET, Context, Named
from valetkey.service.ports import KeyPurpose, Ports
from valetkey.wire.ldap_names import Part, write_name

LASTS = 60  # seconds
_OCTETS = 16
_PURPOSE = b"LDAP ticket"


class Tickets:
    """Writes names with tickets, and looks at them again."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def name_with_ticket(self, peer: str, context: Context, base: tuple[Part, ...]) -> bytes:
        """Give the name to bind as for a login that a peer has described."""
        until = str(self._now() + LASTS).encode()
        parts = context.parts()
        proof = self._proof(self._ports.keys.current, peer, until, write_name(parts + base))
        return write_name((*parts, (TICKET, until + b"." + proof), *base))

    def is_good(self, peer: str, named: Named) -> bool:
        """Tell whether a name's ticket was made for this peer and this login, and has not run out."""
        until, _, proof = (named.ticket or b"").partition(b".")
        written = write_name(named.context.parts() + named.base)
        numbers = self._ports.keys.numbers
        is_ours = [hmac.compare_digest(proof, self._proof(one, peer, until, written)) for one in numbers]
        return any(is_ours) and self._now() <= int(until)

    def _proof(self, number: int, peer: str, until: bytes, written: bytes) -> bytes:
        key = self._ports.keys.derive(KeyPurpose.SESSION, number)
        message = b"\0".join((_PURPOSE, peer.encode(), until, written))
        return urlsafe_b64encode(hmac.digest(key, message, "sha256")[:_OCTETS]).rstrip(b"=")

    def _now(self) -> int:
        return int(self._ports.clock.now().timestamp())
