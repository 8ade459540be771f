"""Accounts and the names they log in with."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

import idna
from precis_i18n import get_profile

from valetkey.core.errors import InvalidInput
from valetkey.core.role import Role
from valetkey.core.scope import Permission

_LOCAL_PART = get_profile("UsernameCaseMapped")
_VISIBLE_ASCII = re.compile("[!-~]+")
_MAX_NAME = 320  # RFC 3696 erratum 1690: 64 + 1 + 255, an upper bound before any work is done
_MAX_LOCAL_PART = 64  # RFC 5321 4.5.3.1.1
_MAX_DOMAIN = 255  # RFC 5321 4.5.3.1.2


class AccountKind(StrEnum):
    """Who is behind an account."""

    PERSON = "person"
    SHARED = "shared"


class AccountState(StrEnum):
    """Whether an account may log in at all."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """A mailbox login, as far as decisions need it."""

    id: str
    address: str  # primary, canonical
    kind: AccountKind
    state: AccountState
    rights: frozenset[Permission]  # what its credentials may be given at most
    has_second_factor: bool
    created_at: datetime
    changed: int  # the change number of the last change to it or to one of its credentials
    role: Role | None = None  # in the console

    @property
    def domain(self) -> str:
        """The part behind the last @."""
        return self.address.rpartition("@")[2]


def canonical_login_name(name: str, default_domain: str | None = None) -> str:
    """Bring a login name into its one form: PRECIS UsernameCaseMapped local part (RFC 8265), IDNA A-label domain.

    Args:
        name: As typed. Without an @ the `default_domain` is added.
        default_domain: The domain of bare names, or None if a bare name is an error.

    Raises:
        InvalidInput: Not a name that an account could have.
    """
    if len(name) > _MAX_NAME:
        raise InvalidInput("address", "This address is too long.")
    local, at, domain = name.strip().rpartition("@")
    if not at:
        local, domain = domain, default_domain or ""
    if not local or not domain or "@" in local:
        raise InvalidInput("address", "Write the whole mail address, such as alice@example.org.")
    return f"{_canonical_local_part(local)}@{canonical_domain(domain)}"


def canonical_or_nobodys(name: str, default_domain: str | None = None) -> str:
    """Bring a login name into its one form, or give "" for one that no account could have: a try goes on as nobody's."""
    try:
        return canonical_login_name(name, default_domain)
    except InvalidInput:
        return ""


def is_spelt_out(typed: str, canonical: str) -> bool:
    """Tell whether a name was typed as its canonical form is written, but for the case of letters.

    The domain may be missing, or be in U-labels. What the canonical form also stands for is something else to programs
    that do not map names: letters of another width, a final dot, and what is not seen (UTS 46, RFC 8265).
    """
    local, at, domain = typed.rpartition("@")
    if not at:
        local, domain = domain, ""
    own_local, _, own_domain = canonical.rpartition("@")
    is_domain = not at or domain.lower() == own_domain or _is_in_u_labels(domain, own_domain)
    return is_domain and unicodedata.normalize("NFC", local).lower() == own_local


def _is_in_u_labels(domain: str, canonical: str) -> bool:
    try:
        return idna.decode(canonical) == unicodedata.normalize("NFC", domain).lower()
    except UnicodeError:
        return False


def _canonical_local_part(local: str) -> str:
    try:
        # Of visible ASCII all is allowed and only case is mapped (RFC 8264 9.11, RFC 8265 3.3); the tables cost more than the look-up of a login.
        is_plain = _VISIBLE_ASCII.fullmatch(local) is not None
        canonical = local.lower() if is_plain else str(_LOCAL_PART.enforce(unicodedata.normalize("NFC", local)))
    except (UnicodeError, ValueError):
        raise InvalidInput("address", "The part before the @ has characters that no address may have.") from None
    if len(canonical.encode()) > _MAX_LOCAL_PART:
        raise InvalidInput("address", "The part before the @ is too long.")
    return canonical


@lru_cache(maxsize=1024)  # a site has few domains, and each login asks for one
def canonical_domain(domain: str) -> str:
    """Bring a domain into its one form: lower-case A-labels (RFC 5891, UTS 46 mapping).

    Raises:
        InvalidInput: Not a domain name.
    """
    try:
        ascii_domain = idna.encode(domain.rstrip("."), uts46=True, std3_rules=True).decode("ascii").lower()
    except (UnicodeError, ValueError):
        raise InvalidInput("address", "The part behind the @ is not a domain name.") from None
    if len(ascii_domain) > _MAX_DOMAIN:
        raise InvalidInput("address", "The part behind the @ is too long.")
    return ascii_domain
