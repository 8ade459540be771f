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
