"""What happened with an account or with one app password: logins, refusals and changes in one list."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword
from valetkey.core.errors import NotAllowed, PolicyForbids
from valetkey.core.limits import Sent
from valetkey.core.role import Action
from valetkey.service.authority import (
    acts_on_others,
    own_account,
    require,
    require_token_action,
    the_account,
    the_app_password,
)
from valetkey.service.ports import Actor, AuditRecord, LoginEvent, Ports, Reader
from valetkey.service.sending import Stopped, stopped_in
from valetkey.service.store_parts import AuditFilter, DayCount, LoginFilter

MOST = 5_000  # entries of each kind in one answer
_TIES = 200  # read beyond what was asked for, so that what happened at one moment stays on one page


class Kind(StrEnum):
    """What a list shows."""

    LOGINS = "logins"
    REFUSALS = "refusals"
    CHANGES = "changes"


Entry = AuditRecord | LoginEvent


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are listed."""

    kinds: frozenset[Kind] = frozenset(Kind)
    reason: str = ""  # a core.login.Reason: only refusals for it
    since: datetime | None = None
    until: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True)
class History:
    """A part of what happened, the newest first."""

    entries: tuple[Entry, ...]
    before: datetime | None  # what is older than this was left out; None: nothing was
    called: Mapping[str, str]  # the names of app passwords by id
    names: Mapping[str, str]  # the addresses of actors by the name that records hold
    dropped: int  # logins that are kept no more


@dataclass(frozen=True, slots=True)
class Detail:
    """One app password with all that its page shows."""

    app_password: AppPassword
    account: Account
    successor: AppPassword | None  # what was put in its place
    predecessor: AppPassword | None  # in whose place it was put
    days: tuple[DayCount, ...]
    history: History
    sent: Sent  # today, a day in UTC
    stopped: tuple[Stopped, ...]  # by its limits


@dataclass(frozen=True, slots=True)
class Overview:
    """The app passwords of an account, and the addresses of who made and revoked them by the name that is stored."""

    account: Account
    app_passwords: tuple[AppPassword, ...]  # the newest first
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SharedAccount:
    """A shared account as its owners see it."""

    account: Account
    owners: tuple[Account, ...]
    overview: Overview


def at(entry: Entry) -> datetime:
    """Give when something happened, the last time."""
    return entry.at if isinstance(entry, AuditRecord) else entry.last_at


async def of_account(
    ports: Ports, actor: Actor, account_id: str, wanted: Wanted = Wanted(), limit: int = 100
) -> History:
    """List what happened with an account. Changes of another's account need the role that sees the audit log.

    Raises:
        NotFound: No such account, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> History:
        account = the_account(reader, actor, account_id, others=Action.SEE_LOGINS, now=now)
        return _history(reader, account, None, _permitted(reader, actor, account, wanted, now), limit)

    return await ports.store.read(look)


async def of_app_password(
    ports: Ports, actor: Actor, credential_id: str, *, since: date, wanted: Wanted = Wanted(), limit: int = 50
) -> Detail:
    """Give an app password, what happened with it, and how many logins there were on each day (UTC) since one.

    Raises:
        NotFound: No such app password, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Detail:
        one, account = the_app_password(reader, actor, credential_id, others=Action.SEE_LOGINS, now=now)
        every = reader.app_passwords(account.id)
        return Detail(
            app_password=one,
            account=account,
            successor=next((each for each in every if each.rotated_from == one.id), None),
            predecessor=next((each for each in every if each.id == one.rotated_from), None),
            days=reader.login_days(account.id, one.id, since),
            history=_history(reader, account, one.id, _permitted(reader, actor, account, wanted, now), limit),
            sent=reader.sent_on(one.id, now.date()),
            stopped=stopped_in(reader, one.id, now),
        )

    return await ports.store.read(look)


async def by_main_password(ports: Ports, actor: Actor, since: datetime) -> tuple[LoginEvent, ...]:
    """Give the programs that one's own main password let into mail since a time, the newest first.

    Raises:
        NotAllowed: Not signed in to an account that is active.
        Unavailable: The store failed.
    """

    def look(reader: Reader) -> tuple[LoginEvent, ...]:
        wanted = LoginFilter(own_account(reader, actor).id, results=("allowed",), since=since)
        return tuple(event for event in reader.login_events_where(wanted, MOST) if event.credential_id is None)

    return await ports.store.read(look)


