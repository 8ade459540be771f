"""Passkeys, verified by what is made when the first one is used: the library behind it is a tenth of a start."""

from collections.abc import Callable, Sequence

from valetkey.core.passkey import Passkey
from valetkey.service.sign_in_parts import Assertion, Claim, NewCredential, Passkeys, RelyingParty


class LatePasskeys:
    """Fulfils `service.sign_in_parts.Passkeys` by another that does."""

    def __init__(self, make: Callable[[], Passkeys]) -> None:
        """Take what makes the other one."""
        self._make = make
        self._made: Passkeys | None = None

    def creation_options(
        self, party: RelyingParty, *, challenge: bytes, handle: bytes, address: str, known: Sequence[Passkey]
    ) -> str:
        """Give the options for a new passkey."""
        return self._those.creation_options(party, challenge=challenge, handle=handle, address=address, known=known)

    def request_options(
        self, party: RelyingParty, *, challenge: bytes, allowed: Sequence[Passkey], needs_user_verified: bool
    ) -> str:
        """Give the options for using a passkey."""
        return self._those.request_options(
            party, challenge=challenge, allowed=allowed, needs_user_verified=needs_user_verified
        )

    def register(self, answer: str, party: RelyingParty, *, challenge: bytes) -> NewCredential:
        """Verify the answer to creation options.

        Raises:
            InvalidInput: It does not hold.
        """
        return self._those.register(answer, party, challenge=challenge)

    def claim(self, answer: str) -> Claim:
        """Read which passkey an answer is from.

        Raises:
            InvalidInput: It cannot be read.
        """
        return self._those.claim(answer)

    def verify(self, answer: str, party: RelyingParty, *, challenge: bytes, public_key: bytes) -> Assertion:
        """Verify the answer to request options.

        Raises:
            InvalidInput: It does not hold.
        """
        return self._those.verify(answer, party, challenge=challenge, public_key=public_key)

    @property
    def _those(self) -> Passkeys:
        if self._made is None:
            self._made = self._make()
        return self._made
