"""Operations: policy."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator
from typing import Any

from valetkey.client.connection import Asked, Connection, Tagged
from valetkey.client.models.policy import (
    NetworksRead,
    Policy,
    PolicyRead,
    Preview,
    Proposal,
    ProposalKind,
    ProposalMade,
    Proposals,
    Saved,
)


class PolicyCalls(Connection):
    """Operations: policy."""

    def get_policy(self) -> Tagged[PolicyRead]:
        """The policy that holds."""
        return self._ask_tagged(PolicyRead, Asked(method="GET", path="/policy"))

    def set_policy(self, *, if_match: str, policy: Policy, reason: str = "") -> Saved:
        """Save a policy; a weaker one waits for a second administrator."""
        return self._ask(
            Saved, Asked(method="PUT", path="/policy", body={"policy": policy, "reason": reason}, if_match=if_match)
        )

    def preview_policy(
        self,
        *,
        idempotency_key: str | None = None,
        max_app_passwords: int,
        default_lifetime: int | None,
        max_lifetime: int | None,
        default_idle_for: int | None,
        max_idle_for: int | None,
        main_password_opens_mail: bool,
        require_tls: bool,
        strict_hash: bool,
        min_password_length: int,
        recovery_wait: int,
        password_with_code: bool,
        password_with_code_for: int,
    ) -> Preview:
        """Whom another policy would hit; nothing is changed."""
        return self._ask(
            Preview,
            Asked(
                method="POST",
                path="/policy/preview",
                body={
                    "max_app_passwords": max_app_passwords,
                    "default_lifetime": default_lifetime,
                    "max_lifetime": max_lifetime,
                    "default_idle_for": default_idle_for,
                    "max_idle_for": max_idle_for,
                    "main_password_opens_mail": main_password_opens_mail,
                    "require_tls": require_tls,
                    "strict_hash": strict_hash,
                    "min_password_length": min_password_length,
                    "recovery_wait": recovery_wait,
                    "password_with_code": password_with_code,
                    "password_with_code_for": password_with_code_for,
                },
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def get_networks(self) -> Tagged[NetworksRead]:
        """The named networks."""
        return self._ask_tagged(NetworksRead, Asked(method="GET", path="/networks"))

    def set_networks(self, *, if_match: str, networks: dict[str, Any], reason: str = "") -> Saved:
        """Save all named networks; a wider one waits for a second administrator."""
        return self._ask(
            Saved,
            Asked(method="PUT", path="/networks", body={"networks": networks, "reason": reason}, if_match=if_match),
        )

    def preview_networks(
        self, *, idempotency_key: str | None = None, networks: dict[str, Any], reason: str = ""
    ) -> Preview:
        """Whom other networks would hit; nothing is changed."""
        return self._ask(
            Preview,
            Asked(
                method="POST",
                path="/networks/preview",
                body={"networks": networks, "reason": reason},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def list_proposals(self, *, limit: int = 50, cursor: str | None = None, open_only: bool = True) -> Proposals:
        """What waits for a second administrator."""
        return self._ask(
            Proposals,
            Asked(method="GET", path="/proposals", query={"limit": limit, "cursor": cursor, "open_only": open_only}),
        )

    def each_of_proposals(self, *, limit: int = 50, open_only: bool = True) -> Iterator[Proposal]:
        """Go through all pages of `list_proposals`."""
        return self._each(lambda cursor: self.list_proposals(limit=limit, open_only=open_only, cursor=cursor))

    def propose(
        self, *, idempotency_key: str | None = None, kind: ProposalKind, account_id: str | None = None, reason: str
    ) -> ProposalMade:
        """Propose what takes two administrators."""
        return self._ask(
            ProposalMade,
            Asked(
                method="POST",
                path="/proposals",
                body={"kind": kind, "account_id": account_id, "reason": reason},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            ),
        )

    def get_proposal(self, proposal_id: str) -> Proposal:
        """One proposal."""
        return self._ask(
            Proposal, Asked(method="GET", path="/proposals/{proposal_id}", names={"proposal_id": proposal_id})
        )

    def withdraw_proposal(self, proposal_id: str, *, idempotency_key: str | None = None) -> None:
        """Withdraw one's own proposal."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/proposals/{proposal_id}/withdraw",
                names={"proposal_id": proposal_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )

    def decline_proposal(self, proposal_id: str, *, idempotency_key: str | None = None) -> None:
        """For people only: decline it."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/proposals/{proposal_id}/decline",
                names={"proposal_id": proposal_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )

    def countersign_proposal(self, proposal_id: str, *, idempotency_key: str | None = None) -> None:
        """For people only: countersign it."""
        self._ask_nothing(
            Asked(
                method="POST",
                path="/proposals/{proposal_id}/countersign",
                names={"proposal_id": proposal_id},
                idempotency_key=idempotency_key,
                is_repeatable=True,
            )
        )
