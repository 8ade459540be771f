"""What the administrator permits: defaults and ceilings for app passwords."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's policy; None means no ceiling or no default."""

    max_app_passwords: int = 50  # live ones, per account
    default_lifetime: timedelta | None = None
    max_lifetime: timedelta | None = None
    default_idle_for: timedelta | None = None
    max_idle_for: timedelta | None = None
    main_password_opens_mail: bool = False  # only until the account has a second factor
    require_tls: bool = True
    strict_hash: bool = False  # Argon2id behind the keyed index, docs/decisions
    min_password_length: int = 12
