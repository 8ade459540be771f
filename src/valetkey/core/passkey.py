"""Passkeys: what is kept of a WebAuthn credential (W3C Web Authentication Level 3, section 4)."""

from dataclasses import dataclass, field
from datetime import datetime

MAX_PASSKEYS = 20  # per account


@dataclass(frozen=True, slots=True)
class Passkey:
    """A public key credential of an account."""

    id: str  # ours, public
    account_id: str
    name: str
    credential_id: bytes = field(repr=False)  # the authenticator's
    public_key: bytes = field(repr=False)  # COSE_Key (RFC 9052 section 7)
    sign_count: int
    transports: tuple[str, ...]
    is_synced: bool  # backed up by its provider, so on more than one device
    created_at: datetime
    last_used_at: datetime | None


def counter_went_back(kept: int, given: int) -> bool:
    """Tell whether a signature counter shows that there is a copy of the authenticator (section 6.1.1).

    Authenticators that do not count, such as synced passkeys, always give 0.
    """
    return (kept > 0 or given > 0) and given <= kept
