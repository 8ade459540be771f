"""Which mail server asks: by where the connection comes from, and by its secret where the protocol carries one."""

import hmac
from collections.abc import Sequence

from valetkey.core.network import Address
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.serve import Link, is_listed
from valetkey.service.tallies import NOBODY_KNOWN


def peers_at(door: Door, address: Address | None) -> tuple[Peer, ...]:
    """Give the peers that may ask from here; `address` None is a unix socket, which its one peer alone can open."""
    if address is None:
        return door.peers if door.path is not None else ()
    return tuple(peer for peer in door.peers if is_listed(address, peer.networks))


def peer_of_secret(peers: Sequence[Peer], secret: str) -> Peer | None:
    """Give the peer whose secret this is, comparing with all in constant time; one without a secret has none that fits."""
    found = None
    for peer in peers:
        is_right = hmac.compare_digest(peer.secret.encode(), secret.encode(errors="replace"))
        if is_right and peer.secret:
            found = peer
    return found


def peer_without_secret(peers: Sequence[Peer]) -> Peer | None:
    """Give the peer that asks by a protocol without secrets: the first that may ask from there."""
    return peers[0] if peers else None


def place_of(link: Link) -> str:
    """Give the address that a connection comes from; empty of a unix socket, or if it is gone."""
    try:
        place = link.sock.getpeername()
    except OSError:
        return ""
    return str(place[0]) if isinstance(place, tuple) else ""


def only_name(peers: Sequence[Peer]) -> str:
    """Give the name of the peer that it must be, as one alone may ask from there; else nobody's is known."""
    return peers[0].name if len(peers) == 1 else NOBODY_KNOWN
