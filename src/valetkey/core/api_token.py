"""API tokens: what machines show to the API. They open the API and nothing else; app passwords never open it."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from valetkey.core.account import Account, AccountKind
from valetkey.core.app_password import check_description
from valetkey.core.errors import InvalidInput, NotAllowed
from valetkey.core.role import OWN_ACTIONS, PERMITS, TOKEN_ACTIONS, Action

PREFIX = "vkt_"
LONGEST = timedelta(days=366)
_SYMBOLS = "abcdefghijkmnpqrstuvwxyz23456789"  # without o 0 l 1
_LENGTH = 40  # 40 × log2(32) = 200 bits
_SHAPE = re.compile(f"{PREFIX}[{_SYMBOLS}]{{{_LENGTH}}}")
_NOBODYS = PREFIX + _SYMBOLS[0] * _LENGTH


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


def draw_token(choose: Callable[[str], str]) -> str:
    """Draw a new token's secret.

    Args:
        choose: Picks one symbol of a string by a cryptographic generator, each as likely as the others.
    """
    return PREFIX + "".join(choose(_SYMBOLS) for _ in range(_LENGTH))


def looks_like_api_token(typed: str) -> bool:
    """Tell whether something has the shape of a token, without asking the store."""
    return _SHAPE.fullmatch(typed.strip()) is not None


def token_index(key: bytes, shown: str) -> bytes:
    """Give the 32 octets under which a token is found; what has not the shape of one gets those of nobody's."""
    secret = shown if _SHAPE.fullmatch(shown) else _NOBODYS
    return hmac.digest(key, b"valetkey api token 1\0" + secret.encode(), "sha256")


def actions_for(account: Account) -> frozenset[Action]:
    """Give what a token of this account may be given: what is its own, and what its role permits, less what needs a person."""
    by_role = PERMITS[account.role] if account.role is not None and account.kind is AccountKind.PERSON else frozenset()
    return TOKEN_ACTIONS & (OWN_ACTIONS | by_role)


def check_token(token: ApiToken, account: Account, now: datetime) -> ApiToken:
    """Give a wanted token in the form that is stored. Its networks are checked apart.

    Raises:
        InvalidInput: An unfit name, no action, or an end in the past or further away than a year.
        NotAllowed: An action that this account cannot give.
    """
    if not token.actions:
        raise InvalidInput("actions", "Choose at least one thing that the token may do.")
    if not token.actions <= actions_for(account):
        raise NotAllowed("A token cannot do more than you may.")
    if not now < token.expires_at <= now + LONGEST:
        raise InvalidInput("expires_at", "Choose a date in the future, within a year.")
    try:
        check_description(token.name)
    except InvalidInput as fault:
        raise InvalidInput("name", fault.sentence) from None
    return token
