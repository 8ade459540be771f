"""The door for Postfix's socketmaps: who may send as an address (`smtpd_sender_login_maps`)."""

import socket
from functools import partial

import structlog

from valetkey.core.errors import Unavailable
from valetkey.doors.asked.desk import Desk, OpenDoor
from valetkey.doors.asked.peers import peer_without_secret
from valetkey.doors.asked.settings import Door, Peer
from valetkey.doors.postfix.taking_turns import take_turns
from valetkey.doors.serve import Link
from valetkey.doors.words import printable
from valetkey.service.sending import owners_of
from valetkey.service.tallies import AskedOutcome
from valetkey.wire.socketmap import Lookup, SocketmapServer, Status, socketmap_reply

_log = structlog.get_logger("valetkey.doors")

_LOGIN = "login"
_OUTCOMES = {
    Status.OK: AskedOutcome.YES,
    Status.NOT_FOUND: AskedOutcome.NO,
    Status.TEMPORARY: AskedOutcome.CANNOT_TELL,
    Status.PERMANENT: AskedOutcome.MISUNDERSTOOD,
}
_LATER = "Addresses cannot be looked up right now"
_TOO_LATE = socketmap_reply(Status.TEMPORARY, _LATER)


async def open_socketmap(desk: Desk, door: Door, sock: socket.socket) -> OpenDoor:
    """Serve a door for socketmaps."""

    async def talk(link: Link, peers: tuple[Peer, ...]) -> None:
        peer = peer_without_secret(peers)
        if peer is not None:
            await take_turns(
                desk, door, peer, link, SocketmapServer(), answer=partial(answer, peer), too_late=_TOO_LATE
            )

    async def answer(peer: Peer, lookup: Lookup) -> bytes:
        status, text = await _found(desk, lookup)
        desk.metrics.count("valetkey_door_requests_total", door=door.name, result=status.name.lower().replace("_", "-"))
        desk.count(door, _OUTCOMES[status], peer.name)
        return socketmap_reply(status, text)

    listening = desk.listening(door, talk)
    listening.start(sock)
    return listening


async def _found(desk: Desk, lookup: Lookup) -> tuple[Status, str]:
    if lookup.map != _LOGIN:
        _log.warning("unknown_map", map=printable(lookup.map))
        return Status.PERMANENT, "There is no such map"
    try:
        owners = await owners_of(desk.ports, lookup.key)
    except Unavailable as fault:
        _log.error("owners_unknown", why=str(fault))
        return Status.TEMPORARY, _LATER
    return (Status.OK, ",".join(owners)) if owners else (Status.NOT_FOUND, "")
