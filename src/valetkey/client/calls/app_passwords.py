"""Operations: app passwords."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator, Sequence

from valetkey.client.connection import Asked, Connection, Tagged
from valetkey.client.models.accounts import Closed
from valetkey.client.models.app_passwords import (
    AllAppPasswordPage,
    AppPassword,
    AppPasswordChanged,
    AppPasswordFilter,
    AppPasswordMade,
    AppPasswordOfAccount,
    AppPasswordPage,
    AppPasswordRotated,
    AppPasswordsRevoked,
    ManyPlanned,
    ManyRevoked,
    RestrictionsChange,
    RestrictionsWanted,
    ScopeWanted,
    SecretFormat,
    Sent,
)


class AppPasswordsCalls(Connection):
    """Operations: app passwords."""

    def list_account_app_passwords(
        self, account_id: str, *, limit: int = 50, cursor: str | None = None, live_only: bool = True
    ) -> AppPasswordPage:
        """The app passwords of an account."""
        return self._ask(
            AppPasswordPage,
            Asked(
                method="GET",
                path="/accounts/{account_id}/app-passwords",
                names={"account_id": account_id},
                query={"limit": limit, "cursor": cursor, "live_only": live_only},
            ),
        )

    def each_of_account_app_passwords(
        self, account_id: str, *, limit: int = 50, live_only: bool = True
    ) -> Iterator[AppPassword]:
        """Go through all pages of `list_account_app_passwords`."""
        return self._each(
            lambda cursor: self.list_account_app_passwords(account_id, limit=limit, live_only=live_only, cursor=cursor)
        )

    def make_app_password(
        self,
        account_id: str,
        *,
        idempotency_key: str | None = None,
        description: str,
        scope: ScopeWanted | None = None,
        ready_made: str | None = None,
        restrictions: RestrictionsWanted | None = None,
        format_: SecretFormat = "default",
    ) -> AppPasswordMade:
        """Make an app password; its secret is shown once.

        For one's own account and for shared ones that one owns; never for another person.
        """
        return self._ask(
            AppPasswordMade,
            Asked(
                method="POST",
                path="/accounts/{account_id}/app-passwords",
                names={"account_id": account_id},
                body={
                    "description": description,
                    "scope": scope,
                    "ready_made": ready_made,
                    "restrictions": restrictions,
                    "format": format_,
                },
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def revoke_account_app_passwords(
        self, account_id: str, *, idempotency_key: str | None = None, reason: str = ""
    ) -> AppPasswordsRevoked:
        """Revoke all app passwords of an account."""
        return self._ask(
            AppPasswordsRevoked,
            Asked(
                method="POST",
                path="/accounts/{account_id}/app-passwords/revoke",
                names={"account_id": account_id},
                body={"reason": reason},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def list_app_passwords(
        self, *, limit: int = 50, cursor: str | None = None, filter_: AppPasswordFilter = "live", search: str = ""
    ) -> AllAppPasswordPage:
        """Everybody's app passwords."""
        return self._ask(
            AllAppPasswordPage,
            Asked(
                method="GET",
                path="/app-passwords",
                query={"limit": limit, "cursor": cursor, "filter": filter_, "search": search},
            ),
        )

    def each_of_app_passwords(
        self, *, limit: int = 50, filter_: AppPasswordFilter = "live", search: str = ""
    ) -> Iterator[AppPasswordOfAccount]:
        """Go through all pages of `list_app_passwords`."""
        return self._each(
            lambda cursor: self.list_app_passwords(limit=limit, filter_=filter_, search=search, cursor=cursor)
        )

    def preview_revoking(
        self, *, idempotency_key: str | None = None, ids: Sequence[str], reason: str = ""
    ) -> ManyPlanned:
        """What revoking many at once would do."""
        return self._ask(
            ManyPlanned,
            Asked(
                method="POST",
                path="/app-passwords/revoke/preview",
                body={"ids": ids, "reason": reason},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def revoke_app_passwords(
        self, *, idempotency_key: str | None = None, ids: Sequence[str], reason: str = ""
    ) -> ManyRevoked:
        """Revoke many at once."""
        return self._ask(
            ManyRevoked,
            Asked(
                method="POST",
                path="/app-passwords/revoke",
                body={"ids": ids, "reason": reason},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def get_app_password(self, app_password_id: str) -> Tagged[AppPassword]:
        """One app password."""
        return self._ask_tagged(
            AppPassword,
            Asked(method="GET", path="/app-passwords/{app_password_id}", names={"app_password_id": app_password_id}),
        )

    def change_app_password(
        self,
        app_password_id: str,
        *,
        if_match: str,
        description: str | None = None,
        scope: ScopeWanted | None = None,
        restrictions: RestrictionsChange | None = None,
    ) -> Tagged[AppPassword]:
        """Rename one, or change what it may do."""
        return self._ask_tagged(
            AppPassword,
            Asked(
                method="PATCH",
                path="/app-passwords/{app_password_id}",
                names={"app_password_id": app_password_id},
                body={"description": description, "scope": scope, "restrictions": restrictions},
                if_match=if_match,
            ),
        )

    def get_app_password_sent(self, app_password_id: str) -> Sent:
        """What it has sent today, beside its limits."""
        return self._ask(
            Sent,
            Asked(
                method="GET", path="/app-passwords/{app_password_id}/sent", names={"app_password_id": app_password_id}
            ),
        )

    def revoke_app_password(
        self, app_password_id: str, *, idempotency_key: str | None = None, reason: str = ""
    ) -> AppPasswordChanged:
        """Revoke one and close its connections."""
        return self._ask(
            AppPasswordChanged,
            Asked(
                method="POST",
                path="/app-passwords/{app_password_id}/revoke",
                names={"app_password_id": app_password_id},
                body={"reason": reason},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def rotate_app_password(
        self, app_password_id: str, *, idempotency_key: str | None = None, overlap: int = 0
    ) -> AppPasswordRotated:
        """Put a new one in its place."""
        return self._ask(
            AppPasswordRotated,
            Asked(
                method="POST",
                path="/app-passwords/{app_password_id}/rotate",
                names={"app_password_id": app_password_id},
                body={"overlap": overlap},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def close_app_password_connections(self, app_password_id: str, *, idempotency_key: str | None = None) -> Closed:
        """Close the mail connections that it opened; it stays valid."""
        return self._ask(
            Closed,
            Asked(
                method="POST",
                path="/app-passwords/{app_password_id}/close-connections",
                names={"app_password_id": app_password_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )
