"""Calling a recovery off: by whoever shows that the second factor is not lost, or reads the notices."""

from datetime import datetime

from valetkey.core.errors import NotFound
from valetkey.core.event import RecoveryCancelled
from valetkey.core.notice import NoticeKind
from valetkey.core.role import Action
from valetkey.service.authority import own_account, require, require_over
from valetkey.service.notices import tell
from valetkey.service.one_time_links import NO_LINK, look_at, open_link, require_link, use
from valetkey.service.ports import SYSTEM, Actor, Ports, Reader, Writer
from valetkey.service.store_parts import LinkPurpose, Recovery, RecoveryState

CALL_OFF = "call-off"  # the step that a mailed link is for


def call_off_in(writer: Writer, account_id: str, actor: Actor, now: datetime) -> bool:
    """Call off the recovery of an account in the caller's transaction, and end its links; False if there is none.

    Whoever completes a sign-in with a second factor calls it off by that: the factor is not lost.
    """
    recovery = writer.open_recovery(account_id)
    if recovery is None or not writer.set_recovery(recovery.id, state=RecoveryState.CANCELLED, at=now):
        return False
    writer.end_links(account_id, LinkPurpose.RECOVERY, now)
    writer.record(RecoveryCancelled(), actor=actor, at=now, account_id=account_id)
    tell(writer, account_id, NoticeKind.RECOVERY_CANCELLED, now)
    return True


async def call_off(ports: Ports, actor: Actor) -> bool:
    """Call off the recovery of one's own account, signed in with a second factor; False if there is none.

    Raises:
        NotAllowed: Not signed in to an account that is active.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    return await ports.store.write(lambda writer: call_off_in(writer, own_account(writer, actor).id, actor, now))


async def look_at_link(ports: Ports, token: str) -> Recovery:
    """Give the recovery that a mailed link calls off; nothing changes.

    Raises:
        NotFound: Not such a link, or the recovery is over.
        Unavailable: The store failed.
    """
    link = await look_at(ports, token, LinkPurpose.RECOVERY)
    recovery = await ports.store.read(lambda reader: reader.open_recovery(link.account_id))
    if link.facts.get("step") != CALL_OFF or recovery is None or recovery.id != link.facts.get("recovery"):
        raise NotFound(NO_LINK)
    return recovery


async def call_off_by_link(ports: Ports, token: str, *, address: str) -> None:
    """Call a recovery off with the link of a notice; no sign-in is needed.

    Raises:
        NotFound: Not such a link, or the recovery is over.
        Refused: Too many wrong ones.
        Unavailable: The store failed.
    """
    await require_link(ports, token, LinkPurpose.RECOVERY, address=address)
    await look_at_link(ports, token)
    now = ports.clock.now()
    actor = Actor(SYSTEM.kind, None, address)

    def end(writer: Writer) -> None:
        link = open_link(ports, writer, token, LinkPurpose.RECOVERY, now)
        use(writer, link, now)
        call_off_in(writer, link.account_id, actor, now)

    await ports.store.write(end)


async def cancel(ports: Ports, actor: Actor, account_id: str) -> None:
    """Call off anybody's recovery, by `Action.DISABLE_ACCOUNTS`: it takes nothing away, so no proof is asked for.

    Raises:
        NotAllowed: The role or the token does not permit it, or not on this account.
        NotFound: No such account, or it has none.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def end(writer: Writer) -> None:
        require(writer, actor, Action.DISABLE_ACCOUNTS, now)
        account = writer.account(account_id) if account_id.isascii() else None
        if account is not None:
            require_over(writer, actor, Action.DISABLE_ACCOUNTS, account, now)
        if account is None or not call_off_in(writer, account.id, actor, now):
            raise NotFound("No recovery of this account is under way.")

    await ports.store.write(end)


async def under_way(
    ports: Ports, actor: Actor, *, after: tuple[datetime, str] | None = None, limit: int = 100
) -> tuple[tuple[Recovery, str], ...]:
    """List recoveries that are under way, each with the account's address, by `Action.SEE_ACCOUNTS`.

    The one that opens first stands before the others; `after` is opens_at and id of the one to go on behind.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[tuple[Recovery, str], ...]:
        require(reader, actor, Action.SEE_ACCOUNTS, now)
        part = reader.open_recoveries(after=after, limit=limit)
        found = [(recovery, reader.account(recovery.account_id)) for recovery in part]
        return tuple((recovery, account.address if account else recovery.account_id) for recovery, account in found)

    return await ports.store.read(look)


async def of_account(ports: Ports, actor: Actor, account_id: str) -> Recovery | None:
    """Give the recovery of an account that is under way, by `Action.SEE_ACCOUNTS`; None: there is none.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Recovery | None:
        require(reader, actor, Action.SEE_ACCOUNTS, now)
        return reader.open_recovery(account_id)

    return await ports.store.read(look)
