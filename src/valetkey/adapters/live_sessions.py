"""The live sessions of all workers of this machine, and how they see the mail servers, asked over their control sockets (`wire.control`)."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog

from valetkey.core.errors import Unavailable
from valetkey.core.scope import MailProtocol
from valetkey.service.ports import LiveSession, LiveSurvey
from valetkey.service.server_parts import MailServer
from valetkey.wire.control import AnswerReader, Done, Item, Question, Sample, Verb, decode_sample, encode_question
from valetkey.wire.machine import PeerError

_log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_DEADLINE = 1.0  # seconds, for each worker
_READ = 65536
_LONGEST_PATH = 107  # octets of a unix socket's address


@dataclass(frozen=True, slots=True)
class _Answer:
    worker: str
    items: tuple[Item, ...] = ()
    result: int = 0
    is_silent: bool = False  # the worker is there and did not answer


class ControlSockets:
    """Fulfils `ports.LiveSessions` and `server_parts.MailServers`: asks every worker that has a socket in the run directory, all at once.

    A worker that does not answer within a second is left out; it follows the change feed by itself. A socket whose
    worker is gone is removed.
    """

    def __init__(self, run_directory: Path) -> None:
        self._directory = run_directory

    async def apply_changes(self, account_id: str | None) -> int:
        """Have every worker decide again over the sessions of an account or of all; gives how many were closed."""
        return sum(answer.result for answer in await self._ask_all(Question(Verb.APPLY_CHANGES, account_id or "")))

    async def list(self, account_id: str | None) -> tuple[LiveSession, ...]:
        """List the open connections, of one account or of all, the oldest first."""
        return (await self.survey(account_id)).sessions

    async def survey(self, account_id: str | None) -> LiveSurvey:
        """List them too, and tell how many workers did not answer."""
        answers = await self._ask_each(Question(Verb.LIST, account_id or ""))
        sessions = [_read(_session, item) for answer in answers for item in answer.items]
        known = sorted((each for each in sessions if each is not None), key=lambda each: each.opened_at)
        return LiveSurvey(tuple(known), sum(answer.is_silent for answer in answers))

    async def close(self, session_id: str) -> bool:
        """Close one; False if it is not open."""
        return any(answer.result for answer in await self._ask_all(Question(Verb.CLOSE, session_id)))

    async def samples(self) -> dict[str, tuple[Sample, ...]]:
        """Give what each worker has counted, by the worker's name."""
        answers = await self._ask_all(Question(Verb.METRICS))
        return {
            answer.worker: tuple(sample for item in answer.items if (sample := _read(decode_sample, item)) is not None)
            for answer in answers
        }

    async def standings(self) -> tuple[MailServer, ...]:
        """Tell how the mail servers stand, as all workers together know it, in the order of protocol and name.

        Raises:
            Unavailable: No worker answers.
        """
        answers = await self._ask_all(Question(Verb.SERVERS))
        if not answers:
            raise Unavailable("No gateway worker answers now. Look again in a minute.")
        known: dict[tuple[str, int, MailProtocol], MailServer] = {}
        for found in (_read(_server, item) for answer in answers for item in answer.items):
            if found is not None:
                key = (found.host, found.port, found.protocol)
                known[key] = _joined(known[key], found) if key in known else found
        return tuple(sorted(known.values(), key=lambda each: (each.protocol, each.host, each.port)))

    async def ping(self) -> tuple[str, ...]:
        """Give the names of the workers that answer."""
        return tuple(sorted(answer.worker for answer in await self._ask_all(Question(Verb.PING))))

    async def _ask_all(self, question: Question) -> tuple[_Answer, ...]:
        return tuple(answer for answer in await self._ask_each(question) if not answer.is_silent)

    async def _ask_each(self, question: Question) -> tuple[_Answer, ...]:
        answers = await asyncio.gather(*(self._ask(path, question) for path in self._sockets()))
        return tuple(answer for answer in answers if answer is not None)

    def _sockets(self) -> Iterable[Path]:
        with suppress(OSError):
            return sorted(path for path in self._directory.glob("worker-*.sock") if stat.S_ISSOCK(path.stat().st_mode))
        return ()

    async def _ask(self, path: Path, question: Question) -> _Answer | None:
        worker = path.stem.removeprefix("worker-")
        found = _stamp(path)
        try:
            async with asyncio.timeout(_DEADLINE):
                return await _converse(path, worker, question)
        except ConnectionRefusedError:
            _remove(path, found)
        except (OSError, TimeoutError, PeerError) as error:
            _log.warning("worker_did_not_answer", worker=worker, verb=question.verb.value, why=type(error).__name__)
            return _Answer(worker, is_silent=True)
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_ctime_ns


def _remove(path: Path, found: tuple[int, int] | None) -> None:
    """Remove a socket that nobody listens on, unless its worker has just come back and made it anew."""
    if found is not None and _stamp(path) == found:
        with suppress(OSError):
            path.unlink()


async def _converse(path: Path, worker: str, question: Question) -> _Answer:
    reader, writer = await _connect(path)
    try:
        writer.write(encode_question(question))
        await writer.drain()
        answer = AnswerReader()
        items: list[Item] = []
        while data := await reader.read(_READ):
            answer.receive(data)
            while (part := answer.next_part()) is not None:
                if isinstance(part, Done):
                    return _Answer(worker, tuple(items), part.result)
                items.append(part)
        raise PeerError("The worker ended its answer early")
    finally:
        writer.close()


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect; a path too long for a socket's address is reached through its open directory."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return await asyncio.open_unix_connection(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _read(decode: Callable[[Item], _T], item: Item) -> _T | None:
    """Read one item; one that a worker of another release wrote is left out."""
    try:
        return decode(item)
    except (PeerError, KeyError, TypeError, ValueError):
        return None


def _server(item: Item) -> MailServer:
    values = item.values
    return MailServer(
        protocol=MailProtocol(values["protocol"]),
        host=str(values["host"]),
        port=int(values["port"]),
        tls=str(values["tls"]),
        domains=tuple(map(str, values["domains"])),
        connections=int(values["connections"]),
        reached_at=_moment(values["reached_at"]),
        failed_at=_moment(values["failed_at"]),
        why=str(values["why"]),
    )


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(float(seconds), UTC) if seconds else None


def _joined(one: MailServer, other: MailServer) -> MailServer:
    """Give what two workers know of the same server."""
    failures = [each for each in (one, other) if each.failed_at is not None]
    last = max(failures, key=lambda each: each.failed_at or _LONG_AGO, default=one)
    reached = [each.reached_at for each in (one, other) if each.reached_at is not None]
    return replace(
        last,
        connections=one.connections + other.connections,
        domains=tuple(dict.fromkeys((*one.domains, *other.domains))),
        reached_at=max(reached, default=None),
    )


def _session(item: Item) -> LiveSession:
    values = item.values
    credential = values["credential_id"]
    return LiveSession(
        id=str(values["id"]),
        account_id=str(values["account_id"]),
        credential_id=None if credential is None else str(credential),
        protocol=MailProtocol(values["protocol"]),
        address=str(values["address"]),
        client=str(values["client"]),
        opened_at=datetime.fromisoformat(values["opened_at"]),
        worker=str(values["worker"]),
    )
