"""Where notices go beside the mailbox: an address outside, confirmed by a link that is mailed to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from valetkey.core.account import Account, canonical_or_nobodys
from valetkey.core.errors import InvalidInput, NotFound, PolicyForbids, Refused
from valetkey.core.event import NoticeAddressRemoved, NoticeAddressSet
from valetkey.core.mail_address import mail_address
from valetkey.core.notice import NoticeKind
from valetkey.core.role import Action
from valetkey.service.authority import own_account, require_recent_proof, require_token_action
from valetkey.service.notices import seal_token, tell, tell_at, tell_with_link
from valetkey.service.one_time_links import NO_LINK, look_at, new_link, open_link, require_link, use
from valetkey.service.ports import Actor, Ports, Reader, Writer
from valetkey.service.store_parts import LinkPurpose, NoticeAddress

LINK_LASTS = timedelta(hours=24)
MOST_LINKS = 5
_LINKS_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """The notice address of an account, and the one that waits to be confirmed."""

    kept: NoticeAddress | None
    pending: str  # "" if none
    can_mail: bool  # whether this site sends mail at all


async def show(ports: Ports, actor: Actor) -> Shown:
    """Give one's own notice address.

    Raises:
        NotAllowed: Neither a person who is signed in nor an API token that permits it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Shown:
        account = own_account(reader, actor, now)
        require_token_action(reader, actor, Action.OWN_READ)
        links = reader.open_links(account.id, LinkPurpose.NOTICE_ADDRESS)
        pending = next((str(link.facts["address"]) for link in links if link.expires_at > now), "")
        return Shown(reader.notice_address(account.id), pending, ports.mailer is not None)

    return await ports.store.read(look)


async def ask_for(ports: Ports, actor: Actor, typed: str) -> str:
    """Mail a link to an address that notices shall go to; nothing changes until it is used. Give the address.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: Not a person who is signed in.
        PolicyForbids: No second factor yet.
        InvalidInput: Not an address outside this site.
        Refused: This site sends no mail, or too many links were mailed lately.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)
    address = mail_address(typed)

    def ask(writer: Writer) -> str:
        account = _with_second_factor(writer, actor)
        _require_outside(writer, address)
        if ports.mailer is None:
            raise Refused("This site sends no mail, so it cannot send notices elsewhere. Ask your administrators.")
        if writer.links_made(account.id, LinkPurpose.NOTICE_ADDRESS, now - _LINKS_WITHIN) >= MOST_LINKS:
            raise Refused("Several links were mailed already. Look for the newest mail, or try again in an hour.")
        writer.end_links(account.id, LinkPurpose.NOTICE_ADDRESS, now)
        made = new_link(
            ports,
            LinkPurpose.NOTICE_ADDRESS,
            account.id,
            by=actor.name,
            now=now,
            lasts_until=now + LINK_LASTS,
            facts={"address": address},
        )
        writer.add_link(made.link)
        sealed = seal_token(ports, account.id, NoticeKind.NOTICE_ADDRESS_LINK, made.token, to=(address,))
        tell_with_link(writer, account.id, NoticeKind.NOTICE_ADDRESS_LINK, now, sealed)
        return address

    return await ports.store.write(ask)


async def pending(ports: Ports, actor: Actor, token: str) -> str:
    """Give the address that a mailed link confirms; nothing changes.

    Raises:
        NotAllowed: Not a person who is signed in.
        NotFound: Not a link of this account.
        Unavailable: The store failed.
    """
    link = await look_at(ports, token, LinkPurpose.NOTICE_ADDRESS)
    account = await ports.store.read(lambda reader: own_account(reader, actor))
    if link.account_id != account.id:
        raise NotFound(NO_LINK)
    return str(link.facts["address"])


async def confirm(ports: Ports, actor: Actor, token: str) -> str:
    """Have notices go to the address that a mailed link confirms; the one before is told. Give the address.

    Whoever uses the link must be signed in to the account: a stranger at a mistyped address confirms nothing.

    Raises:
        NotAllowed: Not a person who is signed in.
        NotFound: Not a link of this account.
        InvalidInput: The address is no longer outside this site.
        Refused: Too many wrong ones.
        Unavailable: The store failed.
    """
    await require_link(ports, token, LinkPurpose.NOTICE_ADDRESS, address=actor.address)
    now = ports.clock.now()

    def apply(writer: Writer) -> str:
        account = own_account(writer, actor)
        link = open_link(ports, writer, token, LinkPurpose.NOTICE_ADDRESS, now)
        if link.account_id != account.id:
            raise NotFound(NO_LINK)
        address = str(link.facts["address"])
        _require_outside(writer, address)
        use(writer, link, now)
        _change(writer, actor, account, address, now)
        return address

    return await ports.store.write(apply)


async def remove(ports: Ports, actor: Actor) -> None:
    """Have notices go to the mailbox alone; the address is told. An address that waits is forgotten too.

    Raises:
        ProveAgain: The last proof of identity is older than five minutes.
        NotAllowed: Not a person who is signed in.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    require_recent_proof(actor, now)

    def apply(writer: Writer) -> None:
        account = own_account(writer, actor)
        writer.end_links(account.id, LinkPurpose.NOTICE_ADDRESS, now)
        old = writer.notice_address(account.id)
        if old is None:
            return
        tell(writer, account.id, NoticeKind.NOTICE_ADDRESS_REMOVED, now, old=old.address)
        writer.set_notice_address(account.id, None, None)
        writer.record(NoticeAddressRemoved(old.address), actor=actor, at=now, account_id=account.id)

    await ports.store.write(apply)


def _change(writer: Writer, actor: Actor, account: Account, address: str, now: datetime) -> None:
    old = writer.notice_address(account.id)
    writer.set_notice_address(account.id, address, now)
    writer.record(NoticeAddressSet(address), actor=actor, at=now, account_id=account.id)
    tell(writer, account.id, NoticeKind.NOTICE_ADDRESS_CHANGED, now, new=address)
    if old is not None and old.confirmed_at is not None and old.address != address:
        tell_at(writer, account.id, NoticeKind.NOTICE_ADDRESS_CHANGED, now, (old.address,), new=address)


def _with_second_factor(reader: Reader, actor: Actor) -> Account:
    account = own_account(reader, actor)
    if not account.has_second_factor:
        raise PolicyForbids("Set up your second factor first.")
    return account


def _require_outside(reader: Reader, address: str) -> None:
    """Refuse an address that an app password of this site might open: then one thief would read both."""
    is_ours = reader.is_domain_served(address.rpartition("@")[2])
    if is_ours or reader.account_by_address(canonical_or_nobodys(address)) is not None:
        raise InvalidInput(
            "address", "This address is one of this site’s own. Choose one elsewhere, that you can read without it."
        )
