"""What the console shows across all accounts, and revoking many app passwords at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import InvalidInput, NotAllowed, NotFound, Refused, Unavailable
from valetkey.core.role import Action
from valetkey.service.app_passwords import revoke_in, tell_revoked
from valetkey.service.authority import own_account, require, require_over
from valetkey.service.closing import Closed, ask, close_what_fails
from valetkey.service.ports import Actor, ActorKind, AuditFault, AuditRecord, Ports, Reader, Writer
from valetkey.service.store_parts import Adoption, AppPasswordFilter, AuditFilter, DomainCount, HourCount

MOST_AT_ONCE = 500
_FEW = 8  # accounts whose connections are looked at one by one; of more, all are looked at
_HOUR = timedelta(hours=1)
_USUAL = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Planned:
    """What revoking many app passwords would do."""

    app_passwords: int
    people: int  # accounts
    connections: int | None  # None: the workers cannot be asked now
    skipped: int  # unknown, revoked already, or of somebody with a role that oneself has not


@dataclass(frozen=True, slots=True)
class RevokedMany:
    """What revoking many app passwords did."""

    revoked: int
    people: int
    closed: Closed
    skipped: int


@dataclass(frozen=True, slots=True)
class AuditNeighbours:
    """A record of the audit log with those before and after it in the chain."""

    before: AuditRecord | None
    record: AuditRecord
    after: AuditRecord | None


@dataclass(frozen=True, slots=True)
class AdoptionShown:
    """Who has a second factor: now, and day by day."""

    now: Adoption
    days: tuple[Adoption, ...]


@dataclass(frozen=True, slots=True)
class Refusals:
    """Logins and refusals of the running and the last whole hour, and how many refusals are usual in such a time."""

    logins: int
    refusals: int
    usual_refusals: float  # over the seven days before

    @property
    def is_unusual(self) -> bool:
        """Whether there are many more than usual."""
        return self.refusals >= max(20, 3 * self.usual_refusals)


@dataclass(frozen=True, slots=True)
class Overview:
    """How the house stands, at a glance. What the role does not permit to see is None."""

    adoption: Adoption | None
    app_passwords: Mapping[AppPasswordFilter, int] | None
    refusals: Refusals | None
    open_proposals: int | None
    waiting_recoveries: int | None
    last_record: AuditRecord | None


async def domains(
    ports: Ports, actor: Actor, *, search: str = "", after: str = "", limit: int = 50
) -> tuple[DomainCount, ...]:
    """Count what domains hold, by name, behind the name `after`, by `Action.SEE_ACCOUNTS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[DomainCount, ...]:
        require(reader, actor, Action.SEE_ACCOUNTS, now)
        return reader.domains(search=search, after=after, limit=limit)

    return await ports.store.read(look)


async def app_passwords(
    ports: Ports,
    actor: Actor,
    wanted: AppPasswordFilter = AppPasswordFilter.LIVE,
    *,
    search: str = "",
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> tuple[tuple[AppPassword, Account], ...]:
    """List everybody's app passwords that a filter lets pass, newest first, by `Action.SEE_APP_PASSWORDS`.

    Args:
        ports: The ports.
        actor: Who looks.
        wanted: The filter.
        search: Part of a name or of an address.
        after: created_at and id of the one to go on behind.
        limit: How many at most.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[tuple[AppPassword, Account], ...]:
        require(reader, actor, Action.SEE_APP_PASSWORDS, now)
        return reader.app_passwords_where(wanted, now=now, search=search, after=after, limit=limit)

    return await ports.store.read(look)


async def app_password_counts(ports: Ports, actor: Actor) -> Mapping[AppPasswordFilter, int]:
    """Count the app passwords that each filter lets pass, by `Action.SEE_APP_PASSWORDS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Mapping[AppPasswordFilter, int]:
        require(reader, actor, Action.SEE_APP_PASSWORDS, now)
        return reader.app_password_counts(now)

    return await ports.store.read(look)


async def what_would_be_revoked(ports: Ports, actor: Actor, ids: Sequence[str]) -> Planned:
    """Tell what `revoke_many` would do. Raises as that does."""
    now = ports.clock.now()
    wanted = _bounded(ids)

    def look(reader: Reader) -> list[tuple[AppPassword, Account]]:
        require(reader, actor, Action.REVOKE_APP_PASSWORDS, now)
        return _revocable(reader, actor, wanted, now)

    found = await ports.store.read(look)
    chosen = {credential.id for credential, _ in found}
    people = {account.id for _, account in found}
    return Planned(len(chosen), len(people), await _connections(ports, chosen), len(wanted) - len(chosen))


async def revoke_many(ports: Ports, actor: Actor, ids: Sequence[str], reason: str = "") -> RevokedMany:
    """Revoke many app passwords in one transaction, each with its record, by `Action.REVOKE_APP_PASSWORDS`.

    Their owners are told. What is revoked already, or is of somebody with a role that oneself has not, is left out.

    Raises:
        NotAllowed: The role or the token does not permit it.
        InvalidInput: None, more than 500, or a reason that cannot be shown.
        Unavailable: The store failed; then none is revoked.
    """
    now = ports.clock.now()
    wanted = _bounded(ids)

    def work(writer: Writer) -> tuple[int, set[str]]:
        require(writer, actor, Action.REVOKE_APP_PASSWORDS, now)
        revoked: dict[str, list[AppPassword]] = {}
        for credential, account in _revocable(writer, actor, wanted, now):
            revoked.setdefault(account.id, []).append(revoke_in(writer, actor, credential, reason, now))
        for account_id, theirs in revoked.items():
            ask(ports, writer, account_id, [one.id for one in theirs], now)
            tell_revoked(writer, account_id, tuple(theirs), now)
        return sum(map(len, revoked.values())), set(revoked)

    count, people = await ports.store.write(work)
    whose: Sequence[str | None] = sorted(people) if len(people) <= _FEW else [None]
    closed = await asyncio.gather(*(close_what_fails(ports, account_id) for account_id in whose))
    return RevokedMany(count, len(people), reduce(Closed.joined, closed, Closed()), len(wanted) - count)


