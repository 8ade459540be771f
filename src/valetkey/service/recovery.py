"""Recovering an account whose second factor is lost: password and mailed link, a waiting time, both again.

What begins and ends here is decided by `core.recovery`; nobody can shorten it (docs/decisions/0008-recovery.md).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from valetkey.core.account import Account
from valetkey.core.errors import Conflict, NotAllowed, NotFound, Refused
from valetkey.core.event import RecoveryBegun, RecoveryDone
from valetkey.core.mail_address import masked
from valetkey.core.notice import NoticeKind
from valetkey.core.recovery import (
    BEGUN_WITHIN,
    LINK_LASTS,
    LINKS_WITHIN,
    MOST_BEGUN,
    MOST_LINKS,
    Phase,
    notice_due,
    phase_at,
    times,
)
from valetkey.service import portal_sessions
from valetkey.service.api_tokens import revoke_all_in
from valetkey.service.calling_off import CALL_OFF
from valetkey.service.factors import take_all_away
from valetkey.service.notices import seal_token, tell, tell_with_link
from valetkey.service.one_time_links import NO_LINK, NewLink, new_link, open_link, require_link, use
from valetkey.service.portal_sessions import AGAIN, is_over, still_active
from valetkey.service.ports import Actor, ActorKind, PortalSession, Ports, Reader, Writer
from valetkey.service.store_parts import LinkPurpose, OneTimeLink, Recovery, RecoveryState
from valetkey.service.tokens import find_session, new_token

_BEGIN = "begin"
_FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the recovery of a half-signed-in account stands."""

    phase: Phase
    address: str  # the notice address, masked; "" if there is none, or no mail is sent: then nothing can begin
    recovery: Recovery | None


async def standing(ports: Ports, token: str) -> Standing:
    """Tell how the recovery stands, to whoever has given the main password.

    Raises:
        NotAllowed: No half-finished sign-in, or it took too long.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Standing:
        account, _ = _half(ports, reader, token, now)
        recovery = reader.open_recovery(account.id)
        address = _notice_address(ports, reader, account.id)
        return Standing(_phase(recovery, now), masked(address) if address else "", recovery)

    return await ports.store.read(look)


async def mail_link(ports: Ports, token: str, *, address: str) -> str:
    """Mail the one-time link that begins or finishes a recovery to the notice address; give that, masked.

    Args:
        ports: The ports.
        token: Of the half-finished sign-in: the main password was right.
        address: The client's address, or "" if unknown.

    Raises:
        NotAllowed: No half-finished sign-in, or it took too long.
        Refused: No notice address, no mail, the waiting time runs, or too many links or recoveries lately.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def ask(writer: Writer) -> str:
        account, _ = _half(ports, writer, token, now)
        to = _notice_address(ports, writer, account.id)
        if not to:
            raise Refused("This account has no confirmed notice address. Ask your administrators for help.")
        step, recovery_id = _next_step(writer, account.id, now)
        if writer.links_made(account.id, LinkPurpose.RECOVERY, now - LINKS_WITHIN) >= MOST_LINKS:
            raise Refused("Several links were mailed already. Look for the newest mail, or try again in an hour.")
        facts = {"step": step, "recovery": recovery_id, "address": to}
        made = new_link(
            ports, LinkPurpose.RECOVERY, account.id, by=account.id, now=now, lasts_until=now + LINK_LASTS, facts=facts
        )
        writer.add_link(made.link)
        sealed = seal_token(ports, account.id, NoticeKind.RECOVERY_LINK, made.token, to=(to,))
        tell_with_link(writer, account.id, NoticeKind.RECOVERY_LINK, now, sealed, address=address)
        return masked(to)

    return await ports.store.write(ask)


async def begin(ports: Ports, token: str, link_token: str, *, address: str) -> Recovery:
    """Begin the waiting time, with both proofs: the half-finished sign-in and the mailed link.

    Raises:
        NotAllowed: No half-finished sign-in, or it took too long.
        NotFound: Not a link of this account to begin with, or it was used or has run out.
        Refused: Too many wrong links, or too many recoveries lately.
        Unavailable: The store failed.
    """
    await require_link(ports, link_token, LinkPurpose.RECOVERY, address=address)
    now = ports.clock.now()
    opens_at, closes_at = times(now, ports.policy.recovery_wait)
    recovery_id = ports.entropy.new_id("rc")

    def start(writer: Writer) -> Recovery:
        account, _ = _half(ports, writer, token, now)
        link = _link_of(ports, writer, account, link_token, _BEGIN)
        _require_may_begin(writer, account.id, now)
        use(writer, link, now)
        writer.end_links(account.id, LinkPurpose.RECOVERY, now)
        recovery = Recovery(
            recovery_id, account.id, RecoveryState.WAITING, now, address, opens_at, closes_at, noticed_at=now
        )
        writer.add_recovery(recovery)
        actor = Actor(ActorKind.ACCOUNT, account.id, address)
        writer.record(RecoveryBegun(opens_at.isoformat(), address), actor=actor, at=now, account_id=account.id)
        _tell_with_call_off(ports, writer, recovery, NoticeKind.RECOVERY_BEGUN, now, opens_at=opens_at, address=address)
        return recovery

    return await ports.store.write(start)


