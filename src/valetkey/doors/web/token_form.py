"""The form in which somebody says what an API token shall be, and what it means."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from valetkey.core.network import NamedNetworks
from valetkey.core.role import Action
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web.forms import Errors, Form
from valetkey.doors.web.wishes import ON_DATE, end_of_day, read_networks, span_of, span_words
from valetkey.doors.web.words import Words

_LIFETIMES = (7, 30, 90, 365)  # days
_FIRST = "90"


@dataclass(frozen=True, slots=True)
class TokenWishes:
    """The fields as they stand in the form; as it is shown first, it may look and nothing else."""

    name: str = ""
    actions: tuple[str, ...] = (Action.OWN_READ.value,)
    expires: str = _FIRST
    expires_on: str = ""
    rule: str = "anywhere"
    named: tuple[str, ...] = ()
    networks: str = ""


@dataclass(frozen=True, slots=True)
class ReadToken:
    """What the form means; only good without errors."""

    name: str
    actions: frozenset[Action]
    expires_at: datetime
    allowed_ips: tuple[str, ...]
    errors: Errors


def posted(form: Form) -> TokenWishes:
    """Take the form as it was posted."""
    return TokenWishes(
        name=form.one("name"),
        actions=form.many("actions"),
        expires=form.one("expires"),
        expires_on=form.one("expires_on"),
        rule=form.one("rule"),
        named=form.many("named"),
        networks=form.one("networks", 4000),
    )


def lifetimes(now: datetime, words: Words) -> tuple[tuple[str, Sentence], ...]:
    """Give the choices for the end: value and words. An API token always ends."""
    choices = (
        (str(n), say("{span} (until {day})", span=span_words(n), day=words.day(now + timedelta(days=n))))
        for n in _LIFETIMES
    )
    return (*choices, (ON_DATE, say("On a date …")))


def read(wishes: TokenWishes, networks: NamedNetworks, now: datetime, zone: tzinfo = UTC) -> ReadToken:
    """Work out what the form means; everything wrong with it is named at once, beside its field.

    What the verb refuses as well (the name, an end too far away) is left to it.
    """
    errors = Errors()
    if not wishes.name.strip():
        errors["name"] = say("Give it a name, so that you recognise it in the list.")
    actions = frozenset(one for one in Action if one.value in wishes.actions)
    if not actions:
        errors["actions"] = say("Tick at least one thing that it may do.")
    ends = _end(wishes, now, zone, errors)
    entries = read_networks(wishes.rule, wishes.named, wishes.networks, networks, errors)
    return ReadToken(wishes.name, actions, ends, entries, errors)


def _end(wishes: TokenWishes, now: datetime, zone: tzinfo, errors: Errors) -> datetime:
    if wishes.expires == ON_DATE:
        return end_of_day(wishes.expires_on, zone, errors) or now
    span = span_of(wishes.expires)
    if span is None:
        errors["expires_at"] = say("Choose when it ends.")
    return now + (span or timedelta())
