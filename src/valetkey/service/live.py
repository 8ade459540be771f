"""The open mail connections: see them, close one or all of one app password."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from valetkey.core.account import Account
from valetkey.core.errors import NotAllowed, PolicyForbids, Unavailable
from valetkey.core.event import ConnectionClosed
from valetkey.core.role import Action
from valetkey.service.authority import (
    acts_on_others,
    own_account,
    require,
    require_over,
    require_token_action,
    the_account,
    the_app_password,
)
from valetkey.service.ports import Actor, ActorKind, LiveSession, LiveSurvey, Ports, Reader, Writer

_NOT_CLOSED = "It is not known whether the connection is closed. Look again in a minute."


@dataclass(frozen=True, slots=True)
class OwnConnections:
    """The open connections of the accounts that somebody manages."""

    accounts: tuple[Account, ...]  # one's own first, then the shared ones
    sessions: tuple[LiveSession, ...]  # the newest first
    is_complete: bool  # False: a part of the mail side did not say which ones it has


async def of_account(ports: Ports, actor: Actor, account_id: str | None) -> tuple[LiveSession, ...]:
    """List the open connections of an account, as far as workers answer; with None, of all accounts.

    Raises:
        NotAllowed: All accounts, and neither the command line nor a role that sees them.
        NotFound: No such account, or not the actor's.
        Unavailable: The store or the workers cannot be asked.
    """
    return (await survey(ports, actor, account_id)).sessions


async def survey(ports: Ports, actor: Actor, account_id: str | None) -> LiveSurvey:
    """List them as `of_account` does, and tell how many workers did not say which ones they have.

    Raises:
        NotAllowed, NotFound, Unavailable: As of `of_account`.
    """
    now = ports.clock.now()

    def permit(reader: Reader) -> None:
        if account_id is None:
            require(reader, actor, Action.SEE_CONNECTIONS, now)
        else:
            the_account(reader, actor, account_id, others=Action.SEE_CONNECTIONS, now=now)

    await ports.store.read(permit)
    return await ports.live_sessions.survey(account_id)


async def of_own(ports: Ports, actor: Actor) -> OwnConnections:
    """List the open connections of the actor's account and of the shared ones that it owns.

    Raises:
        NotAllowed: The account is disabled, or the API token does not permit it.
        Unavailable: The store or the workers cannot be asked.
    """
    now = ports.clock.now()
    accounts = await ports.store.read(lambda reader: _own_accounts(reader, actor, Action.OWN_READ, now))
    found = [await ports.live_sessions.survey(account.id) for account in accounts]
    sessions = sorted((s for each in found for s in each.sessions), key=lambda s: s.opened_at, reverse=True)
    return OwnConnections(accounts, tuple(sessions), not any(each.silent for each in found))


async def close(ports: Ports, actor: Actor, session_id: str) -> bool:
    """Close one connection; False if it is not open or not the actor's.

    Raises:
        NotAllowed: The actor's account is disabled, or role or token do not permit it.
        Unavailable: The store or the workers cannot be asked, or a worker did not say whether it did it.
    """
    now = ports.clock.now()
    for account_id in await ports.store.read(lambda reader: _where_to_look(reader, actor, now)):
        found = [s for s in await ports.live_sessions.list(account_id) if s.id == session_id]
        if found:
            return bool(await _close(ports, actor, found[0].account_id, found))
    return False


async def close_all_of(ports: Ports, actor: Actor, credential_id: str) -> int:
    """Close every connection that an app password opened; it stays valid. Gives how many were closed.

    Raises:
        NotFound: No such app password, or not the actor's.
        NotAllowed: Role or token do not permit it.
        Unavailable: The store or the workers cannot be asked, or a worker did not say whether it did it.
    """
    now = ports.clock.now()
    others = Action.CLOSE_CONNECTIONS
    _, account = await ports.store.read(
        lambda reader: the_app_password(reader, actor, credential_id, own=Action.OWN_REVOKE, others=others, now=now)
    )
    found = [s for s in await ports.live_sessions.list(account.id) if s.credential_id == credential_id]
    return await _close(ports, actor, account.id, found)


async def _close(ports: Ports, actor: Actor, account_id: str, sessions: Sequence[LiveSession]) -> int:
    """Record and close connections of one account. The record is durable before they are closed."""
    now = ports.clock.now()

    def note(writer: Writer) -> None:
        account = the_account(
            writer, actor, account_id, own=Action.OWN_REVOKE, others=Action.CLOSE_CONNECTIONS, now=now
        )
        if acts_on_others(writer, actor, account, now):
            require_over(writer, actor, Action.CLOSE_CONNECTIONS, account, now)
        for session in sessions:
            event = ConnectionClosed(session.protocol.value, session.address)
            writer.record(event, actor=actor, at=now, account_id=account.id, credential_id=session.credential_id)

    if not sessions:
        return 0
    await ports.store.write(note)
    closed = [await ports.live_sessions.close(session.id) for session in sessions]
    if not all(closed):  # gone by itself in the meantime, or its worker did not answer
        left = await ports.live_sessions.survey(account_id)
        if left.silent or {s.id for s in left.sessions} & {s.id for s in sessions}:
            raise Unavailable(_NOT_CLOSED)
    return len(sessions)


def _where_to_look(reader: Reader, actor: Actor, now: datetime) -> tuple[str | None, ...]:
    """Give the accounts whose connections the actor may close; None is all."""
    if actor.kind is ActorKind.OPERATOR:
        return (None,)
    own = own_account(reader, actor, now)
    if own.role is not None:
        try:
            require(reader, actor, Action.CLOSE_CONNECTIONS, now)
        except (NotAllowed, PolicyForbids):
            pass  # then one's own are left
        else:
            return (None,)
    return tuple(account.id for account in _own_accounts(reader, actor, Action.OWN_REVOKE, now))


def _own_accounts(reader: Reader, actor: Actor, action: Action, now: datetime) -> tuple[Account, ...]:
    own = own_account(reader, actor, now)
    require_token_action(reader, actor, action)
    return (own, *reader.owned(own.id))
