"""One-time links: made with a token that only its receiver sees, looked at without using them up, used once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from valetkey.core.errors import InvalidInput, NotFound, Refused
from valetkey.core.network import canonical_address
from valetkey.core.sentence import say
from valetkey.service.ports import Ports, Reader, Writer
from valetkey.service.store_parts import LinkPurpose, OneTimeLink
from valetkey.service.throttling import Tally, is_over, network_name, tally
from valetkey.service.tokens import find_link, link_hash, new_token

KEPT_FOR = timedelta(days=7)  # after they have expired: how many were made is asked
NO_LINK = say("This link is not right, was used already, or has run out.")


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that is about to be stored, with its token."""

    token: str = field(repr=False)
    link: OneTimeLink


def new_link(
    ports: Ports,
    purpose: LinkPurpose,
    account_id: str,
    *,
    by: str,
    now: datetime,
    lasts_until: datetime,
    facts: dict[str, Any] | None = None,
) -> NewLink:
    """Draw a link. The caller stores it in its own transaction."""
    token = new_token(ports)
    return NewLink(token, OneTimeLink(link_hash(ports, token), purpose, account_id, facts or {}, by, now, lasts_until))


def open_link(ports: Ports, reader: Reader, token: str, purpose: LinkPurpose, now: datetime) -> OneTimeLink:
    """Give the link of a token.

    Raises:
        NotFound: It is unknown, of another purpose, used or expired: all alike.
    """
    link = find_link(ports, reader, token, purpose, now)
    if link is None:
        raise NotFound(NO_LINK)
    return link


def use(writer: Writer, link: OneTimeLink, now: datetime) -> None:
    """Use a link up.

    Raises:
        NotFound: It was used in the meantime.
    """
    if not writer.use_link(link.hashed, now):
        raise NotFound(NO_LINK)


async def look_at(ports: Ports, token: str, purpose: LinkPurpose) -> OneTimeLink:
    """Give the link of a token for a page that asks before it does anything; nothing is counted or changed.

    Raises:
        NotFound: Not such a link.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    return await ports.store.read(lambda reader: open_link(ports, reader, token, purpose, now))


async def require_link(ports: Ports, token: str, purpose: LinkPurpose, *, address: str) -> OneTimeLink:
    """Give the link of a token that somebody sent, before anything costly is done; a wrong one is counted.

    Args:
        ports: The ports.
        token: As sent.
        purpose: What it must be for.
        address: The client's address, or "" if unknown.

    Raises:
        NotFound: Not such a link.
        Refused: Too many wrong ones from this network.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    where = _tally(ports, token, address)

    def look(reader: Reader) -> tuple[bool, OneTimeLink | None]:
        return is_over(ports, reader, where), find_link(ports, reader, token, purpose, now)

    over, link = await ports.store.read(look)
    if link is not None:  # a right one always passes
        return link
    if over:
        raise Refused("Too many tries from your network. Wait ten minutes, then try again.")
    await ports.store.write(lambda writer: writer.count_failure(where.window, where.network, where.secret_key))
    raise NotFound(NO_LINK)


def _tally(ports: Ports, token: str, address: str) -> Tally:
    try:
        network = network_name(canonical_address(address))
    except InvalidInput:
        network = network_name(None)
    return tally(ports, network=network, name="one-time link", secret=token[:128])
