"""Operations: API tokens."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.api_tokens import AllTokens, Tokens
from valetkey.client.models.me import Token


class ApiTokensCalls(Connection):
    """Operations: API tokens."""

    def list_account_tokens(self, account_id: str, *, live_only: bool = True) -> Tokens:
        """The API tokens of an account."""
        return self._ask(
            Tokens,
            Asked(
                method="GET",
                path="/accounts/{account_id}/tokens",
                names={"account_id": account_id},
                query={"live_only": live_only},
            ),
        )

    def list_tokens(self, *, live_only: bool = True) -> AllTokens:
        """Everybody's API tokens."""
        return self._ask(AllTokens, Asked(method="GET", path="/tokens", query={"live_only": live_only}))

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
