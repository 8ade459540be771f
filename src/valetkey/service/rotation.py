"""Rotation: a new app password takes the place of one, which works on for a while."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword, Secret, draw
from valetkey.core.errors import Conflict, InvalidInput
from valetkey.core.event import AppPasswordRotated
from valetkey.core.notice import NoticeKind
from valetkey.core.restriction import check_restrictions, renewed_restrictions
from valetkey.core.role import Action
from valetkey.core.scope import check_scope
from valetkey.service.app_passwords import issued_event, require_room, usable
from valetkey.service.authority import require_may_issue, require_recent_proof, the_app_password
from valetkey.service.closing import Closed, close_what_fails
from valetkey.service.expiry import stamp_lapsed
from valetkey.service.key_moves import proof_of
from valetkey.service.notices import tell
from valetkey.service.ports import Actor, Ports, Reader, Writer

# How long the old one may still work; without any overlap it ends at once.
OVERLAPS = (timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))


@dataclass(frozen=True, slots=True)
class Rotated:
    """An app password's successor and its secret, the app password that it replaces, and what that closed."""

    app_password: AppPassword
    secret: Secret
    replaced: AppPassword
    closed: Closed


@dataclass(frozen=True, slots=True)
class _Turn:
    """One call of `rotate`."""

    ports: Ports
    actor: Actor
    credential_id: str
    overlap: timedelta
    now: datetime


async def rotate(ports: Ports, actor: Actor, credential_id: str, overlap: timedelta = timedelta(0)) -> Rotated:
    """Put a new app password in the place of one, which works on until the overlap ends, or until its own end.

    The new one has the name, the form, what it may do and from where, the pinned network too, and what was sent today.
    It lives as long as the old one was made to live, counted from now, or as long as the policy permits. Without an overlap the old one ends,
    and its connections are closed, before this returns.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotFound: No such app password, or not the actor's.
        Conflict: It is revoked, has expired, or was replaced by one that is in use.
        NotAllowed: Nobody does it for another person, or the account is disabled.
        PolicyForbids: No second factor yet, or too many app passwords for both to work side by side.
        InvalidInput: The overlap is none of `OVERLAPS`, or a named network or a right is there no more.
        Unavailable: The store failed.
    """
    if overlap not in OVERLAPS:
        raise InvalidInput("overlap", "Choose how long the old one shall still work.")
    turn = _Turn(ports, actor, credential_id, overlap, ports.clock.now())
    require_recent_proof(actor, turn.now)
    old, account = await ports.store.read(lambda reader: _rotatable(turn, reader))
    new_id, secret = ports.entropy.new_id("ap"), draw(old.format, ports.entropy.choose)
    index, proof = await proof_of(ports, account.id, new_id, secret)

    def apply(writer: Writer) -> tuple[AppPassword, AppPassword]:
        old, account = _rotatable(turn, writer)
        new = _successor(turn, old, account, new_id)
        writer.add_app_password(new, index, proof)
        writer.carry_sent(old.id, new.id, turn.now.date())
        writer.record(issued_event(new), actor=actor, at=turn.now, account_id=account.id, credential_id=new.id)
        facts = {"description": new.description, "address": actor.address}
        tell(writer, account.id, NoticeKind.APP_PASSWORD_ROTATED, turn.now, **facts)
        return new, _end_later(turn, writer, old, new)

    new, replaced = await ports.store.write(apply)
    return Rotated(new, secret, replaced, Closed() if overlap else await close_what_fails(ports, account.id))


async def successor_of(ports: Ports, actor: Actor, credential_id: str) -> AppPassword | None:
    """Give the app password that was put in the place of one; None if there is none.

    Raises:
        NotFound: No such app password, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> AppPassword | None:
        one, _ = the_app_password(reader, actor, credential_id, others=Action.SEE_APP_PASSWORDS, now=now)
        return _successor_in(reader, one)

    return await ports.store.read(look)


def _rotatable(turn: _Turn, reader: Reader) -> tuple[AppPassword, Account]:
    old, account = usable(reader, turn.actor, turn.credential_id, turn.now)
    require_may_issue(reader, turn.actor, account, turn.now)
    next_one = _successor_in(reader, old)
    if next_one is not None and next_one.is_live:
        raise Conflict("This app password was replaced already. Replace the newer one, or revoke it first.")
    if turn.overlap:  # without one the old makes room for the new
        require_room(turn.ports, reader, account)
    check_scope(old.scope, account.rights)
    return old, account


def _successor_in(reader: Reader, one: AppPassword) -> AppPassword | None:
    return next((each for each in reader.app_passwords(one.account_id) if each.rotated_from == one.id), None)


def _successor(turn: _Turn, old: AppPassword, account: Account, new_id: str) -> AppPassword:
    now, policy = turn.now, turn.ports.policy
    renewed = renewed_restrictions(old.restrictions, policy, created_at=old.created_at, now=now)
    return AppPassword(
        id=new_id,
        account_id=account.id,
        description=old.description,
        format=old.format,
        scope=old.scope,
        restrictions=check_restrictions(renewed, policy, turn.ports.networks, created_at=now, now=now),
        created_at=now,
        created_by=turn.actor.name,
        created_from=turn.actor.address,
        rotated_from=old.id,
    )


def _end_later(turn: _Turn, writer: Writer, old: AppPassword, new: AppPassword) -> AppPassword:
    """Let an app password that got a successor expire when the overlap ends, or at its own end if that is sooner."""
    own_end, end = old.restrictions.expires_at, turn.now + turn.overlap
    end = min(end, own_end) if own_end is not None else end
    limited = replace(old, restrictions=replace(old.restrictions, expires_at=end))
    writer.set_app_password(old.id, description=old.description, scope=old.scope, restrictions=limited.restrictions)
    event = AppPasswordRotated(old.description, new.id, end.isoformat())
    writer.record(event, actor=turn.actor, at=turn.now, account_id=old.account_id, credential_id=old.id)
    if end > turn.now:
        return limited
    stamp_lapsed(turn.ports, writer, limited, turn.now)
    return replace(limited, lapsed_at=turn.now)
