"""API tokens: what machines show to the API. They open the API and nothing else; app passwords never open it."""

from dataclasses import dataclass
from datetime import datetime

from valetkey.core.role import Action


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of an account, without its secret."""

    id: str
    account_id: str  # whose it is: a person, or a shared account
    name: str
    actions: frozenset[Action]  # intersected at use with what the account's role permits
    allowed_ips: tuple[str, ...]  # addresses, CIDRs or names of networks; empty is anywhere
    created_at: datetime
    created_by: str
    created_from: str
    expires_at: datetime
    last_used_at: datetime | None = None
    last_used_address: str = ""
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether it may still be used."""
        return self.revoked_at is None and now < self.expires_at
