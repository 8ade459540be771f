"""Which [[door]] and [[peer]] of the configuration a mail server's lines lead to, and what is not there yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from valetkey.app.connecting.parts import LOCALHOST, Need, Place, Recipe
from valetkey.config.door_sections import DoorSection, PeerSection
from valetkey.config.kinds import Endpoint, quoted
from valetkey.config.sections import Config
from valetkey.core.errors import CannotStart, InvalidInput
from valetkey.core.network import Network, parse_network
from valetkey.doors.asked.settings import DoorKind

RECIPE_NAMES = frozenset(
    {"dovecot", "dovecot-oauth2", "postfix", "exim", "nginx", "cyrus", "sendmail", "courier", "radius", "pam", "ldap"}
)
_PEERS = "peers"  # the folder of secrets, beside the database


@dataclass(frozen=True, slots=True)
class Wish:
    """What the administrator said."""

    recipe: Recipe
    peer: str = ""  # empty: the one that fits
    address: str = ""  # of the mail server; empty: this machine
    listen: str = ""  # of this machine, as the mail server reaches it; empty: 127.0.0.1


@dataclass(frozen=True, slots=True)
class Fit:
    """What of the configuration fits."""

    peer: PeerSection | None
    doors: dict[DoorKind, DoorSection]
    lacks: tuple[Need, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.peer is not None and not self.lacks


def fit(config: Config, wish: Wish) -> Fit:
    """Find the peer and the doors for a server.

    Raises:
        InvalidInput: A peer was named that cannot be used for it, or several could be.
    """
    peer = _peer(config, wish)
    doors = {need.kind: door for need in wish.recipe.needs if (door := _door(config, need, peer)) is not None}
    return Fit(peer, doors, tuple(need for need in wish.recipe.needs if need.kind not in doors))


def _peer(config: Config, wish: Wish) -> PeerSection | None:
    known = {peer.name: peer for peer in config.peer}
    name = wish.peer or wish.recipe.name
    found = known.get(name)
    if found is None and not wish.peer:
        found = _only_one(config, wish)
    if found is not None and wish.recipe.has_secret and found.secret_file is None:
        mend = "give it one, or name another with --peer"
        raise InvalidInput("peer", f"The [[peer]] {found.name} has no secret_file, and {name} needs one: {mend}.")
    return found


def _only_one(config: Config, wish: Wish) -> PeerSection | None:
    """Give the only peer that could be this server by what it may ask, if its name says nothing else."""
    first = wish.recipe.needs[0].kind
    asking = (peer for door in config.door if door.kind is first for peer in peers_of(config, door))
    fitting = {peer.name: peer for peer in asking if peer.name not in RECIPE_NAMES and wish.recipe.suits(peer)}
    if len(fitting) > 1:
        raise InvalidInput("peer", f"Several may ask there. Name one of them by --peer: {', '.join(sorted(fitting))}.")
    return next(iter(fitting.values()), None)


def peers_of(config: Config, door: DoorSection) -> tuple[PeerSection, ...]:
    """Give the peers that may ask at a door."""
    return tuple(peer for peer in config.peer if not door.peers or peer.name in door.peers)


def _door(config: Config, need: Need, peer: PeerSection | None) -> DoorSection | None:
    if peer is None:
        return None
    doors = [door for door in config.door if door.kind is need.kind and peer in peers_of(config, door)]
    return doors[0] if doors else None


def place_of(config: Config, door: DoorSection, peer: PeerSection) -> Place:
    """Say where a door is, as the peer reaches it."""
    if door.listen is None:
        return Place(socket=door.socket, tls=door.tls)
    host = door.listen.host
    if not host or ip_or_none(host) in {"0.0.0.0", "::"}:  # noqa: S104  (a comparison)
        host = LOCALHOST if is_here(peer) else config.server.hostname
    return Place(config.server.hostname if door.tls else host, door.listen.port, tls=door.tls)


def is_here(peer: PeerSection) -> bool:
    """Tell whether a peer asks from this machine."""
    return any(network.is_loopback for network in peer.networks)


def ip_or_none(text: str) -> str:
    """Give an IP address as it is usually written; empty if it is none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


# What is added


def secret_file(config: Config, wish: Wish) -> Path:
    """Say where the secret of a new peer is kept."""
    return config.store.path.parent / _PEERS / (wish.peer or wish.recipe.name)


def added(config: Config, wish: Wish, found: Fit) -> str:
    """Write the sections that are missing; empty if nothing is.

    Raises:
        InvalidInput: The address is none, or the server could not reach the doors.
    """
    blocks: list[str] = []
    name = found.peer.name if found.peer else wish.peer or wish.recipe.name
    if found.peer is None:
        blocks.append(_peer_section(config, wish, name))
    taken = {door.listen.port for door in config.door if door.listen} | _other_ports(config)
    blocks += [_door_section(need, wish, name, taken) for need in found.lacks]
    return "\n".join(blocks)


def _peer_section(config: Config, wish: Wish, name: str) -> str:
    lines = ["[[peer]]", f"name = {quoted(name)}"]
    if wish.address:
        lines.append(f"networks = [{quoted(str(network_of(wish.address)))}]")
    if wish.recipe.has_secret:
        lines.append(f"secret_file = {quoted(str(secret_file(config, wish)))}")
    return "\n".join([*lines, *wish.recipe.peer]) + "\n"


def network_of(text: str) -> Network:
    """Read an address or a network.

    Raises:
        InvalidInput: It is none.
    """
    return parse_network(text)


def _door_section(need: Need, wish: Wish, peer: str, taken: set[int]) -> str:
    lines = ["[[door]]", f"kind = {quoted(need.kind.value)}"]
    if need.socket is not None:
        lines.append(f"socket = {quoted(str(need.socket))}")
        lines += [f"socket_group = {quoted(need.socket_group)}"] if need.socket_group else []
    else:
        port = need.port
        while port in taken:
            port += 1
        taken.add(port)
        lines.append(f"listen = {quoted(str(Endpoint(_listens_at(wish), port)))}")
    lines.append(f"peers = [{quoted(peer)}]")
    if need.protocol:
        lines.append(f"protocol = {quoted(need.protocol)}")
    return "\n".join([*lines, *need.more]) + "\n"


def _listens_at(wish: Wish) -> str:
    if wish.listen:
        if not ip_or_none(wish.listen):
            raise InvalidInput("listen", f"“{wish.listen}” is not an IP address.")
        return wish.listen
    if wish.address and not network_of(wish.address).is_loopback:
        what = (
            "The mail server is on another machine: say with --listen at which address of this one it reaches Valetkey."
        )
        raise InvalidInput("listen", what)
    return LOCALHOST


def _other_ports(config: Config) -> set[int]:
    portal = (config.portal.listen, config.portal.tls_listen, config.ops.listen)
    return {end.port for end in (*(listener.listen for listener in config.listener), *portal) if end is not None}


def require_whole(found: Fit, wish: Wish) -> PeerSection:
    """Give the peer of a fit in which nothing is missing.

    Raises:
        CannotStart: Something is.
    """
    if found.peer is None or found.lacks:
        name = wish.recipe.name
        raise CannotStart(
            f"The configuration has no [[door]] and [[peer]] for {name} yet. Add them: valetkey connect {name} --add"
        )
    return found.peer


def doors_of(config: Config, peer: PeerSection) -> Iterator[DoorSection]:
    """Give the doors where a peer may ask."""
    return (door for door in config.door if peer in peers_of(config, door))