async def finish(ports: Ports, token: str, link_token: str, *, address: str, client: str) -> tuple[str, PortalSession]:
    """End a recovery after its waiting time, with both proofs anew: all second factors and API tokens are taken away.

    All sessions end; the new one that is given, with its token, is that of an account without a second factor.

    Raises:
        NotAllowed: No half-finished sign-in, or it took too long.
        NotFound: Not a link of this account to finish with, or it was used or has run out; or the recovery is over.
        Refused: Too many wrong links.
        Unavailable: The store failed.
    """
    await require_link(ports, link_token, LinkPurpose.RECOVERY, address=address)
    now = ports.clock.now()
    fresh = new_token(ports)

    def end(writer: Writer) -> PortalSession:
        account, _ = _half(ports, writer, token, now)
        link = _link_of(ports, writer, account, link_token, _FINISH)
        recovery = writer.open_recovery(account.id)
        if recovery is None or _phase(recovery, now) is not Phase.OPEN or link.facts.get("recovery") != recovery.id:
            raise NotFound(NO_LINK)
        use(writer, link, now)
        writer.set_recovery(recovery.id, state=RecoveryState.DONE, at=now)
        writer.end_links(account.id, LinkPurpose.RECOVERY, now)
        actor = Actor(ActorKind.ACCOUNT, account.id, address)
        take_all_away(writer, account.id, now)
        revoke_all_in(writer, actor, account.id, now)
        writer.record(RecoveryDone(), actor=actor, at=now, account_id=account.id)
        tell(writer, account.id, NoticeKind.RECOVERY_DONE, now, address=address)
        new = portal_sessions.NewSession(account.id, address, client, is_proven=True)
        return portal_sessions.begin(ports, writer, new, fresh, now)

    return fresh, await ports.store.write(end)


async def follow_up(ports: Ports) -> None:
    """Tell the owners of waiting recoveries once a day and when one opens, and end those that were not finished.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    after: tuple[datetime, str] | None = None
    while part := await ports.store.read(partial(_part_of_open, after=after)):
        for recovery in part:
            kind = notice_due(now, recovery.noticed_at, recovery.opens_at, recovery.closes_at)
            if kind is not None:
                await _follow(ports, recovery.account_id, kind, now)
        after = (part[-1].opens_at, part[-1].id)


def _part_of_open(reader: Reader, *, after: tuple[datetime, str] | None) -> tuple[Recovery, ...]:
    return reader.open_recoveries(after=after)


async def _follow(ports: Ports, account_id: str, kind: NoticeKind, now: datetime) -> None:
    def apply(writer: Writer) -> None:
        recovery = writer.open_recovery(account_id)
        if recovery is None:
            return
        if kind is NoticeKind.RECOVERY_LAPSED:
            writer.set_recovery(recovery.id, state=RecoveryState.LAPSED, at=now)
            writer.end_links(account_id, LinkPurpose.RECOVERY, now)
            tell(writer, account_id, kind, now)
            return
        writer.set_recovery_noticed(recovery.id, now)
        facts = (
            {"opens_at": recovery.opens_at}
            if kind is NoticeKind.RECOVERY_WAITING
            else {"closes_at": recovery.closes_at}
        )
        _tell_with_call_off(ports, writer, recovery, kind, now, **facts)

    await ports.store.write(apply)


def _half(ports: Ports, reader: Reader, token: str, now: datetime) -> tuple[Account, PortalSession]:
    """Give the account of a half-finished sign-in: its main password was right within the last ten minutes."""
    session = find_session(ports, reader, token)
    if session is None or session.proven_at is not None or is_over(session, now):
        raise NotAllowed(AGAIN)
    account = still_active(reader, session.account_id)
    if not account.has_second_factor:
        raise NotAllowed(AGAIN)
    return account, session


def _phase(recovery: Recovery | None, now: datetime) -> Phase:
    return Phase.NONE if recovery is None else phase_at(now, recovery.opens_at, recovery.closes_at)


def _notice_address(ports: Ports, reader: Reader, account_id: str) -> str:
    found = reader.notice_address(account_id)
    return found.address if ports.mailer is not None and found is not None and found.confirmed_at is not None else ""


def _next_step(reader: Reader, account_id: str, now: datetime) -> tuple[str, str]:
    recovery = reader.open_recovery(account_id)
    match _phase(recovery, now):
        case Phase.WAITING:
            raise Refused("The waiting time runs. Come back when it is over.")
        case Phase.OPEN if recovery is not None:
            return _FINISH, recovery.id
        case _:
            _require_may_begin(reader, account_id, now)
            return _BEGIN, ""


def _require_may_begin(reader: Reader, account_id: str, now: datetime) -> None:
    if reader.open_recovery(account_id) is not None:
        raise Conflict("A recovery of this account is under way already.")
    if reader.recoveries_begun(account_id, now - BEGUN_WITHIN) >= MOST_BEGUN:
        raise Refused("This account was recovered too often lately. Wait a week, or ask your administrators.")


def _link_of(ports: Ports, writer: Writer, account: Account, token: str, step: str) -> OneTimeLink:
    """Give a mailed link if it is this account's, for this step, and went to the address that notices go to still."""
    link = open_link(ports, writer, token, LinkPurpose.RECOVERY, ports.clock.now())
    is_its = link.account_id == account.id and link.facts.get("step") == step
    if not is_its or link.facts.get("address") != _notice_address(ports, writer, account.id):
        raise NotFound(NO_LINK)
    return link


def _tell_with_call_off(
    ports: Ports, writer: Writer, recovery: Recovery, kind: NoticeKind, now: datetime, **facts: object
) -> None:
    made = _call_off_link(ports, recovery, now)
    writer.add_link(made.link)
    sealed = seal_token(ports, recovery.account_id, kind, made.token)
    tell_with_link(writer, recovery.account_id, kind, now, sealed, **facts)


def _call_off_link(ports: Ports, recovery: Recovery, now: datetime) -> NewLink:
    facts = {"step": CALL_OFF, "recovery": recovery.id}
    return new_link(
        ports,
        LinkPurpose.RECOVERY,
        recovery.account_id,
        by="system",
        now=now,
        lasts_until=recovery.closes_at,
        facts=facts,
    )
