"""What closing sessions at mail servers asks from outside, and what it keeps: a way to each server, a list of what waits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

OF_MAIN_PASSWORD = ""  # in place of an app password's id: the sessions that the main password opened


@dataclass(frozen=True, slots=True)
class Sessions:
    """Which sessions of one account a mail server has to close.

    A server that knows its sessions by app password goes by `credential_id` where there is one. Another goes by name
    and address: it closes those from addresses in `only`, or without that all but those from addresses in `spare`, from
    where only what still passes has logged in. An address that nobody knows anything of is not spared. Where `only` is
    empty, nothing is meant.
    """

    names: tuple[str, ...]  # that log in to the account
    credential_id: str | None = None  # None: all of the account; OF_MAIN_PASSWORD
    only: frozenset[str] | None = None
    spare: frozenset[str] = frozenset()

    @property
    def app_password_id(self) -> str | None:
        """The app password that they are of, if they are of one."""
        return self.credential_id or None

    def is_meant(self, address: str) -> bool:
        """Tell whether a session from an address is one of these."""
        return address in self.only if self.only is not None else address not in self.spare


class ServerSessions(Protocol):
    """The mail servers that ask, and close sessions when they are told."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Their names."""

    async def close(self, server: str, sessions: Sessions) -> int:
        """Have a server close sessions, and forget what it has cached of their accounts; give how many were closed.

        Raises:
            core.errors.Unavailable: It cannot be told, or did not say that it has done it.
        """

    async def probe(self, server: str) -> None:
        """Find out whether a server can be told; nothing is closed. Raises as `close`."""


class NoServers:
    """Fulfils `ServerSessions` where no mail server is to be told."""

    servers: tuple[str, ...] = ()

    async def close(self, server: str, sessions: Sessions) -> int:  # noqa: ARG002  (as the port has it)
        """Close nothing."""
        return 0

    async def probe(self, server: str) -> None:
        """Find nothing wrong."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What one mail server has to be told, or was told and is told once more."""

    id: int
    server: str
    account_id: str | None  # None: look for what no longer passes
    credential_id: str | None  # None: all of the account; OF_MAIN_PASSWORD
    made_at: datetime
    tries: int  # in vain
    next_try_at: datetime
    told_at: datetime | None
    given_up_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServerClosings:
    """How many changes one mail server was not told of yet, and how many it never was."""

    server: str
    waiting: int  # tried in vain at least once
    since: datetime | None  # when the oldest of these was made
    given_up: int
