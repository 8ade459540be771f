"""Checks of the doors for mail servers: there, reachable, with the right rights, and asked as they have to be."""

import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from valetkey.app.connecting.finding import Wish, doors_of, fit, ip_or_none, is_here, peers_of
from valetkey.app.connecting.lines import setup_of, version_for
from valetkey.app.connecting.local import local_findings
from valetkey.app.connecting.servers import RECIPES
from valetkey.app.findings import good, problem, warning
from valetkey.app.settings import read_secret
from valetkey.config.door_sections import DoorSection, PeerSection
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart, InvalidInput
from valetkey.core.network import parse_network
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.cli.front import Finding

_CONNECT_WITHIN = 3.0
_LEAST_SECRET = 16  # characters
_TELL_NO_TLS = {DoorKind.SASLAUTHD, DoorKind.AUTHDAEMON, DoorKind.RADIUS}
_WITHOUT_SECRET = {DoorKind.SASL, DoorKind.POLICY, DoorKind.SOCKETMAP}
_IN_THE_CLEAR = {DoorKind.HTTP, DoorKind.SASL, DoorKind.RADIUS, DoorKind.LDAP}
_OTHERS = stat.S_IROTH | stat.S_IWOTH
_RESTART = "Restart Valetkey: doors open at its start."


def door_findings(config: Config, *, is_running: bool) -> Iterator[Finding]:
    """Look at every door and peer, and at the mail servers of this machine that ask."""
    known: list[tuple[PeerSection, str]] = []
    for peer in config.peer:
        yield from _peer(peer, known)
    for door in config.door:
        yield from one_door(config, door, is_running=is_running)
    yield from _servers(config)


# Peers


def _peer(peer: PeerSection, known: list[tuple[PeerSection, str]]) -> Iterator[Finding]:
    """Look at a peer's secret; `known` has those of the peers before, and gets this one's."""
    name = f"peer {peer.name}"
    if peer.secret_file is None:
        return
    try:
        secret = read_secret(peer.secret_file, "its secret_file")
    except CannotStart as error:
        what, _, mend = str(error).partition(" Mend it with: ")
        yield problem(
            name, what, mend or f"Write one: openssl rand -base64 24 > {peer.secret_file}, for its owner alone."
        )
        return
    for other, its in known:
        if its == secret and _share_a_place(peer, other):
            what = f"it asks from where {other.name} does, with the same secret, so that one is taken for the other"
            yield problem(name, what, f"openssl rand -base64 24 > {peer.secret_file}, and the same at the mail server.")
    known.append((peer, secret))
    if len(secret) < _LEAST_SECRET:
        mend = f"openssl rand -base64 24 > {peer.secret_file}, and the same at the mail server."
        yield warning(name, f"its secret has {len(secret)} characters, which can be guessed", mend)
    else:
        yield good(name, f"its secret is in {peer.secret_file}, for its owner alone")


# Doors


def one_door(config: Config, door: DoorSection, *, is_running: bool) -> Iterator[Finding]:
    """Look at a door: whether it is there, who can reach it, and what its protocol cannot say."""
    name = f"{door.kind.value} door"
    peers = peers_of(config, door)
    if door.socket is not None:
        yield from _socket(name, door, door.socket, is_running=is_running)
    elif door.kind is not DoorKind.RADIUS:
        yield from _port(name, door, is_running=is_running)
    if door.listen is not None:
        yield from _reach(name, door, peers)
    if door.kind in _TELL_NO_TLS and config.policy.require_tls:
        for peer in peers:
            if not peer.tls_only:
                what = f"policy demands TLS, and {peer.name} cannot say of a login that it has it: every one is refused"
                mend = f"tls_only = true in the [[peer]] {peer.name}, if it takes passwords over TLS alone."
                yield problem(name, what, mend)
    if door.kind is DoorKind.RADIUS:
        yield from _radius(name, peers)


def _port(name: str, door: DoorSection, *, is_running: bool) -> Iterator[Finding]:
    assert door.listen is not None  # noqa: S101  asked by the caller
    host = door.listen.host or "127.0.0.1"
    try:
        with socket.create_connection((host, door.listen.port), _CONNECT_WITHIN):
            pass
    except OSError as error:
        if is_running:
            yield problem(name, f"nobody answers at {door.listen}: {error.strerror or error}", _RESTART)
        else:
            yield good(name, f"{door.listen} is free, and opens when Valetkey starts")
        return
    if is_running:
        yield good(name, f"it answers at {door.listen}")
    else:
        yield problem(name, f"somebody else listens at {door.listen}", "Find out who with: ss -ltnp")


