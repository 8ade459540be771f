"""Notices: what people are told by mail. Verbs queue them in their own transaction; `service.sending` sends them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from valetkey.core.account import Account, AccountKind
from valetkey.core.notice import FACTS, WITH_LINK, NoticeKind
from valetkey.service.ports import Ports, Reader, Writer

_MAX_FACT = 320
_MAX_NAMES = 50


@dataclass(frozen=True, slots=True)
class LinkToken:
    """The token of a one-time link that a notice carries: sealed, for it must not lie in the store as it is."""

    sealed: bytes = field(repr=False)
    to: tuple[str, ...] | None = None  # the mail addresses that it goes to; None: all that are told


@dataclass(frozen=True, slots=True)
class _Told:
    kind: NoticeKind
    at: datetime
    facts: dict[str, object]
    sealed: bytes | None = field(default=None, repr=False)


def tell(writer: Writer, account_id: str, kind: NoticeKind, at: datetime, **facts: object) -> None:
    """Have an account's people told, in the verb's own transaction: at its mailbox and at its confirmed notice address.

    A shared account's owners are told at their mailboxes besides. Nothing is told about an account that is not there.

    Args:
        writer: The verb's transaction.
        account_id: Whom it is about.
        kind: What is told.
        at: When it happened.
        facts: The facts that `core.notice.FACTS` names for the kind: text, lists of text, or times. No secrets.

    Raises:
        ValueError: Facts are missing or unknown, or the kind needs a link.
    """
    if kind in WITH_LINK:
        raise ValueError(f"{kind.value} needs a link")
    _queue(writer, recipients(writer, account_id), account_id, _Told(kind, at, facts))


def tell_with_link(
    writer: Writer, account_id: str, kind: NoticeKind, at: datetime, link: LinkToken, **facts: object
) -> None:
    """Have somebody sent a one-time link.

    Args:
        writer: The verb's transaction.
        account_id: Whom it is about.
        kind: What is told.
        at: When it happened.
        link: The sealed token, from `seal_token`.
        facts: As of `tell`.

    Raises:
        ValueError: Facts are missing or unknown, or the kind has no link.
    """
    if kind not in WITH_LINK:
        raise ValueError(f"{kind.value} has no link")
    _queue(
        writer,
        recipients(writer, account_id) if link.to is None else link.to,
        account_id,
        _Told(kind, at, facts, link.sealed),
    )


def tell_at(
    writer: Writer, account_id: str, kind: NoticeKind, at: datetime, to: tuple[str, ...], **facts: object
) -> None:
    """Have these mail addresses told, such as one that notices no longer go to; arguments as of `tell`."""
    _queue(writer, to, account_id, _Told(kind, at, facts))


def recipients(reader: Reader, account_id: str) -> tuple[str, ...]:
    """Give the mail addresses that are told about an account, each once."""
    account = reader.account(account_id)
    if account is None:
        return ()
    found = [*_of(reader, account)]
    if account.kind is AccountKind.SHARED:
        found.extend(owner.address for owner in reader.owners(account.id))
    return tuple(dict.fromkeys(found))


def seal_token(
    ports: Ports, account_id: str, kind: NoticeKind, token: str, to: tuple[str, ...] | None = None
) -> LinkToken:
    """Seal the token of a link, for this account and this kind of notice alone; `to` as of `LinkToken`."""
    return LinkToken(ports.keys.seal(token.encode(), _context(account_id, kind)), to)


def unseal_token(ports: Ports, account_id: str, kind: NoticeKind, sealed: bytes) -> str:
    """Open what `seal_token` made.

    Raises:
        Unavailable: Damaged, or a key that is no longer there.
    """
    return ports.keys.unseal(sealed, _context(account_id, kind)).decode()


def _context(account_id: str, kind: NoticeKind) -> str:
    return f"notice\0{account_id}\0{kind.value}"


def _of(reader: Reader, account: Account) -> tuple[str, ...]:
    beside = reader.notice_address(account.id)
    return (account.address, beside.address) if beside and beside.confirmed_at else (account.address,)


def _queue(writer: Writer, to: tuple[str, ...], account_id: str, told: _Told) -> None:
    if told.facts.keys() != FACTS[told.kind]:
        raise ValueError(f"{told.kind.value} is told with {sorted(FACTS[told.kind])}, not with {sorted(told.facts)}")
    kept = {name: _kept(value) for name, value in told.facts.items()}
    for address in to:
        writer.queue_notice(account_id, address, told.kind.value, kept, at=told.at, sealed=told.sealed)


def _kept(value: object) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return [_one_line(one) for one in value[:_MAX_NAMES]]
        case _:
            return _one_line(value)


def _one_line(value: object) -> str:
    """Give a fact as it goes into a mail: no line breaks, no control or direction characters, bounded."""
    return "".join(c if c.isprintable() else " " for c in str(value))[:_MAX_FACT]
