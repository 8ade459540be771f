"""One-time links, recoveries, notice addresses and waiting notices in the store."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError

from valetkey.adapters.store.rows import micros, micros_or_none, moment, moment_or_none
from valetkey.adapters.store.schema import address, notice, notice_address, one_time_link, recovery
from valetkey.adapters.store.transaction import Transaction
from valetkey.core.errors import Conflict
from valetkey.service.store_parts import (
    LinkPurpose,
    NoticeAddress,
    OneTimeLink,
    QueuedNotice,
    Recovery,
    RecoveryState,
)


def _link_from(row: Any) -> OneTimeLink:
    return OneTimeLink(
        hashed=row.hashed,
        purpose=LinkPurpose(row.purpose),
        account_id=row.account_id,
        facts=json.loads(row.facts),
        created_by=row.created_by,
        created_at=moment(row.created_at),
        expires_at=moment(row.expires_at),
        used_at=moment_or_none(row.used_at),
    )


def _recovery_from(row: Any) -> Recovery:
    return Recovery(
        id=row.id,
        account_id=row.account_id,
        state=RecoveryState(row.state),
        begun_at=moment(row.begun_at),
        begun_from=row.begun_from,
        opens_at=moment(row.opens_at),
        closes_at=moment(row.closes_at),
        noticed_at=moment(row.noticed_at),
        ended_at=moment_or_none(row.ended_at),
    )


def _notice_from(row: Any) -> QueuedNotice:
    return QueuedNotice(
        id=row.id,
        account_id=row.account_id,
        recipient=row.recipient,
        kind=row.kind,
        facts=json.loads(row.facts),
        sealed=row.sealed,
        made_at=moment(row.made_at),
        tries=row.tries,
        next_try_at=moment(row.next_try_at),
    )


class LinkReader(Transaction):
    """What can be read of links, recoveries and notices."""

    def one_time_link(self, hashed: bytes) -> OneTimeLink | None:
        """Find a link by the keyed hash of its token, used and expired ones too."""
        row = self._row(select(one_time_link).where(one_time_link.c.hashed == hashed))
        return None if row is None else _link_from(row)

    def open_links(self, account_id: str, purpose: LinkPurpose) -> tuple[OneTimeLink, ...]:
        """List the links of an account for a purpose that were not used, newest first; expired ones may be among them."""
        statement = select(one_time_link).where(
            one_time_link.c.account_id == account_id,
            one_time_link.c.purpose == purpose.value,
            one_time_link.c.used_at.is_(None),
        )
        return tuple(_link_from(row) for row in self._rows(statement.order_by(one_time_link.c.created_at.desc())))

    def links_made(self, account_id: str, purpose: LinkPurpose, since: datetime) -> int:
        """Count the links for a purpose that were made since then, used ones too."""
        statement = select(func.count()).where(
            one_time_link.c.account_id == account_id,
            one_time_link.c.purpose == purpose.value,
            one_time_link.c.created_at > micros(since),
        )
        return int(self._value(statement))

    def open_recovery(self, account_id: str) -> Recovery | None:
        """Give the recovery of an account that waits, if one does."""
        row = self._row(
            select(recovery).where(recovery.c.account_id == account_id, recovery.c.state == RecoveryState.WAITING.value)
        )
        return None if row is None else _recovery_from(row)

    def open_recoveries(self, *, after: tuple[datetime, str] | None = None, limit: int = 100) -> tuple[Recovery, ...]:
        """List recoveries that wait, the one that opens first before the others, behind (opens_at, id)."""
        statement = select(recovery).where(recovery.c.state == RecoveryState.WAITING.value)
        if after is not None:
            place = tuple_(recovery.c.opens_at, recovery.c.id)
            statement = statement.where(place > tuple_(micros(after[0]), after[1]))
        ordered = statement.order_by(recovery.c.opens_at, recovery.c.id).limit(limit)
        return tuple(_recovery_from(row) for row in self._rows(ordered))

    def open_recovery_count(self) -> int:
        """Count the recoveries that wait."""
        statement = select(func.count()).select_from(recovery)
        return int(self._value(statement.where(recovery.c.state == RecoveryState.WAITING.value)))

    def recoveries_begun(self, account_id: str, since: datetime) -> int:
        """Count the recoveries of an account that were begun since then, however they ended."""
        statement = select(func.count()).where(recovery.c.account_id == account_id, recovery.c.begun_at > micros(since))
        return int(self._value(statement))

    def notice_address(self, account_id: str) -> NoticeAddress | None:
        """Give where notices go beside the mailbox."""
        row = self._row(select(notice_address).where(notice_address.c.account_id == account_id))
        return None if row is None else NoticeAddress(row.account_id, row.address, moment_or_none(row.confirmed_at))

    def is_domain_served(self, domain: str) -> bool:
        """Tell whether any account has an address in a domain, canonical."""
        held = select(1).where(address.c.address.endswith(f"@{domain}", autoescape=True))
        return bool(self._value(select(exists(held))))

    def due_notices(self, now: datetime, limit: int = 50) -> tuple[QueuedNotice, ...]:
        """List notices whose time to be sent has come, the one that waits longest first."""
        statement = select(notice).where(notice.c.next_try_at <= micros(now))
        ordered = statement.order_by(notice.c.next_try_at, notice.c.id).limit(limit)
        return tuple(_notice_from(row) for row in self._rows(ordered))


class LinkWriter(LinkReader):
    """What can be changed of links, recoveries and notices."""

    def add_link(self, link: OneTimeLink) -> None:
        """Store a link."""
        self._affected(
            insert(one_time_link).values(
                hashed=link.hashed,
                purpose=link.purpose.value,
                account_id=link.account_id,
                facts=json.dumps(link.facts, sort_keys=True),
                created_by=link.created_by,
                created_at=micros(link.created_at),
                expires_at=micros(link.expires_at),
                used_at=micros_or_none(link.used_at),
            )
        )

    def use_link(self, hashed: bytes, at: datetime) -> bool:
        """Use a link up, by compare-and-set; False if it is unknown, expired or was used before."""
        statement = update(one_time_link).where(
            one_time_link.c.hashed == hashed,
            one_time_link.c.used_at.is_(None),
            one_time_link.c.expires_at > micros(at),
        )
        return self._affected(statement.values(used_at=micros(at))) == 1

    def end_links(self, account_id: str, purpose: LinkPurpose, at: datetime) -> int:
        """Have the links of an account for a purpose open nothing any more; give how many that were."""
        statement = update(one_time_link).where(
            one_time_link.c.account_id == account_id,
            one_time_link.c.purpose == purpose.value,
            one_time_link.c.used_at.is_(None),
        )
        return self._affected(statement.values(used_at=micros(at)))

    def forget_links(self, expired_before: datetime) -> int:
        """Remove links that expired before then; give how many."""
        return self._affected(delete(one_time_link).where(one_time_link.c.expires_at < micros(expired_before)))

    def add_recovery(self, value: Recovery) -> None:
        """Store a recovery.

        Raises:
            Conflict: The account has one that waits.
        """
        statement = insert(recovery).values(
            id=value.id,
            account_id=value.account_id,
            state=value.state.value,
            begun_at=micros(value.begun_at),
            begun_from=value.begun_from,
            opens_at=micros(value.opens_at),
            closes_at=micros(value.closes_at),
            noticed_at=micros(value.noticed_at),
            ended_at=micros_or_none(value.ended_at),
        )
        try:
            self._affected(statement)
        except IntegrityError:
            raise Conflict("A recovery of this account is under way already.") from None

    def set_recovery(self, recovery_id: str, *, state: RecoveryState, at: datetime) -> bool:
        """End a recovery that waits; False if none with this id does."""
        statement = update(recovery).where(
            recovery.c.id == recovery_id, recovery.c.state == RecoveryState.WAITING.value
        )
        return self._affected(statement.values(state=state.value, ended_at=micros(at))) == 1

    def set_recovery_noticed(self, recovery_id: str, at: datetime) -> None:
        """Keep when the owner was last told of a recovery."""
        self._affected(update(recovery).where(recovery.c.id == recovery_id).values(noticed_at=micros(at)))

    def set_notice_address(self, account_id: str, address: str | None, confirmed_at: datetime | None) -> None:
        """Set where notices go beside the mailbox; None: nowhere."""
        if address is None:
            self._affected(delete(notice_address).where(notice_address.c.account_id == account_id))
            return
        values = {"address": address, "confirmed_at": micros_or_none(confirmed_at)}
        statement = upsert(notice_address).values(account_id=account_id, **values)
        self._affected(statement.on_conflict_do_update(index_elements=["account_id"], set_=values))

    def queue_notice(
        self,
        account_id: str,
        recipient: str,
        kind: str,
        facts: dict[str, Any],
        *,
        at: datetime,
        sealed: bytes | None = None,
    ) -> None:
        """Have a notice sent, from now on."""
        self._affected(
            insert(notice).values(
                account_id=account_id,
                recipient=recipient,
                kind=kind,
                facts=json.dumps(facts, sort_keys=True),
                sealed=sealed,
                made_at=micros(at),
                tries=0,
                next_try_at=micros(at),
            )
        )

    def put_off_notice(self, notice_id: int, next_try_at: datetime) -> None:
        """Count a try that failed, and say when the next one is."""
        statement = update(notice).where(notice.c.id == notice_id)
        self._affected(statement.values(tries=notice.c.tries + 1, next_try_at=micros(next_try_at)))

    def remove_notice(self, notice_id: int) -> None:
        """Forget a notice: it was sent, or given up."""
        self._affected(delete(notice).where(notice.c.id == notice_id))

    def remove_notices(self) -> int:
        """Forget every notice that waits; give how many. For a site that sends no mail."""
        return self._affected(delete(notice))
