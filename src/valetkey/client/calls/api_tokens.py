"""Operations: API tokens."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.api_tokens import AllTokenPage, TokenOfAccount, TokenPage
from valetkey.client.models.me import Token


class ApiTokensCalls(Connection):
    """Operations: API tokens."""

    def list_account_tokens(
        self, account_id: str, *, limit: int = 50, cursor: str | None = None, live_only: bool = True
    ) -> TokenPage:
        """The API tokens of an account."""
        return self._ask(
            TokenPage,
            Asked(
                method="GET",
                path="/accounts/{account_id}/tokens",
                names={"account_id": account_id},
                query={"limit": limit, "cursor": cursor, "live_only": live_only},
            ),
        )

    def each_of_account_tokens(self, account_id: str, *, limit: int = 50, live_only: bool = True) -> Iterator[Token]:
        """Go through all pages of `list_account_tokens`."""
        return self._each(
            lambda cursor: self.list_account_tokens(account_id, limit=limit, live_only=live_only, cursor=cursor)
        )

    def list_tokens(self, *, limit: int = 50, cursor: str | None = None, live_only: bool = True) -> AllTokenPage:
        """Everybody's API tokens."""
        return self._ask(
            AllTokenPage,
            Asked(method="GET", path="/tokens", query={"limit": limit, "cursor": cursor, "live_only": live_only}),
        )

    def each_of_tokens(self, *, limit: int = 50, live_only: bool = True) -> Iterator[TokenOfAccount]:
        """Go through all pages of `list_tokens`."""
        return self._each(lambda cursor: self.list_tokens(limit=limit, live_only=live_only, cursor=cursor))

    def revoke_token(self, token_id: str, *, idempotency_key: str | None = None) -> Token:
        """Revoke an API token."""
        return self._ask(
            Token,
            Asked(
                method="POST",
                path="/tokens/{token_id}/revoke",
                names={"token_id": token_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )
