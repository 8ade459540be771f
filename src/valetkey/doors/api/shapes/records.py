"""The forms of what happened: activity, the audit log, counts."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from valetkey.core.event import to_facts
from valetkey.core.event_sentences import describe
from valetkey.core.login import Reason
from valetkey.core.scope import MailProtocol
from valetkey.doors.api.paging import Page, Paged
from valetkey.doors.api.shapes.app_passwords import AppPasswordShape
from valetkey.doors.api.shapes.fields import DIGITS, Moment, Shape
from valetkey.service.history import Entry, Kind
from valetkey.service.ports import AuditRecord, LoginEvent
from valetkey.service.store_parts import Adoption, AppPasswordFilter

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
KindName = Annotated[str, Field(pattern="^[A-Z][A-Za-z]*$", max_length=50, examples=["AppPasswordIssued"])]
KindNames = Annotated[list[KindName], Field(max_length=20)]


class AuditShape(Shape):
    """One record of the audit log."""

    number: int
    at: datetime
    actor: str = Field(description="An account's id, a token's id, cli or system.")
    actor_address: str
    account_id: str | None
    credential_id: str | None
    kind: str = Field(examples=["AppPasswordIssued"])
    said: str = Field(description="In a sentence.")
    facts: dict[str, Any]
    hash: str = Field(description="Hexadecimal; each record's holds that of the one before.")


class LoginShape(Shape):
    """A login or a refusal; the same thing again only counts up."""

    credential_id: str | None
    protocol: MailProtocol
    address: str
    client: str
    result: str = Field(description="allowed, or why not.")
    first_at: datetime
    last_at: datetime
    count: int


class EntryShape(Shape):
    """Something that happened: a login or a change."""

    at: datetime
    login: LoginShape | None = None
    change: AuditShape | None = None


class ActivityPage(Page[EntryShape]):
    """A part of what happened with an account, the newest first."""

    dropped: int = Field(default=0, description="Logins that are kept no more.")


class DayShape(Shape):
    """Logins of one day with one outcome."""

    day: date
    protocol: MailProtocol
    result: str
    count: int


class AppPasswordHistory(Shape):
    """What happened with one app password."""

    app_password: AppPasswordShape
    successor_id: str | None
    predecessor_id: str | None
    days: list[DayShape]
    items: list[EntryShape]
    is_complete: bool = Field(description="False: there is more; ask the account's activity for it.")


class AuditPage(Page[AuditShape]):
    """A part of the audit log, the newest first."""


class Verified(Shape):
    """Whether the audit log's chain is whole."""

    is_whole: bool
    records: int | None = None
    last_hash: str | None = None
    bad_record: int | None = None
    what: str | None = None


class HourShape(Shape):
    """Logins of one hour with one outcome."""

    hour: datetime
    protocol: MailProtocol
    result: str
    count: int


class Hours(Shape):
    """Logins by the hour."""

    items: list[HourShape]


class AdoptionShape(Shape):
    """How many active people there were on a day, and how many of them with a second factor."""

    day: date
    people: int
    with_second_factor: int
    with_passkey: int


class AdoptionAnswer(Shape):
    """Who has a second factor: now, and day by day."""

    now: AdoptionShape
    days: list[AdoptionShape]


class RefusalsShape(Shape):
    """Logins and refusals of the running and the last whole hour."""

    logins: int
    refusals: int
    usual_refusals: float
    is_unusual: bool


class OverviewShape(Shape):
    """How the house stands. What the role does not permit to see is null."""

    adoption: AdoptionShape | None
    app_passwords: dict[AppPasswordFilter, int] | None
    refusals: RefusalsShape | None
    open_proposals: int | None
    waiting_recoveries: int | None
    last_record: AuditShape | None


class ActivityAsked(Paged):
    """Which happenings are listed."""

    kinds: Annotated[list[Kind], Field(max_length=3, description="None: all.")] = []
    reason: Reason | None = Field(default=None, description="Only refusals for this reason.")
    since: Moment | None = None
    until: Moment | None = None


class HistoryAsked(Shape):
    """How far back the counts by day go."""

    days: Annotated[int, Field(ge=1, le=400), DIGITS] = 30


class AuditAsked(Paged):
    """Which records are listed."""

    account_id: Name | None = None
    actor: Name | None = None
    kinds: KindNames = []
    credential_id: Name | None = None
    since: Moment | None = None
    until: Moment | None = None


class ExportFormat(StrEnum):
    """How records are written."""

    JSON_LINES = "jsonl"
    CSV = "csv"


class ExportWanted(Shape):
    """Which records are exported."""

    format: ExportFormat = ExportFormat.JSON_LINES
    account_id: Name | None = None
    actor: Name | None = None
    kinds: KindNames = []
    credential_id: Name | None = None
    since: Moment | None = None
    until: Moment | None = None


class LoginsAsked(Shape):
    """From when on logins are counted, 31 days at most."""

    since: Moment | None = Field(default=None, description="Left out: the last day.")


class AdoptionAsked(Shape):
    """How far back the counts by day go."""

    days: Annotated[int, Field(ge=1, le=400), DIGITS] = 90


def audit_shape(record: AuditRecord) -> AuditShape:
    """Give the form of an audit record."""
    return AuditShape(
        number=record.number,
        at=record.at,
        actor=record.actor,
        actor_address=record.actor_address,
        account_id=record.account_id,
        credential_id=record.credential_id,
        kind=record.kind,
        said=str(describe(record.event)),
        facts=to_facts(record.event),
        hash=record.hash.hex(),
    )


def entry_shape(entry: Entry) -> EntryShape:
    """Give the form of a login or a change."""
    if isinstance(entry, AuditRecord):
        return EntryShape(at=entry.at, change=audit_shape(entry))
    return EntryShape(at=entry.last_at, login=_login(entry))


def _login(event: LoginEvent) -> LoginShape:
    return LoginShape(
        credential_id=event.credential_id,
        protocol=event.protocol,
        address=event.network,
        client=event.client,
        result=event.result,
        first_at=event.first_at,
        last_at=event.last_at,
        count=event.count,
    )


def adoption_shape(one: Adoption) -> AdoptionShape:
    """Give the form of one day's counts of people."""
    return AdoptionShape(
        day=one.day, people=one.people, with_second_factor=one.with_second_factor, with_passkey=one.with_passkey
    )
