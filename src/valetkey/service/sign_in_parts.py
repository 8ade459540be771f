"""What signing in asks from outside, beside the store: passkeys and an estimate of passwords; `ports.Ports` joins them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from valetkey.core.passkey import Passkey
from valetkey.core.password_strength import Strength


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Where passkeys belong (Web Authentication, section 4, "Relying Party")."""

    id: str  # a host name
    origin: str  # scheme, host and port as browsers write them
    name: str


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What a registration gave, verified."""

    credential_id: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    sign_count: int
    transports: tuple[str, ...]
    is_synced: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose passkey an answer says it is; nothing of it is verified."""

    credential_id: bytes = field(repr=False)
    user_handle: bytes | None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a verified answer says."""

    sign_count: int
    is_user_verified: bool  # by PIN, fingerprint, face: then the passkey alone is two factors


class Passkeys(Protocol):
    """The ceremonies of Web Authentication (Level 3, section 7). Options and answers are JSON as browsers have it."""

    def creation_options(
        self, party: RelyingParty, *, challenge: bytes, handle: bytes, address: str, known: Sequence[Passkey]
    ) -> str:
        """Give the options for a new passkey; those that are known already are not made again."""

    def request_options(
        self, party: RelyingParty, *, challenge: bytes, allowed: Sequence[Passkey], needs_user_verified: bool
    ) -> str:
        """Give the options for using a passkey: one of those allowed, or with none, any that the browser finds."""

    def register(self, answer: str, party: RelyingParty, *, challenge: bytes) -> NewCredential:
        """Verify the answer to creation options (section 7.1).

        Raises:
            core.errors.InvalidInput: It does not hold.
        """

    def claim(self, answer: str) -> Claim:
        """Read which passkey an answer is from.

        Raises:
            core.errors.InvalidInput: It cannot be read.
        """

    def verify(self, answer: str, party: RelyingParty, *, challenge: bytes, public_key: bytes) -> Assertion:
        """Verify the answer to request options (section 7.2), but for the counter.

        Raises:
            core.errors.InvalidInput: It does not hold.
        """


class PasswordGauge(Protocol):
    """Estimates how soon a password would be guessed. Runs outside the event loop, one at a time."""

    async def measure(self, password: str, known: Sequence[str]) -> Strength:
        """Estimate a password, given what a guesser knows of the person. Only its beginning is looked at."""
