"""What is sent and answered: api tokens."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass

from valetkey.client.models.me import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of one account."""

    items: tuple[Token, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOfAccount:
    """A token with the address of its account."""

    token: Token
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllTokens:
    """Everybody's tokens."""

    items: tuple[TokenOfAccount, ...]