async def overview(ports: Ports, actor: Actor, account_id: str) -> Overview:
    """Give the app passwords of an account and who made them; revoked and expired ones too.

    Raises:
        NotFound: No such account, or not the actor's.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> Overview:
        return _overview(reader, the_account(reader, actor, account_id, others=Action.SEE_APP_PASSWORDS, now=now))

    return await ports.store.read(look)


async def shared_accounts(ports: Ports, actor: Actor) -> tuple[SharedAccount, ...]:
    """Give the shared accounts that the actor owns, with their owners and app passwords.

    Raises:
        NotAllowed: The actor's account is disabled, or the API token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[SharedAccount, ...]:
        own = own_account(reader, actor, now)
        require_token_action(reader, actor, Action.OWN_READ)
        return tuple(SharedAccount(one, reader.owners(one.id), _overview(reader, one)) for one in reader.owned(own.id))

    return await ports.store.read(look)


def names_of(reader: Reader, actors: Iterable[str]) -> dict[str, str]:
    """Give the addresses of the accounts that records name as actors; a token's is its account's."""
    found = {}
    for name in set(actors):
        token = reader.api_token(name) if name.startswith("at_") else None
        account = reader.account(token.account_id if token else name)
        if account is not None:
            found[name] = account.address
    return found


def _overview(reader: Reader, account: Account) -> Overview:
    every = reader.app_passwords(account.id)
    actors = [name for one in every for name in (one.created_by, one.revoked_by) if name]
    return Overview(account, every, names_of(reader, actors))


def _permitted(reader: Reader, actor: Actor, account: Account, wanted: Wanted, now: datetime) -> Wanted:
    if not acts_on_others(reader, actor, account, now):
        return wanted
    try:
        require(reader, actor, Action.SEE_AUDIT, now)
    except (NotAllowed, PolicyForbids):
        return Wanted(wanted.kinds - {Kind.CHANGES}, wanted.reason, wanted.since, wanted.until)
    return wanted


def _history(reader: Reader, account: Account, credential_id: str | None, wanted: Wanted, limit: int) -> History:
    limit = min(limit, MOST)
    logins = _logins(reader, account.id, credential_id, wanted, limit + _TIES)
    changes = _changes(reader, account.id, credential_id, wanted, limit + _TIES)
    everything: list[Entry] = sorted((*logins, *changes), key=at, reverse=True)
    entries, before = tuple(everything), None
    if len(everything) > limit:
        before = at(everything[limit - 1])
        entries = tuple(entry for entry in everything if at(entry) >= before)
        before = before if len(entries) < len(everything) else None
    return History(
        entries=entries,
        before=before,
        called={one.id: one.description for one in reader.app_passwords(account.id)},
        names=names_of(reader, (entry.actor for entry in entries if isinstance(entry, AuditRecord))),
        dropped=reader.login_events_dropped(account.id),
    )


def _logins(
    reader: Reader, account_id: str, credential_id: str | None, wanted: Wanted, limit: int
) -> tuple[LoginEvent, ...]:
    has_logins, has_refusals = Kind.LOGINS in wanted.kinds, Kind.REFUSALS in wanted.kinds
    if wanted.reason:
        results: tuple[str, ...] = (wanted.reason,)
        has_logins = False
    else:
        results = () if has_refusals else ("allowed",)
    if not has_logins and not has_refusals:
        return ()
    asked = LoginFilter(
        account_id, credential_id, results, refused_only=not has_logins, since=wanted.since, until=wanted.until
    )
    return reader.login_events_where(asked, limit)


def _changes(
    reader: Reader, account_id: str, credential_id: str | None, wanted: Wanted, limit: int
) -> tuple[AuditRecord, ...]:
    if Kind.CHANGES not in wanted.kinds or wanted.reason:
        return ()
    asked = AuditFilter(account_id=account_id, credential_id=credential_id, since=wanted.since, until=wanted.until)
    return reader.audit_where(asked, limit=limit)
