"""What happened to an account: logins of its app passwords, and every change."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core import event
from valetkey.core.event_sentences import describe
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import names
from valetkey.doors.web.gate import LOOK, SignedInVisit, Visit
from valetkey.doors.web.pages.app_passwords import whose
from valetkey.service import activity, app_passwords
from valetkey.service.ports import AuditRecord, LoginEvent

router = APIRouter()
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the page."""

    at: datetime
    tone: str  # good, bad or new
    what: Sentence
    behind: Sentence | str  # from where, by whom
    link: str = ""


@router.api_route("/activity", methods=LOOK)
async def show(visit: SignedInVisit, account: str = "") -> Response:
    """Show what happened, the newest first, in one list."""
    shown = await whose(visit, account)
    found = await activity.of_account(visit.ports, visit.actor, shown.account.id, _SHOWN)
    everyone = await app_passwords.of_account(visit.ports, visit.actor, shown.account.id)
    called = {credential.id: credential.description for credential in everyone}
    happenings = [_of_record(visit, record) for record in found.audit]
    happenings += [_of_login(visit, login, called) for login in found.logins]
    happenings.sort(key=lambda happening: happening.at, reverse=True)
    return visit.page("activity.html", whose=shown, days=_by_day(visit, happenings[:_SHOWN]), dropped=found.dropped)


def _by_day(visit: Visit, happenings: list[Happening]) -> dict[str, list[Happening]]:
    days: dict[str, list[Happening]] = {}
    for happening in happenings:
        days.setdefault(visit.words.day(happening.at), []).append(happening)
    return days


def _of_record(visit: Visit, record: AuditRecord) -> Happening:
    said = describe(record.event)
    behind = _by_whom(visit, record, str(said))
    if isinstance(record.event, event.SignedIn):
        behind = names.browser(record.event.client)
    if isinstance(record.event, event.SignInRefused):  # whoever it was, the actor is only who they said they are
        behind = say("the main password was right; if this was not you, change it")
    refused = isinstance(record.event, event.SignInRefused | event.CodeEntryDisabled)
    link = f"/app-passwords/{record.credential_id}" if record.credential_id else ""
    return Happening(record.at, "bad" if refused else "new", said, behind, link)


def _by_whom(visit: Visit, record: AuditRecord, said: str) -> Sentence | str:
    by = {
        visit.account.id: say("by you"),
        "operator": say("by an administrator"),
        "system": say("by Valetkey"),
    }
    who = by.get(record.actor, say("by another owner"))
    place = record.actor_address
    return say("{by_whom}, from {place}", by_whom=who, place=place) if place and place not in said else who


def _of_login(visit: Visit, login: LoginEvent, called: dict[str, str]) -> Happening:
    name = called.get(login.credential_id or "")
    secret = (
        say("“{name}”", name=name) if name else (say("An app password") if login.credential_id else say("A password"))
    )
    allowed = login.result == "allowed"
    values = {"secret": secret, "protocol": names.PROTOCOLS[login.protocol], "reason": names.reason(login.result)}
    if login.first_at.date() != login.last_at.date():
        values["day"] = visit.words.day(login.first_at)
    what = _logged_in(login.count, values) if allowed else _was_refused(login.count, values)
    place = say("from {network}", network=login.network)
    behind = say("{place}, {client}", place=place, client=login.client) if login.client else place
    link = f"/app-passwords/{login.credential_id}" if name else ""
    return Happening(login.last_at, "good" if allowed else "bad", what, behind, link)


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
