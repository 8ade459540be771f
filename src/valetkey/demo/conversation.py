"""What the demo's two small servers share: bounded lines with a deadline, and SASL PLAIN against the sample people.

They stand on loopback behind the gateway and speak to it alone; they are no servers for anything else.
"""

import asyncio
import base64
import binascii
import contextlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

LINE = 65536
_PATIENCE = 600.0  # seconds for one line


class Conversation(ABC):
    """One connection: lines in, answers out, until the peer goes or `is_over`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, people: Mapping[str, str], mail: Path
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._people = people
        self._mail = mail
        self.user: str | None = None
        self.is_over = False

    @abstractmethod
    def greet(self) -> None:
        """Say what a server says first."""

    @abstractmethod
    async def obey(self, command: str, argument: str) -> None:
        """Answer one command; `command` is in capitals."""

    async def run(self) -> None:
        """Lead the conversation to its end."""
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.LimitOverrunError, ValueError):
            self.greet()
            await self._writer.drain()
            while not self.is_over and (line := await self.read_line()) is not None:
                command, _, argument = line.decode("utf-8", "replace").partition(" ")
                await self.obey(command.upper(), argument.strip())
                await self._writer.drain()
        self._writer.close()

    async def read_line(self) -> bytes | None:
        """Read a line without its end; None when the peer is gone."""
        async with asyncio.timeout(_PATIENCE):
            line = await self._reader.readline()
        return line.rstrip(b"\r\n") if line.endswith(b"\n") else None

    def say(self, *lines: str) -> None:
        """Send lines."""
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._writer.write(octets)

    async def check_plain(self, message: str, challenge: str) -> bool:
        """Check a SASL PLAIN login (RFC 4616), asking for the message if it did not come with the command."""
        if not message:
            self.say(challenge)
            await self._writer.drain()
            message = (await self.read_line() or b"").decode("ascii", "replace")
        try:
            _, name, secret = base64.b64decode(message, validate=True).decode().split("\0")
        except (binascii.Error, ValueError):
            return False
        return self.check(name, secret)

    def check(self, name: str, secret: str) -> bool:
        """Check a name and its upstream password, and remember who it is."""
        expected = self._people.get(name)
        if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
            return False
        self.user = name
        return True


async def listen(
    make: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Conversation], port: int
) -> asyncio.Server:
    """Serve conversations on a port of 127.0.0.1."""

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await make(reader, writer).run()

    return await asyncio.start_server(lead, "127.0.0.1", port, limit=LINE)
