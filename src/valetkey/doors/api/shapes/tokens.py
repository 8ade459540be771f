"""The forms of API tokens. None holds a secret: tokens are made in the portal."""

from datetime import datetime

from pydantic import Field

from valetkey.core.api_token import ApiToken
from valetkey.core.role import Action
from valetkey.doors.api.paging import Page, Paged
from valetkey.doors.api.shapes.fields import Flag, Shape


class TokenShape(Shape):
    """An API token, without its secret."""

    id: str = Field(examples=["at_wq7xk3v5m2abcdef"])
    account_id: str
    name: str
    actions: list[Action] = Field(description="What it may do, as long as its account may.")
    allowed_ips: list[str] = Field(description="From where; empty is anywhere.")
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_address: str
    revoked_at: datetime | None


class TokenOfAccount(Shape):
    """A token with the address of its account."""

    token: TokenShape
    address: str


class TokenPage(Page[TokenShape]):
    """A part of the tokens of one account."""


class AllTokenPage(Page[TokenOfAccount]):
    """A part of everybody's tokens."""


class TokensAsked(Paged):
    """Which tokens are listed."""

    live_only: Flag = True


def token_shape(token: ApiToken) -> TokenShape:
    """Give the form of a token."""
    return TokenShape(
        id=token.id,
        account_id=token.account_id,
        name=token.name,
        actions=sorted(token.actions),
        allowed_ips=list(token.allowed_ips),
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        last_used_address=token.last_used_address,
        revoked_at=token.revoked_at,
    )
