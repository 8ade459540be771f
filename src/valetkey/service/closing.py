"""Closing what no longer passes: by our own workers, and by mail servers that ask, which are told to.

A verb asks for it in its own transaction (`ask`, `ask_all`), then has it done (`close_what_fails`). What a mail server
could not be told stays in the store, and `closing_upkeep` goes on trying.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from valetkey.core.account import Account, AccountState
from valetkey.core.errors import Unavailable
from valetkey.service.closing_parts import OF_MAIN_PASSWORD, Closing, Sessions
from valetkey.service.ports import LoginEvent, Ports, Reader, Writer
from valetkey.service.store_parts import LoginFilter

_log = structlog.get_logger("valetkey.closing")

WITHIN = 2.0  # seconds that a verb waits for mail servers
LEFT_ALONE = timedelta(seconds=5)  # what a verb has asked for it tells itself
AGAIN_AFTER = timedelta(seconds=5)  # told once more, for a login that was on its way
ON_ITS_WAY = timedelta(seconds=10)  # from a verdict to a session, at most
SAME_MOMENT = timedelta(seconds=1)  # between the clocks' readings of two processes
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
_MOST_APART = 8  # app passwords of one account told one by one; of more, the whole account at once
_MOST_NAMES = 16
_MOST_EVENTS = 1_000
_LONGEST_SHIFT = 10


@dataclass(frozen=True, slots=True)
class AtServer:
    """How many connections a mail server has closed."""

    server: str
    closed: int


@dataclass(frozen=True, slots=True)
class Closed:
    """What a change has closed: connections here, those at mail servers, and what goes on."""

    here: int = 0
    servers: tuple[AtServer, ...] = ()  # that were told
    not_told: tuple[str, ...] = ()  # that could not be told; Valetkey goes on trying

    @property
    def total(self) -> int:
        """All connections that were closed."""
        return self.here + sum(each.closed for each in self.servers)

    def joined(self, other: "Closed") -> "Closed":
        """Give what this and another change have closed together."""
        counts: dict[str, int] = {}
        for each in (*self.servers, *other.servers):
            counts[each.server] = counts.get(each.server, 0) + each.closed
        return Closed(
            self.here + other.here,
            tuple(AtServer(server, closed) for server, closed in counts.items()),
            tuple(dict.fromkeys((*self.not_told, *other.not_told))),
        )


NOTHING = Closed()


def ask(ports: Ports, writer: Writer, account_id: str, credential_ids: Sequence[str] | None, now: datetime) -> None:
    """Have mail servers close sessions, within the caller's transaction.

    Args:
        ports: What the verbs work with.
        writer: The transaction.
        account_id: Whose sessions.
        credential_ids: Of which app passwords, or OF_MAIN_PASSWORD; None is all of the account.
        now: The time of the change.
    """
    is_whole = credential_ids is None or len(credential_ids) > _MOST_APART
    for server in ports.server_sessions.servers:
        for credential_id in [None] if is_whole or credential_ids is None else credential_ids:
            writer.add_closing(server, account_id, credential_id, at=now, next_try_at=now + LEFT_ALONE)


def ask_main_password(ports: Ports, writer: Writer, account_id: str, now: datetime) -> None:
    """Have mail servers close what an account's main password opened, if it ever did, within the caller's transaction."""
    if ports.server_sessions.servers and any(e.credential_id is None for e in _proven(writer, account_id)):
        ask(ports, writer, account_id, [OF_MAIN_PASSWORD], now)


def ask_all(ports: Ports, writer: Writer, now: datetime) -> None:
    """Have everything looked through for what no longer passes, within the caller's transaction."""
    for server in ports.server_sessions.servers:
        writer.add_closing(server, None, None, at=now, next_try_at=now)


async def close_what_fails(ports: Ports, account_id: str | None) -> Closed:
    """Have every worker decide again over the live sessions of an account or of all, and tell mail servers what was asked.

    The change is durable by now, so a failure here is only logged: workers follow the change feed by themselves, and
    mail servers are told later. With None, mail servers are told in the background.
    """
    here = Closed(await _close_here(ports, account_id))
    return here if account_id is None else here.joined(await tell_servers(ports, account_id))


async def tell_servers(ports: Ports, account_id: str) -> Closed:
    """Tell mail servers what was asked of an account, for as long as a verb waits. Never fails, as the change is made."""
    if not ports.server_sessions.servers:
        return Closed()
    try:
        waiting = await ports.store.read(lambda reader: _waiting(ports, reader, account_id))
    except Unavailable:
        _log.warning("mail_servers_not_told", account=account_id)
        return Closed(not_told=ports.server_sessions.servers)
    told = await asyncio.gather(*(_tell_one(ports, server, theirs) for server, theirs in waiting.items()))
    counts = dict(zip(waiting, told, strict=True))
    return Closed(
        0,
        tuple(AtServer(server, closed) for server, closed in counts.items() if closed is not None),
        tuple(server for server, closed in counts.items() if closed is None),
    )