def _socket(name: str, door: DoorSection, path: Path, *, is_running: bool) -> Iterator[Finding]:
    if not path.parent.is_dir():
        yield problem(
            name,
            f"there is no folder {path.parent}",
            f"install -d -g {door.socket_group or 'root'} -m 2750 {path.parent}",
        )
        return
    if door.socket_group and not _is_group(door.socket_group):
        yield problem(name, f"there is no group {door.socket_group}", "Name the group that the mail server runs with.")
        return
    try:
        facts = path.stat()
    except OSError as error:
        if is_running:
            yield problem(name, f"{path} is not there: {error.strerror}", _RESTART)
        else:
            yield good(name, f"{path} is made when Valetkey starts")
        return
    yield from _socket_facts(name, door, path, facts)


def _socket_facts(name: str, door: DoorSection, path: Path, facts: os.stat_result) -> Iterator[Finding]:
    if not stat.S_ISSOCK(facts.st_mode):
        yield problem(name, f"{path} is no socket", "Move it away, and restart Valetkey.")
        return
    if facts.st_mode & _OTHERS:
        yield warning(
            name, f"everybody on this machine can ask at {path}", "chmod o= it, and give the door a socket_group."
        )
    if door.socket_group and facts.st_gid != grp.getgrnam(door.socket_group).gr_gid:
        what = f"{path} does not belong to the group {door.socket_group}, so the mail server cannot ask"
        yield problem(
            name, what, f"chgrp {door.socket_group} {path}; a folder with mode 2750 and that group does it by itself."
        )
    elif not _answers(path):
        yield problem(name, f"nobody answers at {path}", _RESTART)
    else:
        yield good(name, f"it answers at {path}, mode {stat.S_IMODE(facts.st_mode):o}")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_WITHIN)
        try:
            probe.connect(str(path))
        except PermissionError:
            return True  # it is there; we are not who may ask
        except OSError:
            return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _reach(name: str, door: DoorSection, peers: tuple[PeerSection, ...]) -> Iterator[Finding]:
    """Compare where a door listens with where its peers ask from."""
    assert door.listen is not None  # noqa: S101  asked by the caller
    is_local = _is_loopback(door.listen.host)
    for peer in peers:
        if is_local and not is_here(peer):
            networks = ", ".join(map(str, peer.networks))
            what = f"{peer.name} asks from {networks}, and {door.listen} is reached from this machine alone"
            yield problem(
                name, what, "Let the door listen at this machine's address, or name 127.0.0.1 in its networks."
            )
        if not is_local and not door.tls and door.kind in _IN_THE_CLEAR and not is_here(peer):
            what = f"passwords cross the network between {peer.name} and {door.listen} without TLS"
            mend = (
                "tls = true in the [[door]]."
                if door.kind in {DoorKind.HTTP, DoorKind.LDAP}
                else "Use a VPN, or a wire of your own."
            )
            yield warning(name, what, mend)
    if door.kind in _WITHOUT_SECRET:
        yield from _shadowed(name, peers)
    elif door.kind is DoorKind.LDAP:
        yield from _shadowed(name, tuple(peer for peer in peers if peer.secret_file is None))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    return bool(ip_or_none(host)) and parse_network(host).is_loopback


def _share_a_place(one: PeerSection, other: PeerSection) -> bool:
    return any(a.overlaps(b) for a in one.networks for b in other.networks if a.version == b.version)


def _shadowed(name: str, peers: tuple[PeerSection, ...]) -> Iterator[Finding]:
    for position, peer in enumerate(peers):
        for before in peers[:position]:
            if _share_a_place(peer, before):
                what = f"{before.name} and {peer.name} ask from the same place without a secret: the first is taken for both"
                yield warning(name, what, "Give each a door of its own, by peers.")


def _radius(name: str, peers: tuple[PeerSection, ...]) -> Iterator[Finding]:
    for peer in peers:
        if not peer.message_authenticator and not all(network.is_loopback for network in peer.networks):
            what = f"{peer.name} may ask over a network without a Message-Authenticator: answers can be forged there"
            yield warning(name, what, "message_authenticator = true, or only 127.0.0.1 in its networks.")


# The servers themselves


def _servers(config: Config) -> Iterator[Finding]:
    for name, recipe in RECIPES.items():
        if name == "dovecot-oauth2":
            continue  # the same program as dovecot, and the same look at it
        try:
            found = fit(config, Wish(recipe))
            if found.peer is None or not found.is_whole or not _is_near(config, found.peer):
                continue
            setup = setup_of(config, recipe, found, version_for(recipe, ""))
        except (InvalidInput, CannotStart):
            continue  # what is wrong with the configuration itself has been said
        yield from local_findings(name, setup, found.peer, only_asking=True)


def _is_near(config: Config, peer: PeerSection) -> bool:
    return is_here(peer) or any(door.socket for door in doors_of(config, peer))
