"""What happened, in the words of a page: logins, refusals and changes as lines of one list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from valetkey.core import event
from valetkey.core.event_sentences import describe
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import names
from valetkey.doors.web.gate import Visit
from valetkey.service.history import Entry, History
from valetkey.service.ports import AuditRecord, LoginEvent


@dataclass(frozen=True, slots=True)
class Happening:
    """One line."""

    at: datetime
    time: str  # as it is written
    tone: str  # good, bad or new
    what: Sentence
    behind: Sentence | str  # from where, by whom, what to do about it
    link: str = ""


def by_day(visit: Visit, history: History, *, of_one: bool = False) -> dict[str, list[Happening]]:
    """Give the lines of a history under the days on which they happened, the newest first.

    Args:
        visit: Whose page it is.
        history: What happened.
        of_one: All of it is about one app password, which need not be named and linked to.
    """
    days: dict[str, list[Happening]] = {}
    for entry in history.entries:
        happening = _happening(visit, entry, history, of_one=of_one)
        days.setdefault(visit.words.day(happening.at), []).append(happening)
    return days


def _happening(visit: Visit, entry: Entry, history: History, *, of_one: bool) -> Happening:
    if isinstance(entry, AuditRecord):
        return _of_record(visit, entry, history, of_one=of_one)
    return _of_login(visit, entry, history, of_one=of_one)


def _of_record(visit: Visit, record: AuditRecord, history: History, *, of_one: bool) -> Happening:
    said = describe(record.event)
    behind: Sentence | str = _by_whom(visit, record, history, str(said))
    if isinstance(record.event, event.SignedIn):
        behind = names.browser(record.event.client)
    if isinstance(record.event, event.SignInRefused):  # whoever it was, the actor is only who they said they are
        behind = say("the main password was right; if this was not you, change it")
    refused = isinstance(record.event, event.SignInRefused | event.CodeEntryDisabled | event.PasskeyRefused)
    is_linked = record.credential_id in history.called and not of_one
    link = f"/app-passwords/{record.credential_id}" if is_linked else ""
    return Happening(record.at, visit.words.clock(record.at), "bad" if refused else "new", said, behind, link)


def by_whom(visit: Visit, actor: str, known: Mapping[str, str]) -> Sentence:
    """Say who did something, from the name that records hold.

    Args:
        visit: Whose page it is.
        actor: The name in the record.
        known: The addresses of actors, as `service.history.names_of` gives them.
    """
    own = {
        visit.account.id: say("by you"),
        "operator": say("by an administrator’s command line"),
        "system": say("by Valetkey"),
    }
    if actor in own:
        return own[actor]
    if actor not in known:
        return say("by somebody whose account is gone")
    if actor.startswith("at_"):
        return say("by a program of {address}, through the API", address=known[actor])
    return say("by {address}", address=known[actor])


def _by_whom(visit: Visit, record: AuditRecord, history: History, said: str) -> Sentence:
    who = by_whom(visit, record.actor, history.names)
    place = record.actor_address
    return say("{by_whom}, from {place}", by_whom=who, place=place) if place and place not in said else who


def _of_login(visit: Visit, login: LoginEvent, history: History, *, of_one: bool) -> Happening:
    name = history.called.get(login.credential_id or "")
    allowed = login.result == "allowed"
    values: dict[str, Any] = {
        "secret": _secret(login, name, of_one=of_one),
        "protocol": names.PROTOCOLS[login.protocol],
        "reason": names.reason(login.result),
    }
    if login.first_at.date() != login.last_at.date():
        values["day"] = visit.words.day(login.first_at)
    what = _logged_in(login.count, values) if allowed else _was_refused(login.count, values)
    link = f"/app-passwords/{login.credential_id}" if name and not of_one else ""
    clock = visit.words.clock(login.last_at)
    return Happening(login.last_at, clock, "good" if allowed else "bad", what, _from_where(login), link)


def _secret(login: LoginEvent, name: str | None, *, of_one: bool) -> Sentence:
    if of_one:
        return say("It")
    if name:
        return say("“{name}”", name=name)
    return say("An app password") if login.credential_id else say("A password")


def _from_where(login: LoginEvent) -> Sentence:
    place = say("from {network}", network=login.network)
    behind = say("{place}, {client}", place=place, client=login.client) if login.client else place
    advice = "" if login.result == "allowed" else names.mend(login.result)
    return say("{behind}. {advice}", behind=behind, advice=advice) if advice else behind


def _logged_in(count: int, values: dict[str, Any]) -> Sentence:
    if count == 1:
        return say("{secret} logged in through {protocol}", **values)
    if "day" not in values:
        return say("{secret} logged in through {protocol}, {count} times", count=count, **values)
    return say("{secret} logged in through {protocol}, {count} times since {day}", count=count, **values)


def _was_refused(count: int, values: dict[str, Any]) -> Sentence:
    if count == 1:
        return say("{secret} was refused through {protocol}: {reason}", **values)
    if "day" not in values:
        return say("{secret} was refused through {protocol}, {count} times: {reason}", count=count, **values)
    return say("{secret} was refused through {protocol}, {count} times since {day}: {reason}", count=count, **values)