async def audit(
    ports: Ports, actor: Actor, wanted: AuditFilter, *, before: int | None = None, limit: int = 100
) -> tuple[AuditRecord, ...]:
    """List the audit records that a filter lets pass, newest first, numbered below `before`, by `Action.SEE_AUDIT`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[AuditRecord, ...]:
        require(reader, actor, Action.SEE_AUDIT, now)
        return reader.audit_where(wanted, before=before, limit=limit)

    return await ports.store.read(look)


async def audit_record(ports: Ports, actor: Actor, number: int) -> AuditNeighbours:
    """Give one audit record with its neighbours, by `Action.SEE_AUDIT`.

    Raises:
        NotFound: No such record.
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> AuditNeighbours:
        require(reader, actor, Action.SEE_AUDIT, now)
        near = {each.number: each for each in reader.audit(after=number - 2, before=number + 2, limit=3)}
        if number not in near:
            raise NotFound("There is no such record.")
        return AuditNeighbours(near.get(number - 1), near[number], near.get(number + 1))

    return await ports.store.read(look)


async def verify_audit(ports: Ports, actor: Actor) -> tuple[int, bytes] | AuditFault:
    """Check the chain of the audit log, by `Action.SEE_AUDIT`: the number of records and the last hash, or a fault.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    await ports.store.read(lambda reader: require(reader, actor, Action.SEE_AUDIT, now))
    return await ports.store.verify_audit()


async def adoption(ports: Ports, actor: Actor, days: int = 90) -> AdoptionShown:
    """Tell how many people have a second factor, now and over the last days, by `Action.SEE_ACCOUNTS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    since = (now - timedelta(days=days)).date()

    def look(reader: Reader) -> AdoptionShown:
        require(reader, actor, Action.SEE_ACCOUNTS, now)
        return AdoptionShown(reader.adoption_now(now.date()), reader.adoption_days(since))

    return await ports.store.read(look)


async def logins(ports: Ports, actor: Actor, since: datetime) -> tuple[HourCount, ...]:
    """Count logins and refusals by hour, protocol and outcome since a time, by `Action.SEE_LOGINS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[HourCount, ...]:
        require(reader, actor, Action.SEE_LOGINS, now)
        return reader.login_hours(since)

    return await ports.store.read(look)


async def overview(ports: Ports, actor: Actor) -> Overview:
    """Tell how the house stands, each part as far as the role permits it.

    Raises:
        NotAllowed: No role.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Overview:
        def may(action: Action) -> bool:
            return _may(reader, actor, action, now)

        if actor.kind is not ActorKind.OPERATOR and own_account(reader, actor, now).role is None:
            raise NotAllowed("Your role does not permit this.")
        return Overview(
            adoption=reader.adoption_now(now.date()) if may(Action.SEE_ACCOUNTS) else None,
            app_passwords=reader.app_password_counts(now) if may(Action.SEE_APP_PASSWORDS) else None,
            refusals=_refusals(reader, now) if may(Action.SEE_LOGINS) else None,
            open_proposals=reader.open_proposal_count(now) if may(Action.SEE_POLICY) else None,
            waiting_recoveries=reader.open_recovery_count() if may(Action.SEE_ACCOUNTS) else None,
            last_record=next(iter(reader.audit(limit=1)), None) if may(Action.SEE_AUDIT) else None,
        )

    return await ports.store.read(look)


def _may(reader: Reader, actor: Actor, action: Action, now: datetime) -> bool:
    try:
        require(reader, actor, action, now)
    except Refused:
        return False
    return True


def _refusals(reader: Reader, now: datetime) -> Refusals:
    recent = now.replace(minute=0, second=0, microsecond=0) - _HOUR
    counts = reader.login_hours(recent - _USUAL)
    refused = [each for each in counts if each.result != "allowed"]
    late = sum(each.count for each in refused if each.hour >= recent)
    early = sum(each.count for each in refused if each.hour < recent)
    span = (now - recent) / _HOUR
    passed = sum(each.count for each in counts if each.result == "allowed" and each.hour >= recent)
    return Refusals(passed, late, early / (_USUAL / _HOUR) * span)


def _bounded(ids: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(ids))
    if not wanted:
        raise InvalidInput("ids", "Choose at least one app password.")
    if len(wanted) > MOST_AT_ONCE:
        raise InvalidInput("ids", "Choose {most} app passwords at most at once.", most=MOST_AT_ONCE)
    return wanted


def _revocable(reader: Reader, actor: Actor, ids: Sequence[str], now: datetime) -> list[tuple[AppPassword, Account]]:
    found: list[tuple[AppPassword, Account]] = []
    for credential_id in ids:
        credential = reader.app_password(credential_id) if credential_id.isascii() else None
        account = reader.account(credential.account_id) if credential else None
        if credential is None or account is None or credential.revoked_at is not None:
            continue
        try:
            require_over(reader, actor, Action.REVOKE_APP_PASSWORDS, account, now)
        except NotAllowed:
            continue
        found.append((credential, account))
    return found


async def _connections(ports: Ports, credential_ids: set[str]) -> int | None:
    try:
        return sum(each.credential_id in credential_ids for each in await ports.live_sessions.list(None))
    except (Unavailable, OSError):
        return None
