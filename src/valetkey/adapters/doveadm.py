"""Dovecots that are told to close sessions, over doveadm's HTTP API or by its command on this machine."""

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

import structlog

from valetkey.core.errors import CannotStart, Unavailable
from valetkey.service.closing_parts import Sessions
from valetkey.wire import doveadm
from valetkey.wire.doveadm import Answer, Command, Connection
from valetkey.wire.machine import PeerError

_log = structlog.get_logger("valetkey.doveadm")

MAX_ANSWER = 1 << 20  # octets of one answer
DEADLINE = 10.0  # seconds, for all that one call says and hears
_LAST_WORDS = 1.0  # seconds that a command which was ended has for its end
_MOST_PLACES = 16  # addresses told one by one; with more, all sessions of the name
_MAX_TOLD = 200  # of what a server says, for the log
_PROBE = "valetkey-check"  # a user that nobody has


@dataclass(frozen=True, slots=True)
class DovecotServer:
    """How one Dovecot is told."""

    name: str
    url: str  # of its HTTP API; empty: by the command on this machine
    ca_file: Path | None = None  # None: the system's
    by_app: bool = False  # Dovecot 2.4: it may know its sessions by app password


class Way(Protocol):
    """A way to say commands to one Dovecot."""

    async def say(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Say commands in order; give what each gave. Raises OSError, PeerError or CannotStart."""


class Doveadm:
    """Fulfils `service.closing_parts.ServerSessions` for Dovecots."""

    def __init__(self, servers: Iterable[DovecotServer], way_to: Callable[[DovecotServer], Way]) -> None:
        """Take the servers; `way_to` gives the way to each, and is asked anew for each call."""
        self._servers = {server.name: server for server in servers}
        self._way_to = way_to

    @property
    def servers(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._servers)

    async def close(self, server: str, sessions: Sessions) -> int:
        """Have a server close sessions; give how many it had of them.

        Raises:
            Unavailable: It cannot be reached, refuses, or answers what is no answer.
        """
        with _failures_told(server):
            async with asyncio.timeout(DEADLINE):
                return await _close(self._way(server), self._servers[server], sessions)

    async def probe(self, server: str) -> None:
        """Ask for the sessions of a user that nobody has. Raises as `close`."""
        with _failures_told(server):
            async with asyncio.timeout(DEADLINE):
                await _connections(self._way(server), (_PROBE,))

    def _way(self, name: str) -> Way:
        if name not in self._servers:
            raise Unavailable("No mail server is called {name}.", name=name)
        return self._way_to(self._servers[name])


@contextlib.contextmanager
def _failures_told(server: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        why = "it did not answer in time"
    except (PeerError, OSError) as error:
        why = str(error) or type(error).__name__
    except CannotStart as error:
        why = str(error)
    else:
        return
    raise Unavailable("{server}: {why}", server=server, why=printable(why))


async def _close(way: Way, server: DovecotServer, sessions: Sessions) -> int:
    if sessions.only == frozenset():
        return 0
    app = sessions.app_password_id if server.by_app else None
    open_now, ambiguous = await _connections(way, sessions.names)
    tagged = [each for each in open_now if app and each.app == app]
    # What is tagged with another app password, or with this one, needs no guess by its address.
    by_place = [each for each in open_now if not (app and each.app) and sessions.is_meant(each.address)]
    closable = [each for each in by_place if each.user.casefold() not in ambiguous]
    commands = [doveadm.kick_app(app)] if app else []
    commands += _kicks(closable, shared=not server.by_app)
    flushes = [] if server.by_app and server.url else [doveadm.flush(name) for name in sessions.names]
    if commands or flushes:
        _require_done(await way.say([*flushes, *commands]), len(flushes))
    if len(closable) < len(by_place):
        # No failure: the next try would end so too, and others' closings wait for a server that fails.
        why = "doveadm takes this name for other people too, whose sessions would be closed"
        _log.error("sessions_left_open", server=server.name, names=sorted(ambiguous), why=why)
    return len(tagged) + len(closable)


async def _connections(way: Way, names: Sequence[str]) -> tuple[list[Connection], set[str]]:
    """Ask who is there under some names, taken literally; and tell which of them doveadm takes for others' as well.

    It has no way to say that `*` and `?` in a name stand for themselves, or that a name like 192.0.2.1 is no address.
    """
    answers = await way.say([doveadm.who(name) for name in names])
    _require_done(answers)
    known = {name.casefold() for name in names}
    found: list[Connection] = []
    ambiguous: set[str] = set()
    for name, answer in zip(names, answers, strict=True):
        there = doveadm.connections(answer)
        own = [each for each in there if each.user.casefold() in known]
        found += own
        if len(own) < len(there):
            ambiguous.add(name.casefold())
    return found, ambiguous


def _kicks(meant: Sequence[Connection], *, shared: bool) -> list[Command]:
    places = {(each.user, each.address) for each in meant}
    whole = {user for user, address in places if not _is_address(address)}
    if len(places) > _MOST_PLACES:
        whole = {user for user, _ in places}
    rest = sorted(place for place in places if place[0] not in whole)
    return [
        *(doveadm.kick(user, shared=shared) for user in sorted(whole)),
        *(doveadm.kick(user, address, shared=shared) for user, address in rest),
    ]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _require_done(answers: Sequence[Answer], flushes: int = 0) -> None:
    """Be content with what was done; a cache that could not be flushed is logged alone, since sessions come first."""
    for number, answer in enumerate(answers):
        if answer.is_good:
            continue
        if number < flushes:
            _log.warning("cache_not_flushed", why=printable(answer.error))
            continue
        hint = " (Dovecot 2.4 needs doveadm_by_app = true)" if answer.error == "invalidRequest" else ""
        why = f"{answer.error} {answer.exit_code or ''}".strip() + hint
        raise Unavailable("doveadm refuses: {why}", why=printable(why))


class CommandLine:
    """Says commands by the program `doveadm` of this machine; no shell reads them."""

    def __init__(self, program: Sequence[str] = ("doveadm",)) -> None:
        """Take the program with options that come first, such as `-c FILE`."""
        self._program = tuple(program)

    async def say(self, commands: Sequence[Command]) -> list[Answer]:
        """Run each command in turn.

        Raises:
            OSError: There is no such program.
            PeerError: It wrote too much, or not what it should.
        """
        return [await self._run(command) for command in commands]

    async def _run(self, command: Command) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *self._program, *command.arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        try:
            output, errors = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            code = await process.wait()
        finally:
            await _end(process)
        if code:
            return Answer((), errors.decode(errors="replace").strip() or "exit", code)
        return doveadm.decode_output(output) if command.name == "who" else Answer()


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    octets = b""
    while stream is not None and (part := await stream.read(65536)):
        octets += part
        if len(octets) > MAX_ANSWER:
            raise PeerError("doveadm writes too much")
    return octets


async def _end(process: Process) -> None:
    """End it if it still runs. What is left in its pipes is read away, for they close at their end alone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(65536):
                    pass
            await process.wait()


def printable(text: str) -> str:
    """Give what a server says as it can stand in a line."""
    return "".join(c if c.isprintable() else " " for c in text)[:_MAX_TOLD]
