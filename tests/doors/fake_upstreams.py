"""Small mail servers for the gateway's tests: they let the master user in, remember what they heard, and answer."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from valetkey.core.scope import MailProtocol

MASTER = b"gateway\0master secret"
CAPABILITIES = b"IMAP4rev1 LITERAL+ SASL-IR ID IDLE UIDPLUS UNSELECT MOVE COMPRESS=DEFLATE"


@dataclass
class FakeUpstream:
    """One listening server; `heard` are the lines behind the login, `logins` the mailboxes opened."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)  # IMAP: lines ahead of the login, without its own
    refuses: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    got: asyncio.Event = field(default_factory=asyncio.Event)
    before_login: Callable[[], object] = lambda: None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)  # set: a login is answered at once

    def __post_init__(self) -> None:
        self.may_answer.set()

    def let_in(self, message: bytes) -> bool:
        """Check a SASL PLAIN message of the master user."""
        user, _, rest = base64.b64decode(message).partition(b"\0")
        if rest != MASTER or self.refuses:
            return False
        self.before_login()
        self.logins.append(user.decode())
        self.asked.set()
        return True


@asynccontextmanager
async def running_upstream(protocol: MailProtocol) -> AsyncIterator[FakeUpstream]:
    """Run a fake upstream of one protocol."""
    upstream = FakeUpstream()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream.writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _SERVERS[protocol](upstream, reader, writer)
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in upstream.writers:
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()
        await server.wait_closed()


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readuntil(b"\r\n")
    return line[:-2]


async def _imap(upstream: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK [CAPABILITY " + CAPABILITIES + b" AUTH=PLAIN] ready\r\n")
    while True:
        tag, _, command = (await _line(reader)).partition(b" ")
        if command.upper().startswith(b"AUTHENTICATE PLAIN "):
            if not upstream.let_in(command.split()[2]):
                writer.write(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
                continue
            await upstream.may_answer.wait()
            writer.write(tag + b" OK [CAPABILITY " + CAPABILITIES + b"] in\r\n")
            break
        upstream.before.append(command)
        writer.write(b"* CAPABILITY " + CAPABILITIES + b" AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
    while True:
        line = await _line(reader)
        upstream.heard.append(line)
        upstream.got.set()
        tag, _, command = line.partition(b" ")
        await _imap_answer(tag, command.upper(), reader, writer)
        if command.upper() == b"LOGOUT":
            return


async def _imap_answer(tag: bytes, command: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if command.startswith((b"FETCH BIG", b"UID FETCH 1:*")):
        size = 5_000_000
        writer.write(b"* 1 FETCH (BODY[] {%d}\r\n" % size + b"x" * size + b")\r\n")
    elif command.startswith(b"APPEND"):
        size = int(command.rpartition(b"{")[2].rstrip(b"+}"))
        if not command.endswith(b"+}"):
            writer.write(b"+ go\r\n")
        await reader.readexactly(size + 2)
    elif command == b"IDLE":
        writer.write(b"+ idling\r\n* 2 EXISTS\r\n")
        await _line(reader)
    elif command.startswith((b"SELECT", b"EXAMINE")):
        writer.write(b"* 1 EXISTS\r\n")
    elif command == b"LOGOUT":
        writer.write(b"* BYE see you\r\n")
    writer.write(tag + b" OK done\r\n")
    await writer.drain()


async def _pop3(upstream: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+OK ready\r\n")
    is_in = False
    while True:
        line = await _line(reader)
        if is_in:
            upstream.heard.append(line)
        if line == b"CAPA":
            writer.write(b"+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN\r\n.\r\n")
        elif line.startswith(b"AUTH PLAIN "):
            is_in = upstream.let_in(line.split()[2])
            writer.write(b"+OK in\r\n" if is_in else b"-ERR [AUTH] no\r\n")
        elif line.startswith((b"RETR", b"TOP")):
            writer.write(b"+OK\r\nSubject: hi\r\n\r\nbody\r\n.\r\n")
        else:
            writer.write(b"+OK\r\n")
        if line == b"QUIT":
            return


async def _smtp(upstream: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 fake ESMTP\r\n")
    is_in = False
    while True:
        line = await _line(reader)
        if is_in:
            upstream.heard.append(line)
        if line.startswith(b"EHLO"):
            writer.write(b"250-fake\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n")
        elif line.startswith(b"AUTH PLAIN "):
            is_in = upstream.let_in(line.split()[2])
            writer.write(b"235 2.7.0 in\r\n" if is_in else b"535 5.7.8 no\r\n")
        elif line == b"DATA":
            writer.write(b"354 go\r\n")
            while (part := await _line(reader)) != b".":
                upstream.heard.append(part)
            writer.write(b"250 2.0.0 queued\r\n")
        elif line == b"QUIT":
            writer.write(b"221 bye\r\n")
            return
        else:
            writer.write(b"250 2.0.0 ok\r\n")


async def _sieve(upstream: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    capabilities = (
        b'"IMPLEMENTATION" "fake"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto"\r\n"VERSION" "1.0"\r\nOK "ready"\r\n'
    )
    writer.write(capabilities)
    while True:
        line = await _line(reader)
        if line.upper().startswith(b"AUTHENTICATE"):
            message = line.split()[2].strip(b'"') if b"{" not in line else await _line(reader)
            writer.write(b'OK "in"\r\n' if upstream.let_in(message) else b'NO "no"\r\n')
            continue
        upstream.heard.append(line)
        if line == b"LISTSCRIPTS":
            writer.write(b'"main" ACTIVE\r\n')
        writer.write(capabilities if line == b"CAPABILITY" else b'OK "done"\r\n')
        if line == b"LOGOUT":
            return


_SERVERS = {MailProtocol.IMAP: _imap, MailProtocol.POP3: _pop3, MailProtocol.SMTP: _smtp, MailProtocol.SIEVE: _sieve}
