"""The open mail connections: see them, close one."""

from valetkey.core.errors import NotAllowed
from valetkey.service.authority import the_account
from valetkey.service.ports import Actor, ActorKind, LiveSession, Ports, Reader


async def of_account(ports: Ports, actor: Actor, account_id: str | None) -> tuple[LiveSession, ...]:
    """List the open connections of an account; with None, of all accounts, for the command line.

    Raises:
        NotAllowed: All accounts, and not the command line.
        NotFound: No such account, or not the actor's.
        Unavailable: The store or the workers cannot be asked.
    """
    if account_id is None:
        if actor.kind is not ActorKind.OPERATOR:
            raise NotAllowed("Only an administrator sees the connections of all accounts.")
    else:
        wanted = account_id
        await ports.store.read(lambda reader: the_account(reader, actor, wanted))
    return await ports.live_sessions.list(account_id)


async def close(ports: Ports, actor: Actor, session_id: str) -> bool:
    """Close one connection; False if it is not open or not the actor's.

    Raises:
        NotAllowed: The actor's account is disabled.
        Unavailable: The store or the workers cannot be asked.
    """
    for account_id in await ports.store.read(lambda reader: _accounts_of(reader, actor)):
        if any(session.id == session_id for session in await ports.live_sessions.list(account_id)):
            return await ports.live_sessions.close(session_id)
    return False


def _accounts_of(reader: Reader, actor: Actor) -> tuple[str | None, ...]:
    if actor.kind is ActorKind.OPERATOR:
        return (None,)
    own = the_account(reader, actor, actor.account_id or "")
    return (own.id, *(shared.id for shared in reader.owned(own.id)))
