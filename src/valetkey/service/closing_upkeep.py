"""Going on to tell mail servers what they could not be told, and looking for what a new policy no longer lets in."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address

import structlog

from valetkey.core.account import AccountState
from valetkey.core.errors import Unavailable
from valetkey.core.limits import Held
from valetkey.core.login import Grant, LoginAttempt, Refused
from valetkey.core.network import Address
from valetkey.core.role import Action
from valetkey.service.authority import require
from valetkey.service.closing import LEFT_ALONE, ask, put_off, sessions_of, tell
from valetkey.service.closing_parts import OF_MAIN_PASSWORD, Closing, ServerClosings, Sessions
from valetkey.service.login import decide_again
from valetkey.service.ports import Actor, LoginEvent, Ports, Reader, Writer
from valetkey.service.store_parts import LoginFilter

_log = structlog.get_logger("valetkey.closing")

GIVEN_UP_AFTER = timedelta(days=1)
SHOWN_FOR = timedelta(days=7)  # what was given up
LOOKED_BACK = timedelta(days=30)  # at logins, after a change of policy
_WITHIN = 15.0  # seconds for one server and one account
_MOST_IN_VAIN = 3  # of one server in a row, before the rest is put off unheard
_PART = 100  # accounts
_MOST_EVENTS = 1_000


async def tell_due(ports: Ports) -> int:
    """Tell every mail server what is due; gives how many connections were closed. Raises as `tell_server`."""
    return sum(await asyncio.gather(*(tell_server(ports, server) for server in ports.server_sessions.servers)))


async def tell_server(ports: Ports, server: str) -> int:
    """Tell one mail server what is due; run every second in one process, for each server by itself.

    Returns:
        How many connections were closed.

    Raises:
        Unavailable: The store failed.
    """
    now = ports.clock.now()
    due = await ports.store.read(lambda reader: reader.due_closings(now, server))
    closed = in_vain = 0
    for number, closing in enumerate(due):
        sessions = await ports.store.read(partial(_sessions_of, ports=ports, closing=closing))
        if sessions is None:
            continue
        try:
            closed += await tell(ports, closing, sessions, _WITHIN)
            in_vain = 0
        except Unavailable as error:
            in_vain += 1
            is_enough = in_vain == _MOST_IN_VAIN
            _log.warning("mail_server_not_told", server=server, tries=closing.tries + 1, why=str(error))
            await _put_off(ports, due[number:] if is_enough else [closing])
            if is_enough:
                break
    return closed


async def look_through(ports: Ports) -> int:
    """Look through what has logged in lately for what no longer passes, if that was asked for, and ask to close it.

    Run every second in one process. How a connection came about is known as far as it was recorded: not whether it
    has TLS, so a policy that now needs TLS closes none.

    Returns:
        How many accounts something has to be closed of.

    Raises:
        Unavailable: The store failed; it is looked through again.
    """
    asked = await ports.store.read(lambda reader: reader.look_throughs())
    if not asked:
        return 0
    found, after, since = 0, "", ports.clock.now() - LOOKED_BACK
    while part := await ports.store.read(partial(_logged_in_since, since=since, after=after)):
        for account_id in part:
            found += await _look_at(ports, account_id, since)
        after = part[-1]
    await ports.store.write(lambda writer: _remove(writer, asked))
    return found


async def late_servers(ports: Ports, actor: Actor) -> tuple[ServerClosings, ...]:
    """List the mail servers that could not be told of changes, by `Action.SEE_SERVERS`.

    Raises:
        NotAllowed: The role or the token does not permit it.
        Unavailable: The store failed.
    """
    now = ports.clock.now()

    def look(reader: Reader) -> tuple[ServerClosings, ...]:
        require(reader, actor, Action.SEE_SERVERS, now)
        return tuple(each for each in reader.late_closings() if each.server in ports.server_sessions.servers)

    return await ports.store.read(look)


def _sessions_of(reader: Reader, *, ports: Ports, closing: Closing) -> Sessions | None:
    return sessions_of(ports, reader, closing)


def _logged_in_since(reader: Reader, *, since: datetime, after: str) -> tuple[str, ...]:
    return reader.logged_in_since(since, after=after, limit=_PART)


async def _put_off(ports: Ports, closings: Sequence[Closing]) -> None:
    now = ports.clock.now()
    given_up = [each for each in closings if now - each.made_at >= GIVEN_UP_AFTER]

    def keep(writer: Writer) -> None:
        put_off(writer, closings, now)
        for each in given_up:
            writer.give_up_closing(each, now, now + SHOWN_FOR)

    await ports.store.write(keep)
    for each in given_up:
        _log.error(
            "mail_server_never_told", server=each.server, account=each.account_id, app_password=each.credential_id
        )


def _remove(writer: Writer, closings: Sequence[Closing]) -> None:
    for each in closings:
        writer.remove_closing(each)


async def _look_at(ports: Ports, account_id: str, since: datetime) -> bool:
    events = await ports.store.read(lambda reader: _of_what_is_live(reader, account_id, since))
    failing = {event.credential_id or OF_MAIN_PASSWORD for event in events if _fails(ports, event)}
    if not failing:
        return False
    now = ports.clock.now() - LEFT_ALONE  # due at once
    await ports.store.write(lambda writer: ask(ports, writer, account_id, sorted(failing), now))
    return True


def _of_what_is_live(reader: Reader, account_id: str, since: datetime) -> list[LoginEvent]:
    """Give the logins of what is still in use; what was revoked or disabled before was closed then."""
    account = reader.account(account_id)
    if account is None or account.state is not AccountState.ACTIVE:
        return []
    live: set[str | None] = {each.id for each in reader.app_passwords(account_id, live_only=True)}
    if not account.has_second_factor:
        live.add(None)
    wanted = LoginFilter(account_id, results=("allowed",), since=since)
    return [each for each in reader.login_events_where(wanted, _MOST_EVENTS) if each.credential_id in live]


def _fails(ports: Ports, event: LoginEvent) -> bool:
    place, holds = _address(event.network), frozenset(Held)
    attempt = LoginAttempt("", "", event.protocol, place, tls=True, door="closing", client=event.client, holds=holds)
    grant = Grant(event.account_id or "", "", event.credential_id, event.protocol, frozenset(), None, 0)
    return isinstance(decide_again(ports, attempt, grant), Refused)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
