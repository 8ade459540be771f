"""Mail servers that are told to close sessions, for tests of verbs and doors."""

import asyncio
from dataclasses import dataclass, field

from valetkey.core.errors import Unavailable
from valetkey.service.closing_parts import Sessions


@dataclass
class ToldServers:
    """Mail servers of a test, which write down what they are told."""

    servers: tuple[str, ...] = ("mx1", "mx2")
    told: list[tuple[str, Sessions]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    has: int = 1  # sessions that each closes

    async def close(self, server: str, sessions: Sessions) -> int:
        if server in self.silent:
            await asyncio.Event().wait()
        if server in self.down:
            raise Unavailable("{server} is down", server=server)
        self.told.append((server, sessions))
        return self.has

    async def probe(self, server: str) -> None:
        await self.close(server, Sessions(()))

    def of(self, server: str) -> list[Sessions]:
        """Give what one server was told."""
        return [sessions for name, sessions in self.told if name == server]
