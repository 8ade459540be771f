"""Slow hashes for the passwords that people choose: Argon2id, in a few threads of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from valetkey.adapters.lane import Lane
from valetkey.core.errors import Unavailable

T = TypeVar("T")

_MAX_PASSWORD = 4096  # characters; longer ones are compared with nothing, at the same cost
_WHAT = "The checking of passwords"
_DUMMY = "valetkey: nobody has this password"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a hash costs, and how many are worked out at the same time."""

    memory: int = 19 * 1024  # KiB (RFC 9106 section 4 and OWASP: 19 MiB, two passes, one lane)
    passes: int = 2
    lanes: int = 1
    threads: int = 2
    waiting: int = 64  # hashes that wait for a thread; more are answered "try again later"
    deadline: float = 15.0  # seconds


class Argon2Hasher:
    """Fulfils `service.ports.Hasher`. Passwords come in one normal form; that is the caller's part."""

    def __init__(self, settings: Settings = Settings()) -> None:
        self._settings = settings
        self._hasher = PasswordHasher(
            time_cost=settings.passes,
            memory_cost=settings.memory,
            parallelism=settings.lanes,
            hash_len=32,
            salt_len=16,
            type=Type.ID,
        )
        self._nobodys = self._hasher.hash(_DUMMY)
        self._lane = Lane("argon2", threads=settings.threads, waiting=settings.waiting)

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            ValueError: It is longer than anything that `verify` would accept.
            Unavailable: Too many wait already, or it took too long.
        """
        if len(password) > _MAX_PASSWORD:
            raise ValueError("the password is too long")
        return await self._run(lambda: self._hasher.hash(_octets(password)))

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Compare in constant time. None, and a password that is too long, cost the same and are False.

        Raises:
            Unavailable: Too many wait already, it took too long, or the stored hash is damaged.
        """
        if hashed is None or len(password) > _MAX_PASSWORD:
            await self._run(lambda: self._matches(self._nobodys, password[:_MAX_PASSWORD]))
            return False
        return await self._run(lambda: self._matches(hashed, password))

    def close(self) -> None:
        """End the threads."""
        self._lane.close()

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _octets(password))
        except VerifyMismatchError:
            return False
        except (Argon2Error, InvalidHashError, UnicodeError):
            raise Unavailable("A stored password hash is damaged; set that password again.") from None

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._lane.run(work, timeout=self._settings.deadline, what=_WHAT)


def _octets(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
