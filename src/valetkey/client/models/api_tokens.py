"""What is sent and answered: api tokens."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from dataclasses import dataclass

from valetkey.client.models.me import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPage:
    """A part of the tokens of one account."""

    items: tuple[Token, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOfAccount:
    """A token with the address of its account."""

    token: Token
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllTokenPage:
    """A part of everybody's tokens."""

    items: tuple[TokenOfAccount, ...]
    next: str | None  # Give it as `cursor` for the next page; null: there is none.
