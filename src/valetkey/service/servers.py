"""The mail servers: those behind the gateway, and how they stand; those that ask, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from valetkey.core.role import Action
from valetkey.service.authority import require
from valetkey.service.ports import Actor, Ports, Reader
from valetkey.service.server_parts import MailDoor, MailServer
from valetkey.service.tallies import NOBODY_KNOWN, Asked, AskedOutcome, Tally


@dataclass(frozen=True, slots=True)
class AskingPeer:
    """A peer of a door, and what came of its questions there. Without a name: all who are no peer."""

    name: str
    tallies: Mapping[AskedOutcome, Tally]  # only of what there was

    @property
    def last(self) -> AskedOutcome | None:
        """What came of its last question; None: it has not asked yet."""
        return max(self.tallies, key=lambda outcome: self.tallies[outcome].last_at, default=None)

    def count(self, outcome: AskedOutcome) -> int:
        """Tell how often a question came to this."""
        return self.tallies[outcome].count if outcome in self.tallies else 0


@dataclass(frozen=True, slots=True)
class AskedDoor:
    """A place where mail servers ask, with all who may, and last those who did and may not, if there were any."""

    door: MailDoor
    peers: tuple[AskingPeer, ...]


async def connected(ports: Ports, actor: Actor) -> tuple[MailServer, ...]:
    """List the mail servers behind the gateway with what its workers know of them, by `Action.SEE_SERVERS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed, or no worker answers.
    """
    now = ports.clock.now()
    await ports.store.read(lambda reader: require(reader, actor, Action.SEE_SERVERS, now))
    return () if ports.mail_servers is None else await ports.mail_servers.standings()


async def asking(ports: Ports, actor: Actor) -> tuple[AskedDoor, ...]:
    """List the doors of the configuration with who asks there, by `Action.SEE_SERVERS`; late by a few seconds.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Mapping[Asked, Tally]:
        require(reader, actor, Action.SEE_SERVERS, now)
        return reader.asked()

    tallies = await ports.store.read(look)
    return tuple(AskedDoor(door, _peers(door, tallies)) for door in ports.mail_doors)


def _peers(door: MailDoor, tallies: Mapping[Asked, Tally]) -> tuple[AskingPeer, ...]:
    def of(name: str) -> AskingPeer:
        found = ((outcome, tallies.get(Asked(door.name, name, outcome))) for outcome in AskedOutcome)
        return AskingPeer(name, {outcome: tally for outcome, tally in found if tally is not None})

    others = of(NOBODY_KNOWN)
    return (*(of(name) for name in door.peers), *((others,) if others.tallies else ()))
