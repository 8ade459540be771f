"""Contradictions between the settings of doors and peers."""

from collections.abc import Iterator
from ipaddress import ip_address

from valetkey.config.door_sections import DoorSection, PeerSection
from valetkey.config.lines import Place
from valetkey.config.sections import Config
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.courier.mailbox import require_pattern
from valetkey.doors.gateway.settings import UpstreamLogin

Contradiction = tuple[Place, str, str, str]  # where, the setting, what is wrong, the mend

_SOCKETS_ONLY = {DoorKind.SASLAUTHD, DoorKind.AUTHDAEMON}
_NEED_SECRET = {DoorKind.HTTP, DoorKind.RADIUS}
_MAY_HAVE_TLS = {DoorKind.HTTP, DoorKind.LDAP}
_LONGEST_PATH = 100  # octets of a unix socket's address, with room for what it is called while it is made


def door_contradictions(config: Config) -> Iterator[Contradiction]:
    """Find what does not go together in [[door]] and [[peer]]."""
    names: set[str] = set()
    yield from _client_certificates(config)
    for number, peer in enumerate(config.peer):
        yield from _peer(peer, ("peer", number))
        yield from _gateway(peer, ("peer", number), config)
        if peer.name in names:
            yield ("peer", number, "name"), "[peer] name", f"{peer.name} stands twice", "give each its own name"
        names.add(peer.name)
    for number, door in enumerate(config.door):
        place: Place = ("door", number)
        yield from _place(door, place)
        yield from _peers(door, place, config)
        if door.tls and door.kind not in _MAY_HAVE_TLS:
            yield (*place, "tls"), "[door] tls", f"{door.kind.value} has no TLS", "remove it, and use a private link"
        if door.kind is DoorKind.AUTHDAEMON:
            yield from _mailboxes(door, place)


def _place(door: DoorSection, place: Place) -> Iterator[Contradiction]:
    if (door.listen is None) == (door.socket is None):
        yield (*place, "listen"), "[door] listen", "one of listen and socket is needed", "give one of them, not both"
    elif door.kind in _SOCKETS_ONLY and door.socket is None:
        mend = "give the path of a unix socket instead"
        yield (*place, "listen"), "[door] listen", f"{door.kind.value} is spoken on unix sockets only", mend
    elif door.kind is DoorKind.RADIUS and door.listen is None:
        yield (*place, "socket"), "[door] socket", "RADIUS is spoken over UDP", "give listen, such as 127.0.0.1:1812"
    if door.socket is not None and len(str(door.socket).encode()) > _LONGEST_PATH:
        mend = f"choose a path of {_LONGEST_PATH} octets at most"
        yield (*place, "socket"), "[door] socket", "the path is too long for a unix socket", mend
    if door.socket_group and door.socket is None:
        yield (*place, "socket_group"), "[door] socket_group", "there is no socket", "remove it, or give socket"


def _mailboxes(door: DoorSection, place: Place) -> Iterator[Contradiction]:
    if not (door.login_user and door.mailbox):
        mend = "name the system user that owns the mailboxes, and where they are"
        yield (*place, "login_user"), "[door] login_user", "login_user and mailbox are needed here", mend
        return
    try:
        require_pattern(door.mailbox)
    except ValueError as fault:
        mend = "give a path such as /var/mail/{domain}/{local_part}"
        yield (*place, "mailbox"), "[door] mailbox", str(fault), mend


def _peers(door: DoorSection, place: Place, config: Config) -> Iterator[Contradiction]:
    known = {peer.name: peer for peer in config.peer}
    for name in door.peers:
        if name not in known:
            mend = f"add a [[peer]] of this name, or choose one of: {', '.join(known) or 'none yet'}"
            yield (*place, "peers"), "[door] peers", f"there is no peer {name}", mend
    named = [known[name] for name in door.peers if name in known] or list(config.peer)
    if not config.peer:
        mend = "add a [[peer]] for the mail server; valetkey connect writes it"
        yield place, "[[door]]", "nobody may ask here", mend
    if door.socket is not None and len(named) > 1:
        mend = "name the one mail server that uses it"
        yield (*place, "peers"), "[door] peers", "a unix socket belongs to one peer", mend
    if door.kind in _NEED_SECRET:
        for peer in named:
            if peer.secret_file is None:
                what = f"{peer.name} has no secret, and {door.kind.value} needs one"
                mend = "give the peer a secret_file, or leave it out of this door's peers"
                yield (*place, "peers"), "[door] peers", what, mend


def _peer(peer: PeerSection, place: Place) -> Iterator[Contradiction]:
    if peer.doveadm_url and peer.doveadm_key_file is None:
        mend = "name a file that holds the server's doveadm_api_key"
        yield (*place, "doveadm_key_file"), "[peer] doveadm_key_file", "missing", mend


def _gateway(peer: PeerSection, place: Place, config: Config) -> Iterator[Contradiction]:
    if not peer.gateway:
        return
    if not peer.nginx:
        yield (*place, "gateway"), "[peer] gateway", "it is for an nginx", "add nginx = true to this [[peer]]"
    try:
        ip_address(peer.gateway)
    except ValueError:
        mend = "write an IP address, such as 127.0.0.1"
        yield (*place, "gateway"), "[peer] gateway", "nginx resolves no names here", mend
    if not any(listener.tls_before for listener in config.listener):
        mend = 'add a [[listener]] with tls = "none", tls_before = true and nginx in its proxy_peers'
        yield (*place, "gateway"), "[peer] gateway", "no listener is there for nginx", mend
    has_smtp = any(one.tls_before and one.protocol is MailProtocol.SMTP for one in config.listener)
    if has_smtp and any(one.smtp and one.smtp.login is UpstreamLogin.XCLIENT for one in config.domain):
        mend = 'use login = "master-user" in [domain.smtp], or remove the [[listener]] for smtp with tls_before'
        what = "nginx cannot log in to the gateway where it tells Postfix the name by XCLIENT"
        yield (*place, "gateway"), "[peer] gateway", what, mend


def _client_certificates(config: Config) -> Iterator[Contradiction]:
    seen: set[bytes] = set()
    for number, entry in enumerate(config.client_certificate):
        place: Place = ("client_certificate", number, "sha256")
        if entry.sha256 in seen:
            mend = "keep one of the entries: a certificate stands for one app password"
            yield place, "[client_certificate] sha256", "this certificate stands twice", mend
        seen.add(entry.sha256)