async def tell(ports: Ports, closing: Closing, sessions: Sessions, within: float) -> int:
    """Tell one mail server, and keep that it was told; give how many connections it closed.

    Raises:
        Unavailable: It was not told, within so many seconds, or that cannot be kept.
    """
    try:
        async with asyncio.timeout(within):
            closed = await ports.server_sessions.close(closing.server, sessions)
    except TimeoutError:
        raise Unavailable("no answer within {seconds} seconds", seconds=f"{within:g}") from None
    now = ports.clock.now()

    def keep(writer: Writer) -> None:
        if closing.told_at is None:
            writer.set_closing_told(closing, now, now + AGAIN_AFTER)
        else:
            writer.remove_closing(closing)
        writer.hasten_closings(closing.server, now)

    await ports.store.write(keep)
    _log.info("mail_server_told", server=closing.server, account=closing.account_id, closed=closed)
    return closed


def sessions_of(ports: Ports, reader: Reader, closing: Closing) -> Sessions | None:
    """Say which sessions a closing means, as things are now; None if there is no such account."""
    account = reader.account(closing.account_id) if closing.account_id else None
    if account is None:
        return None
    names, wanted = _names(ports, reader, account), closing.credential_id
    if wanted is None and not (closing.told_at and account.state is AccountState.ACTIVE):
        return Sessions(names)
    proven = _proven(reader, account.id)
    meant = [each for each in proven if wanted is None or (each.credential_id or OF_MAIN_PASSWORD) == wanted]
    if closing.told_at is not None:
        since, until = closing.made_at - ON_ITS_WAY, closing.made_at + SAME_MOMENT
        on_their_way = (each.network for each in meant if each.last_at >= since and each.first_at <= until)
        return Sessions(names, wanted, only=frozenset(on_their_way))
    live = {each.id for each in reader.app_passwords(account.id, live_only=True)} | {OF_MAIN_PASSWORD}
    others = {e.network for e in proven if (key := e.credential_id or OF_MAIN_PASSWORD) != wanted and key in live}
    return Sessions(names, wanted, spare=frozenset(others.difference(each.network for each in meant)))


def pause_after(tries: int) -> timedelta:
    """Give how long to wait after so many tries in vain."""
    return min(FIRST_PAUSE * (1 << min(tries, _LONGEST_SHIFT)), LONGEST_PAUSE)


def put_off(writer: Writer, closings: Iterable[Closing], now: datetime) -> None:
    """Try again later, within the caller's transaction."""
    for each in closings:
        writer.put_off_closing(each, now + pause_after(each.tries))


async def _close_here(ports: Ports, account_id: str | None) -> int:
    try:
        return await ports.live_sessions.apply_changes(account_id)
    except (Unavailable, OSError):
        _log.warning("workers_not_reached", account=account_id)
        return 0


def _waiting(ports: Ports, reader: Reader, account_id: str) -> dict[str, list[tuple[Closing, Sessions]] | None]:
    """Give what each server has to be told of an account; None for a server that does not answer these minutes."""
    late = {each.server for each in reader.late_closings() if each.waiting}
    found: dict[str, list[tuple[Closing, Sessions]] | None] = {}
    for closing in reader.closings_of(account_id):
        sessions = sessions_of(ports, reader, closing)
        if sessions is None or closing.server not in ports.server_sessions.servers:
            continue
        theirs = found.setdefault(closing.server, None if closing.server in late else [])
        if theirs is not None:
            theirs.append((closing, sessions))
    return found


async def _tell_one(ports: Ports, server: str, theirs: Sequence[tuple[Closing, Sessions]] | None) -> int | None:
    """Tell a server, for as long as a verb waits; None if it was not told all of it."""
    if theirs is None:
        return None
    closed, until = 0, asyncio.get_running_loop().time() + WITHIN
    for number, (closing, sessions) in enumerate(theirs):
        try:
            closed += await tell(ports, closing, sessions, max(0.0, until - asyncio.get_running_loop().time()))
        except Unavailable as error:
            _log.warning("mail_server_not_told", server=server, why=str(error))
            await _put_off(ports, [each for each, _ in theirs[number:]])
            return None
    return closed


async def _put_off(ports: Ports, closings: Sequence[Closing]) -> None:
    now = ports.clock.now()
    try:
        await ports.store.write(lambda writer: put_off(writer, closings, now))
    except Unavailable:
        _log.warning("closings_not_put_off")  # they are due soon in any case


def _proven(reader: Reader, account_id: str) -> tuple[LoginEvent, ...]:
    return reader.login_events_where(LoginFilter(account_id, results=("allowed",)), _MOST_EVENTS)


def _names(ports: Ports, reader: Reader, account: Account) -> tuple[str, ...]:
    """Give the names that a mail server may know an account by: its addresses, and without the domain of bare names."""
    full = (account.address, *reader.aliases(account.id))
    # Each with its bare name beside it: of many aliases some are left out, and never what the primary address is called.
    names = [name for each in full for name in (each, _bare(each, ports.default_domain)) if name]
    return tuple(dict.fromkeys(names))[:_MOST_NAMES]


def _bare(name: str, domain: str | None) -> str:
    local, _, behind = name.rpartition("@")
    return local if behind == domain else ""
