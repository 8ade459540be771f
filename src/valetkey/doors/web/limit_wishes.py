"""The part of the form in which somebody says how far an app password may go."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from valetkey.core.errors import InvalidInput
from valetkey.core.limits import NO_LIMITS, Limits, check_limits
from valetkey.doors.web.forms import Errors, Form

_MOST_TEXT = 16_000  # characters: 50 addresses at their longest
_DIGITS = 7
FIELDS = ("folders", "senders", "recipients", "messages_per_day", "recipients_per_day", "recipients_per_message")


@dataclass(frozen=True, slots=True)
class LimitWishes:
    """The fields as they stand in the form."""

    folders: str = ""  # one on each line
    own_sender: str = ""  # the account's own address if its box is ticked
    senders: str = ""  # addresses and domains, one on each line
    recipients: str = ""
    messages_per_day: str = ""
    recipients_per_day: str = ""
    recipients_per_message: str = ""

    @property
    def are_of_sending(self) -> bool:
        """Whether anything about sending is asked for."""
        return replace(self, folders="") != NO_WISHES


NO_WISHES = LimitWishes()


def present_limits(limits: Limits, own_address: str) -> LimitWishes:
    """Fill in the fields with the limits that an app password has."""
    others = [each for each in limits.senders if each != own_address]
    return LimitWishes(
        folders=_lines(limits.folders),
        own_sender=own_address if len(others) < len(limits.senders) else "",
        senders=_lines(others),
        recipients=_lines(limits.recipients),
        messages_per_day=_number(limits.messages_per_day),
        recipients_per_day=_number(limits.recipients_per_day),
        recipients_per_message=_number(limits.recipients_per_message),
    )


def posted_limits(form: Form) -> LimitWishes:
    """Take the fields as they were posted."""
    return LimitWishes(
        folders=form.one("folders", _MOST_TEXT),
        own_sender=form.one("own_sender"),
        senders=form.one("senders", _MOST_TEXT),
        recipients=form.one("recipients", _MOST_TEXT),
        messages_per_day=form.one("messages_per_day"),
        recipients_per_day=form.one("recipients_per_day"),
        recipients_per_message=form.one("recipients_per_message"),
    )


def read_limits(wishes: LimitWishes, errors: Errors) -> Limits:
    """Work out what the fields mean; what is wrong is named beside each of them, and left out."""
    asked: dict[str, Any] = {
        "folders": tuple(wishes.folders.splitlines()),
        "senders": (wishes.own_sender, *_addresses(wishes.senders)),
        "recipients": _addresses(wishes.recipients),
        "messages_per_day": _amount(wishes.messages_per_day),
        "recipients_per_day": _amount(wishes.recipients_per_day),
        "recipients_per_message": _amount(wishes.recipients_per_message),
    }
    found: dict[str, Any] = {}
    for field, value in asked.items():
        wanted = replace(NO_LIMITS, **{field: value})
        try:
            found[field] = getattr(check_limits(wanted), field)
        except InvalidInput as problem:
            errors[field] = problem.sentence
    return Limits(**found)


def _lines(entries: Iterable[str]) -> str:
    return "\n".join(entries)


def _number(amount: int | None) -> str:
    return "" if amount is None else str(amount)


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").replace(";", " ").split())


def _amount(text: str) -> int | None:
    """Read an amount; one that is none becomes 0, which none may be."""
    typed = text.strip()
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= _DIGITS else 0
