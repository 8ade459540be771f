"""Invitations: a one-time link with which a person sets the first main password, and then a second factor."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.errors import InvalidInput, NotAllowed, NotFound, PolicyForbids
from valetkey.core.event import InvitationUsed, Invited, MainPasswordSet, SignedIn
from valetkey.core.notice import NoticeKind
from valetkey.core.role import Action
from valetkey.service import portal_sessions
from valetkey.service.accounts import close_opened_by_main_password
from valetkey.service.authority import require, require_over, require_recent_proof
from valetkey.service.closing import ask_main_password
from valetkey.service.main_passwords import fit
from valetkey.service.notices import seal_token, tell, tell_with_link
from valetkey.service.one_time_links import NO_LINK, look_at, new_link, open_link, require_link, use
from valetkey.service.ports import Actor, ActorKind, Ports, Reader, Writer
from valetkey.service.sign_in import NextStep, Started
from valetkey.service.store_parts import LinkPurpose
from valetkey.service.tokens import new_token

LASTS = timedelta(hours=72)
PATH = "/welcome/"  # behind the portal's address, before the token


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was made. Its token is shown once, to whoever made it."""

    token: str = field(repr=False)
    address: str  # of the account
    expires_at: datetime
    mailed_to: str  # "" if it was not mailed


async def invite(ports: Ports, actor: Actor, account_id: str) -> Invitation:
    """Make a one-time link for a person who has neither a main password nor a second factor yet.

    An earlier link of the account ends. For others it takes two administrators: `invite_countersigned`.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: The role or the token does not permit it, or not for this account.
        NotFound: No such account.
        InvalidInput: Not a person's account.
        PolicyForbids: The person is set up already.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def make(writer: Writer) -> Invitation:
        require(writer, actor, Action.INVITE, now)
        account = _invitable(writer, account_id)
        require_over(writer, actor, Action.INVITE, account, now)
        if actor.kind is ActorKind.TOKEN and account.role is not None:
            # With the link it would have the role, and so more than any token is given.
            raise NotAllowed("Only an administrator in person can invite somebody who has a role.")
        is_set_up = account.has_second_factor or writer.main_password(account.id) is not None
        if is_set_up and actor.kind is not ActorKind.OPERATOR:
            raise PolicyForbids("This person is set up already. To invite again takes two administrators: propose it.")
        return _make(ports, writer, actor, account, now, is_again=is_set_up)

    return await ports.store.write(make)


def invite_countersigned(ports: Ports, writer: Writer, actor: Actor, account_id: str, now: datetime) -> Invitation:
    """Make the link for a person who is set up already, in the transaction that countersigns the proposal.

    The person is told. Second factors stay: with the link alone nobody gets in.

    Raises:
        NotFound: No such account.
        NotAllowed: It is disabled.
        InvalidInput: Not a person's account.
    """
    return _make(ports, writer, actor, _invitable(writer, account_id), now, is_again=True)


async def invited(ports: Ports, token: str) -> Account:
    """Give the account that an invitation is for; nothing changes.

    Raises:
        NotFound: Not a link, or it was used or has run out.
        Unavailable: The store failed.
    """
    link = await look_at(ports, token, LinkPurpose.INVITATION)
    account = await ports.store.read(lambda reader: reader.account(link.account_id))
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotFound(NO_LINK)
    return account


async def accept(ports: Ports, token: str, password: str, *, address: str, client: str) -> Started:
    """Set the main password of an invited person and sign in: to set up a second factor, or to be asked for it.

    Raises:
        NotFound: Not a link, or it was used or has run out.
        InvalidInput: The password is too short, too long or guessed too soon.
        Refused: Too many wrong links.
        Unavailable: The store or the hasher failed.
    """
    await require_link(ports, token, LinkPurpose.INVITATION, address=address)
    account = await invited(ports, token)
    canonical, _ = await fit(ports, password, address=account.address)
    hashed = await ports.hasher.hash(canonical)
    now = ports.clock.now()
    fresh = new_token(ports)

    def apply(writer: Writer) -> Started:
        link = open_link(ports, writer, token, LinkPurpose.INVITATION, now)
        current = _invitable(writer, link.account_id)
        use(writer, link, now)
        actor = Actor(ActorKind.ACCOUNT, current.id, address)
        writer.set_main_password(current.id, hashed)
        writer.remove_portal_sessions(current.id)
        ask_main_password(ports, writer, current.id, now)
        writer.record(InvitationUsed(), actor=actor, at=now, account_id=current.id)
        writer.record(MainPasswordSet(), actor=actor, at=now, account_id=current.id)
        tell(writer, current.id, NoticeKind.INVITATION_USED, now, address=address)
        is_proven = not current.has_second_factor
        new = portal_sessions.NewSession(current.id, address, client, is_proven=is_proven)
        session = portal_sessions.begin(ports, writer, new, fresh, now)
        if is_proven:
            event = SignedIn("the main password alone", session.address, session.client)
            writer.record(event, actor=actor, at=now, account_id=current.id)
        return Started(fresh, session, NextStep.SET_UP_SECOND_FACTOR if is_proven else NextStep.SECOND_FACTOR)

    started = await ports.store.write(apply)
    await close_opened_by_main_password(ports, account.id)
    return started


def _make(ports: Ports, writer: Writer, actor: Actor, account: Account, now: datetime, *, is_again: bool) -> Invitation:
    expires_at = now + LASTS
    writer.end_links(account.id, LinkPurpose.INVITATION, now)
    made = new_link(ports, LinkPurpose.INVITATION, account.id, by=actor.name, now=now, lasts_until=expires_at)
    writer.add_link(made.link)
    writer.record(Invited(expires_at.isoformat()), actor=actor, at=now, account_id=account.id)
    if is_again:
        tell(writer, account.id, NoticeKind.INVITED_AGAIN, now)
    beside = writer.notice_address(account.id)
    # Never to the mailbox: a thief may read that with an app password, and a new person cannot.
    to = beside.address if ports.mailer is not None and beside is not None and beside.confirmed_at is not None else ""
    if to:
        sealed = seal_token(ports, account.id, NoticeKind.INVITATION, made.token, to=(to,))
        tell_with_link(writer, account.id, NoticeKind.INVITATION, now, sealed, expires_at=expires_at)
    return Invitation(made.token, account.address, expires_at, to)


def _invitable(reader: Reader, account_id: str) -> Account:
    account = reader.account(account_id) if account_id.isascii() else None
    if account is None:
        raise NotFound("There is no such account.")
    if account.kind is not AccountKind.PERSON:
        raise InvalidInput("account", "Only a person is invited. A shared account is managed by its owners.")
    if account.state is not AccountState.ACTIVE:
        raise NotAllowed("This account is disabled.")
    return account
