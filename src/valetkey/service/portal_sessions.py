"""The sessions of browsers: how long they last, how they are renewed, listed and ended."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountState
from valetkey.core.errors import NotAllowed, NotFound
from valetkey.core.event import SignedOut
from valetkey.core.role import Action
from valetkey.core.sentence import say
from valetkey.service.authority import own_account, require_token_action
from valetkey.service.calling_off import call_off_in
from valetkey.service.ports import Actor, ActorKind, PortalSession, Ports, Reader, Writer
from valetkey.service.tokens import find_session, id_hash, new_token

LIFETIME = timedelta(hours=24)  # NIST SP 800-63B-4 2.2.3
IDLE_LIFETIME = timedelta(hours=1)
HALF_LIFETIME = timedelta(minutes=10)  # between the main password and the second factor
AGAIN = say("Sign in again.")
_MAX_CLIENT = 200
_PUBLIC_ID_OCTETS = 9


def public_id(session: PortalSession) -> str:
    """Name a session in a page and in a form, without what it is found by."""
    return hashlib.sha256(b"valetkey session name\0" + session.id_hash).hexdigest()[: 2 * _PUBLIC_ID_OCTETS]


def is_over(session: PortalSession, now: datetime) -> bool:
    """Tell whether a session has lasted too long, or was unused for too long."""
    lifetime = LIFETIME if session.proven_at is not None else HALF_LIFETIME
    return now - session.created_at >= lifetime or now - session.seen_at >= IDLE_LIFETIME


def still_active(reader: Reader, account_id: str) -> Account:
    """Give the account of a session.

    Raises:
        NotAllowed: It is gone or disabled.
    """
    account = reader.account(account_id)
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotAllowed(AGAIN)
    return account


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session begins with."""

    account_id: str
    address: str  # the client's, or "" if unknown
    client: str  # the User-Agent, untrusted
    is_proven: bool  # False: half finished
    has_second_factor: bool = False


def begin(ports: Ports, writer: Writer, new: NewSession, token: str, now: datetime) -> PortalSession:
    """Put a new session under a token."""
    session = PortalSession(
        id_hash=id_hash(ports, token),
        account_id=new.account_id,
        csrf=new_token(ports),
        created_at=now,
        seen_at=now,
        proven_at=now if new.is_proven else None,
        has_second_factor=new.has_second_factor,
        address=new.address,
        client=new.client[:_MAX_CLIENT],
    )
    writer.add_portal_session(session)
    _show_factor_is_there(writer, session, now)
    return session


def renew(ports: Ports, writer: Writer, old: PortalSession, token: str, now: datetime) -> PortalSession:
    """Put a session under a new token, proven now."""
    renewed = replace(
        old, id_hash=id_hash(ports, token), csrf=new_token(ports), created_at=now, seen_at=now, proven_at=now
    )
    writer.remove_portal_sessions(old.account_id, only=old.id_hash)
    writer.add_portal_session(renewed)
    _show_factor_is_there(writer, renewed, now)
    return renewed


def _show_factor_is_there(writer: Writer, session: PortalSession, now: datetime) -> None:
    """Call off a recovery: whoever has just used the second factor has not lost it."""
    if session.has_second_factor and session.proven_at is not None:
        actor = Actor(ActorKind.ACCOUNT, session.account_id, session.address)
        call_off_in(writer, session.account_id, actor, now)


def forget(ports: Ports, writer: Writer, token: str | None) -> PortalSession | None:
    """End the session of a token, and give it as it was."""
    session = find_session(ports, writer, token) if token else None
    if session is not None:
        writer.remove_portal_sessions(session.account_id, only=session.id_hash)
    return session


async def sign_out(ports: Ports, token: str) -> None:
    """End the session of a token, a half-finished one too.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def end(writer: Writer) -> None:
        session = forget(ports, writer, token)
        if session is not None and session.proven_at is not None:
            actor = Actor(ActorKind.ACCOUNT, session.account_id, session.address)
            _record_signed_out(writer, actor, session.account_id, 1, now)

    await ports.store.write(end)


async def sign_out_others(ports: Ports, actor: Actor, keep_token: str) -> int:
    """End the actor's portal sessions except that of a token; give how many were ended.

    Raises:
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def end(writer: Writer) -> int:
        account = own_account(writer, actor)
        keep = find_session(ports, writer, keep_token)
        ended = writer.remove_portal_sessions(account.id, keep=keep.id_hash if keep else None)
        if ended:
            _record_signed_out(writer, actor, account.id, ended, now)
        return ended

    return await ports.store.write(end)


async def sign_out_all(ports: Ports, actor: Actor) -> int:
    """End all of the actor's portal sessions, the one that asks too; give how many were ended.

    Raises:
        NotAllowed: The account is disabled.
        Unavailable: The store failed.
    """
    return await sign_out_others(ports, actor, "")


async def sign_out_one(ports: Ports, actor: Actor, name: str) -> None:
    """End one of the actor's portal sessions, named by its public id.

    Raises:
        NotAllowed: The account is disabled.
        NotFound: No such session of one's own, or it has ended.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def end(writer: Writer) -> None:
        account = own_account(writer, actor)
        found = next((one for one in writer.portal_sessions(account.id) if public_id(one) == name), None)
        if found is None:
            raise NotFound("This sign-in has ended already.")
        writer.remove_portal_sessions(account.id, only=found.id_hash)
        _record_signed_out(writer, actor, account.id, 1, now)

    await ports.store.write(end)


async def sessions(ports: Ports, actor: Actor) -> tuple[PortalSession, ...]:
    """List the actor's portal sessions that are not over; a token that may read its account lists them too.

    Raises:
        NotAllowed: The account is disabled, or the API token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[PortalSession, ...]:
        account = own_account(reader, actor, now)
        require_token_action(reader, actor, Action.OWN_READ)
        return reader.portal_sessions(account.id)

    found = await ports.store.read(look)
    return tuple(session for session in found if not is_over(session, now))


def _record_signed_out(writer: Writer, actor: Actor, account_id: str, count: int, now: datetime) -> None:
    writer.record(SignedOut(count), actor=actor, at=now, account_id=account_id)
