"""A submission server for tests of mail that we send: TLS, STARTTLS, a login, and what goes wrong on request."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.servers.places import LOCALHOST

USER, PASSWORD = "valetkey@example.org", "hill otter nine"
_PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())


@dataclass
class Submission:
    """A running server: what it was told, and what it answers otherwise than well."""

    port: int = 0
    commands: list[bytes] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    needs_login: bool = False
    offers_utf8: bool = True
    answers: dict[bytes, bytes] = field(default_factory=dict)  # verb → answer in place of the usual one
    silent_at: bytes = b""  # the verb that it never answers
    injected: bytes = b""  # sent in the clear right behind the answer to STARTTLS

    def parsed(self) -> EmailMessage:
        """Give the last message."""
        found = message_from_bytes(self.messages[-1], policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def envelope(self) -> list[bytes]:
        return [line for line in self.commands if line.upper().startswith((b"MAIL", b"RCPT"))]


class _Conversation:
    def __init__(
        self,
        server: Submission,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        starttls: ssl.SSLContext | None,
    ) -> None:
        self.server, self.reader, self.writer, self.starttls = server, reader, writer, starttls
        self.is_known = not server.needs_login

    async def run(self) -> None:
        self.say(b"220 submission.example.test ESMTP")
        while line := await self.reader.readline():
            line = line.rstrip(b"\r\n")
            self.server.commands.append(line)
            verb = line.split(b" ")[0].upper()
            if verb == self.server.silent_at:
                await asyncio.Event().wait()
            if verb == b"QUIT":
                self.say(b"221 bye")
                return
            await self.answer(verb, line)

    async def answer(self, verb: bytes, line: bytes) -> None:
        if verb in self.server.answers:
            self.say(self.server.answers[verb])
        elif verb == b"EHLO":
            more = [b"AUTH PLAIN"] if self.server.needs_login else []
            more += [b"STARTTLS"] if self.starttls else []
            more += [b"SMTPUTF8"] if self.server.offers_utf8 else []
            self.say(
                *[b"250-" + one for one in [b"submission.example.test", b"8BITMIME", *more]], b"250 ENHANCEDSTATUSCODES"
            )
        elif verb == b"STARTTLS" and self.starttls is not None:
            self.writer.write(b"220 go\r\n" + self.server.injected)
            await self.writer.start_tls(self.starttls)
            self.starttls = None
        elif verb == b"AUTH":
            self.is_known = line == b"AUTH PLAIN " + _PLAIN
            self.say(b"235 welcome" if self.is_known else b"535 5.7.8 no")
        elif verb in {b"MAIL", b"RCPT"} and not self.is_known:
            self.say(b"530 5.7.0 log in")
        elif verb == b"DATA":
            await self.take()
        else:
            self.say(b"250 2.0.0 fine")

    async def take(self) -> None:
        self.say(b"354 go on")
        message = b""
        while (line := await self.reader.readline()) != b".\r\n":
            message += line.removeprefix(b".") if line.startswith(b"..") else line
        self.server.messages.append(message)
        self.say(b"250 2.0.0 kept")

    def say(self, *lines: bytes) -> None:
        self.writer.write(b"".join(line + b"\r\n" for line in lines))


@asynccontextmanager
async def running_submission(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[Submission]:
    """Run a server on a free port of 127.0.0.1, with TLS from the first byte, by STARTTLS, or without."""
    server = Submission()
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await _Conversation(server, reader, writer, starttls).run()
        writer.close()

    listening = await asyncio.start_server(talk, LOCALHOST, 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()
