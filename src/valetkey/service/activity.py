"""What happened: the audit log, and the logins, which are recorded in batches."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

import structlog

from valetkey.core.errors import Unavailable
from valetkey.service.authority import require_operator, the_account
from valetkey.service.faults import place_of
from valetkey.service.ports import Actor, AuditFault, AuditRecord, LoginEvent, Ports, Reader, Store
from valetkey.service.tallies import Counted, Tallies

_log = structlog.get_logger("valetkey.activity")

FLUSH_EVERY = 1.0  # seconds
_CAPACITY = 10_000  # different events
_TALLIES_EVERY = 5  # flushes: nobody waits for these numbers

_Waiting = OrderedDict[tuple[str | None, ...], LoginEvent]  # by `LoginEvent.key`


class BatchingRecorder:
    """Takes login events at once and writes them in batches; fulfils `ports.LoginRecorder`.

    The same thing again only counts up, so a flood of one kind needs the memory of one event. When the store is away
    for long, the oldest events are dropped and counted in `dropped`.
    """

    def __init__(self, store: Store, *, capacity: int = _CAPACITY) -> None:
        self.dropped = 0
        self._store = store
        self._capacity = capacity
        self._waiting: _Waiting = OrderedDict()
        self._flushing = asyncio.Lock()
        self._is_failing = False
        self._tallies = Tallies()

    def add(self, event: LoginEvent) -> None:
        """Queue an event."""
        key = event.key
        earlier = self._waiting.pop(key, None)
        self._waiting[key] = event if earlier is None else earlier.joined(event)
        self._drop_oldest()

    def count(self, what: Counted, at: datetime, place: str = "") -> None:
        """Count what is no login."""
        self._tallies.count(what, at, place)

    async def flush(self) -> None:
        """Write what is queued now. When the store is away it stays queued; what the store cannot take is dropped."""
        async with self._flushing:
            await self._write_events()
            await self._write_tallies()

    async def run(self) -> None:
        """Write login events every second and counts every few, until cancelled; all once more then."""
        try:
            while True:
                for _ in range(_TALLIES_EVERY):
                    await asyncio.sleep(FLUSH_EVERY)
                    async with self._flushing:
                        await self._write_events()
                await self.flush()
        finally:
            await self.flush()

    async def _write_events(self) -> None:
        batch, self._waiting = self._waiting, OrderedDict()
        if not batch:
            return
        try:
            await self._store.add_login_events(tuple(batch.values()))
        except Unavailable:
            self._put_back(batch)
            self._note(is_failing=True)
        except Exception as bug:  # noqa: BLE001  (tried again, it would hold up all that comes after it)
            self.dropped += sum(event.count for event in batch.values())
            _log.error("login_events_lost", events=len(batch), bug=place_of(bug))
        except BaseException:
            self._put_back(batch)
            raise
        else:
            self._note(is_failing=False)

    async def _write_tallies(self) -> None:
        tallies = self._tallies.take()
        if not tallies:
            return
        try:
            await self._store.write(lambda writer: writer.add_tallies(tallies))
        except Unavailable:
            self._tallies.put_back(tallies)
        except Exception as bug:  # noqa: BLE001  (as above)
            _log.error("counts_lost", counts=len(tallies), bug=place_of(bug))
        except BaseException:
            self._tallies.put_back(tallies)
            raise

    def _put_back(self, batch: _Waiting) -> None:
        newer, self._waiting = self._waiting, batch
        for event in newer.values():
            self.add(event)

    def _drop_oldest(self) -> None:
        while len(self._waiting) > self._capacity:
            _, event = self._waiting.popitem(last=False)
            self.dropped += event.count

    def _note(self, *, is_failing: bool) -> None:
        if is_failing != self._is_failing:
            self._is_failing = is_failing
            _log.warning("login_events_wait" if is_failing else "login_events_written", waiting=len(self._waiting))


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened with an account: changes, and logins with how many older ones were dropped."""

    audit: tuple[AuditRecord, ...]
    logins: tuple[LoginEvent, ...]
    dropped: int


async def of_account(ports: Ports, actor: Actor, account_id: str, limit: int = 100) -> Activity:
    """Give the newest of what happened with an account; logins of the last second may be missing.

    Raises:
        NotFound: No such account, or not the actor's.
        Unavailable: The store failed.
    """

    def look(reader: Reader) -> Activity:
        account = the_account(reader, actor, account_id)
        return Activity(
            audit=reader.audit(account_id=account.id, limit=limit),
            logins=reader.login_events(account.id, limit),
            dropped=reader.login_events_dropped(account.id),
        )

    return await ports.store.read(look)


async def audit(
    ports: Ports,
    actor: Actor,
    *,
    account_id: str | None = None,
    after: int = 0,
    before: int | None = None,
    limit: int = 100,
) -> tuple[AuditRecord, ...]:
    """Give records of the audit log, of one account or of all.

    Raises:
        NotAllowed: Not the command line.
        Unavailable: The store failed.
    """
    require_operator(actor)
    return await ports.store.read(
        lambda reader: reader.audit(account_id=account_id, after=after, before=before, limit=limit)
    )


async def verify_audit(ports: Ports) -> tuple[int, bytes] | AuditFault:
    """Check the chain of the audit log: the number of records and the last hash, or the first bad record.

    Raises:
        Unavailable: The store failed.
    """
    return await ports.store.verify_audit()
