"""Operations: accounts."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator, Sequence

from valetkey.client.connection import Asked, Connection, Tagged
from valetkey.client.models.accounts import (
    AccountPage,
    AccountWithNames,
    Closed,
    Domain,
    Domains,
    InvitationMade,
    Recoveries,
    Recovery,
    SecondFactorFilter,
    SecondFactors,
)
from valetkey.client.models.me import Account, AccountKind, AccountState, Permission, Role


class AccountsCalls(Connection):
    """Operations: accounts."""

    def list_accounts(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        search: str = "",
        kind: AccountKind | None = None,
        state: AccountState | None = None,
        domain: str | None = None,
        role: Role | None = None,
        second_factor: SecondFactorFilter | None = None,
    ) -> AccountPage:
        """Accounts, by address."""
        return self._ask(
            AccountPage,
            Asked(
                method="GET",
                path="/accounts",
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "search": search,
                    "kind": kind,
                    "state": state,
                    "domain": domain,
                    "role": role,
                    "second_factor": second_factor,
                },
            ),
        )

    def each_of_accounts(
        self,
        *,
        limit: int = 50,
        search: str = "",
        kind: AccountKind | None = None,
        state: AccountState | None = None,
        domain: str | None = None,
        role: Role | None = None,
        second_factor: SecondFactorFilter | None = None,
    ) -> Iterator[Account]:
        """Go through all pages of `list_accounts`."""
        return self._each(
            lambda cursor: self.list_accounts(
                limit=limit,
                search=search,
                kind=kind,
                state=state,
                domain=domain,
                role=role,
                second_factor=second_factor,
                cursor=cursor,
            )
        )

    def create_account(
        self,
        *,
        idempotency_key: str | None = None,
        address: str,
        kind: AccountKind = "person",
        rights: Sequence[Permission] = ("read", "flag", "write", "delete", "folders", "send", "filters"),
    ) -> Account:
        """Make an account; its person is then invited."""
        return self._ask(
            Account,
            Asked(
                method="POST",
                path="/accounts",
                body={"address": address, "kind": kind, "rights": rights},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def get_account(self, account_id: str) -> Tagged[AccountWithNames]:
        """One account with everything around it."""
        return self._ask_tagged(
            AccountWithNames, Asked(method="GET", path="/accounts/{account_id}", names={"account_id": account_id})
        )

    def set_account_rights(self, account_id: str, *, if_match: str, rights: Sequence[Permission]) -> Closed:
        """Set what its app passwords may be given at most.

        If-Match takes the ETag of the account.
        """
        return self._ask(
            Closed,
            Asked(
                method="PUT",
                path="/accounts/{account_id}/rights",
                names={"account_id": account_id},
                body={"rights": rights},
                if_match=if_match,
            ),
        )

    def disable_account(self, account_id: str, *, idempotency_key: str | None = None) -> Closed:
        """No login, no portal, no token from now on."""
        return self._ask(
            Closed,
            Asked(
                method="POST",
                path="/accounts/{account_id}/disable",
                names={"account_id": account_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def enable_account(self, account_id: str, *, idempotency_key: str | None = None) -> None:
        """Let it log in again."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/accounts/{account_id}/enable",
                names={"account_id": account_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )

    def add_alias(self, account_id: str, *, idempotency_key: str | None = None, address: str) -> None:
        """Let it log in with one more address."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/accounts/{account_id}/aliases",
                names={"account_id": account_id},
                body={"address": address},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )

    def remove_alias(self, account_id: str, address: str) -> None:
        """Take an alias away."""
        self._ask_nothing(
            Asked(
                method="DELETE",
                path="/accounts/{account_id}/aliases/{address}",
                names={"account_id": account_id, "address": address},
            )
        )

    def add_owner(self, account_id: str, *, idempotency_key: str | None = None, owner_id: str) -> None:
        """Let a person manage a shared account."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/accounts/{account_id}/owners",
                names={"account_id": account_id},
                body={"owner_id": owner_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )

    def remove_owner(self, account_id: str, owner_id: str) -> None:
        """Take a shared account from a person."""
        self._ask_nothing(
            Asked(
                method="DELETE",
                path="/accounts/{account_id}/owners/{owner_id}",
                names={"account_id": account_id, "owner_id": owner_id},
            )
        )

    def invite_person(self, account_id: str, *, idempotency_key: str | None = None) -> InvitationMade:
        """Make a one-time link for somebody who is not set up yet."""
        return self._ask(
            InvitationMade,
            Asked(
                method="POST",
                path="/accounts/{account_id}/invitation",
                names={"account_id": account_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def list_second_factors(self, account_id: str) -> SecondFactors:
        """Its second factors; they change in person only."""
        return self._ask(
            SecondFactors,
            Asked(method="GET", path="/accounts/{account_id}/second-factors", names={"account_id": account_id}),
        )

    def list_domains(self, *, limit: int = 50, cursor: str | None = None) -> Domains:
        """The domains and what they hold."""
        return self._ask(Domains, Asked(method="GET", path="/domains", query={"limit": limit, "cursor": cursor}))

    def each_of_domains(self, *, limit: int = 50) -> Iterator[Domain]:
        """Go through all pages of `list_domains`."""
        return self._each(lambda cursor: self.list_domains(limit=limit, cursor=cursor))

    def list_recoveries(self, *, limit: int = 50, cursor: str | None = None) -> Recoveries:
        """The recoveries of lost second factors that are under way."""
        return self._ask(Recoveries, Asked(method="GET", path="/recoveries", query={"limit": limit, "cursor": cursor}))

    def each_of_recoveries(self, *, limit: int = 50) -> Iterator[Recovery]:
        """Go through all pages of `list_recoveries`."""
        return self._each(lambda cursor: self.list_recoveries(limit=limit, cursor=cursor))

    def call_off_recovery(self, account_id: str, *, idempotency_key: str | None = None) -> None:
        """Call off a recovery; it takes nothing away."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/accounts/{account_id}/call-off-recovery",
                names={"account_id": account_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )
