"""The forms of limits of app passwords."""

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from valetkey.core.limits import NO_LIMITS, Limits, Overstep
from valetkey.doors.api.shapes.fields import WHOLE, Shape, left_out_stays
from valetkey.service.app_passwords import SentToday

Folder = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="A folder, with / between levels; with /* behind it what lies in it.", examples=["Archive/*"]),
]
ListedAddress = Annotated[
    str,
    StringConstraints(min_length=1, max_length=320),
    Field(description="A mail address, or a domain with @ in front.", examples=["@example.org"]),
]
Amount = Annotated[int, Field(ge=1, le=1_000_000), WHOLE]


class LimitsShape(Shape):
    """What it may do only so far. What is empty or null is not limited."""

    folders: list[str] = Field(description="Those that it sees through IMAP; Name/* is what lies in Name.")
    senders: list[str] = Field(description="As whom it sends through SMTP: addresses, or domains with @ in front.")
    recipients: list[str] = Field(description="To whom it sends, written like senders.")
    messages_per_day: int | None = Field(description="Of a day in UTC.")
    recipients_per_day: int | None = Field(description="Of a day in UTC.")
    recipients_per_message: int | None


class LimitsWanted(Shape):
    """What it shall do only so far. A mail server that cannot hold it to its limits refuses it."""

    folders: Annotated[list[Folder], Field(max_length=50)] = []
    senders: Annotated[list[ListedAddress], Field(max_length=50)] = []
    recipients: Annotated[list[ListedAddress], Field(max_length=50)] = []
    messages_per_day: Amount | None = None
    recipients_per_day: Amount | None = None
    recipients_per_message: Amount | None = None


class LimitsChange(Shape):
    """What of its limits shall be otherwise. What is left out stays; null or an empty list lifts it."""

    folders: Annotated[list[Folder], Field(max_length=50)] | None = Field(
        default=None, json_schema_extra=left_out_stays
    )
    senders: Annotated[list[ListedAddress], Field(max_length=50)] | None = Field(
        default=None, json_schema_extra=left_out_stays
    )
    recipients: Annotated[list[ListedAddress], Field(max_length=50)] | None = Field(
        default=None, json_schema_extra=left_out_stays
    )
    messages_per_day: Amount | None = Field(default=None, json_schema_extra=left_out_stays)
    recipients_per_day: Amount | None = Field(default=None, json_schema_extra=left_out_stays)
    recipients_per_message: Amount | None = Field(default=None, json_schema_extra=left_out_stays)


class StoppedShape(Shape):
    """How often a limit stopped a message or a recipient."""

    why: Overstep
    count: int
    last_at: datetime


class SentShape(Shape):
    """What it has sent on a day, as far as a server counted that holds it to an amount."""

    day: date = Field(description="In UTC.")
    messages: int
    recipients: int
    stopped: list[StoppedShape] = Field(default=[], description="What its limits stopped in the last 30 days.")


def limits_shape(limits: Limits) -> LimitsShape:
    """Give the form of limits."""
    return LimitsShape(
        folders=list(limits.folders),
        senders=list(limits.senders),
        recipients=list(limits.recipients),
        messages_per_day=limits.messages_per_day,
        recipients_per_day=limits.recipients_per_day,
        recipients_per_message=limits.recipients_per_message,
    )


def limits_of(wanted: LimitsWanted | None) -> Limits:
    """Read wanted limits."""
    if wanted is None:
        return NO_LIMITS
    return Limits(
        tuple(wanted.folders),
        tuple(wanted.senders),
        tuple(wanted.recipients),
        wanted.messages_per_day,
        wanted.recipients_per_day,
        wanted.recipients_per_message,
    )


def limits_changed(held: Limits, asked: LimitsChange) -> Limits:
    """Give limits after a change."""
    changes: dict[str, Any] = {}
    for name in asked.model_fields_set:
        value = getattr(asked, name)
        changes[name] = tuple(value or ()) if isinstance(getattr(held, name), tuple) else value
    return replace(held, **changes)


def sent_shape(today: SentToday) -> SentShape:
    """Give the form of what was sent today."""
    stopped = [StoppedShape(why=each.why, count=each.count, last_at=each.last_at) for each in today.stopped]
    return SentShape(day=today.day, messages=today.sent.messages, recipients=today.sent.recipients, stopped=stopped)
