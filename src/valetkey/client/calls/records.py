"""Operations: records."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from collections.abc import Iterator, Sequence
from datetime import datetime

from valetkey.client.connection import Asked, Connection
from valetkey.client.models.me import Audit
from valetkey.client.models.records import (
    ActivityPage,
    AdoptionAnswer,
    AppPasswordHistory,
    AuditPage,
    Entry,
    ExportFormat,
    Hours,
    Kind,
    Overview,
    Reason,
    Verified,
)


class RecordsCalls(Connection):
    """Operations: records."""

    def list_account_activity(
        self,
        account_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        kinds: Sequence[Kind] = (),
        reason: Reason | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> ActivityPage:
        """Logins, refusals and changes of an account."""
        return self._ask(
            ActivityPage,
            Asked(
                method="GET",
                path="/accounts/{account_id}/activity",
                names={"account_id": account_id},
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "kinds": kinds,
                    "reason": reason,
                    "since": since,
                    "until": until,
                },
            ),
        )

    def each_of_account_activity(
        self,
        account_id: str,
        *,
        limit: int = 50,
        kinds: Sequence[Kind] = (),
        reason: Reason | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Entry]:
        """Go through all pages of `list_account_activity`."""
        return self._each(
            lambda cursor: self.list_account_activity(
                account_id, limit=limit, kinds=kinds, reason=reason, since=since, until=until, cursor=cursor
            )
        )

    def get_app_password_history(self, app_password_id: str, *, days: int = 30) -> AppPasswordHistory:
        """What happened with an app password."""
        return self._ask(
            AppPasswordHistory,
            Asked(
                method="GET",
                path="/app-passwords/{app_password_id}/history",
                names={"app_password_id": app_password_id},
                query={"days": days},
            ),
        )

    def list_audit_records(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        account_id: str | None = None,
        actor: str | None = None,
        kinds: Sequence[str] = (),
        credential_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AuditPage:
        """The audit log, the newest first."""
        return self._ask(
            AuditPage,
            Asked(
                method="GET",
                path="/audit",
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "account_id": account_id,
                    "actor": actor,
                    "kinds": kinds,
                    "credential_id": credential_id,
                    "since": since,
                    "until": until,
                },
            ),
        )

    def each_of_audit_records(
        self,
        *,
        limit: int = 50,
        account_id: str | None = None,
        actor: str | None = None,
        kinds: Sequence[str] = (),
        credential_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Audit]:
        """Go through all pages of `list_audit_records`."""
        return self._each(
            lambda cursor: self.list_audit_records(
                limit=limit,
                account_id=account_id,
                actor=actor,
                kinds=kinds,
                credential_id=credential_id,
                since=since,
                until=until,
                cursor=cursor,
            )
        )

    def verify_audit(self) -> Verified:
        """Check the chain of the audit log."""
        return self._ask(Verified, Asked(method="GET", path="/audit/verification"))

    def export_audit(
        self,
        *,
        format_: ExportFormat = "jsonl",
        account_id: str | None = None,
        actor: str | None = None,
        kinds: Sequence[str] = (),
        credential_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[str]:
        """Take records of the audit log away; that is recorded too.

        Gives the lines as they come.
        """
        return self._ask_lines(
            Asked(
                method="POST",
                path="/audit/export",
                body={
                    "format": format_,
                    "account_id": account_id,
                    "actor": actor,
                    "kinds": kinds,
                    "credential_id": credential_id,
                    "since": since,
                    "until": until,
                },
            )
        )

    def get_audit_record(self, number: int) -> Audit:
        """One record."""
        return self._ask(Audit, Asked(method="GET", path="/audit/{number}", names={"number": number}))

    def count_logins(self, *, since: datetime | None = None) -> Hours:
        """Logins and refusals by the hour."""
        return self._ask(Hours, Asked(method="GET", path="/logins", query={"since": since}))

    def get_adoption(self, *, days: int = 90) -> AdoptionAnswer:
        """How many people have a second factor, day by day.

        Who has none: list_accounts with second_factor=without.
        """
        return self._ask(AdoptionAnswer, Asked(method="GET", path="/second-factors", query={"days": days}))

    def get_overview(self) -> Overview:
        """How the house stands, at a glance."""
        return self._ask(Overview, Asked(method="GET", path="/overview"))
