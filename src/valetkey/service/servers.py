"""The mail servers behind the gateway: which there are, and how they stand."""

from valetkey.core.role import Action
from valetkey.service.authority import require
from valetkey.service.ports import Actor, MailServer, Ports


async def connected(ports: Ports, actor: Actor) -> tuple[MailServer, ...]:
    """List the mail servers with what the gateway's workers know of them, by `Action.SEE_SERVERS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed, or no worker answers.
    """
    now = ports.clock.now()
    await ports.store.read(lambda reader: require(reader, actor, Action.SEE_SERVERS, now))
    return () if ports.mail_servers is None else await ports.mail_servers.standings()
