"""What happened to an account: logins of its app passwords, and every change."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core import event
from valetkey.core.event_sentences import describe
from valetkey.doors.web import words
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
    what: str
    behind: str  # from where, by whom
    link: str = ""


@router.api_route("/activity", methods=LOOK)
async def show(visit: SignedInVisit, account: str = "") -> Response:
    """Show what happened, the newest first, in one list."""
    shown = await whose(visit, account)
    found = await activity.of_account(visit.ports, visit.actor, shown.account.id, _SHOWN)
    everyone = await app_passwords.of_account(visit.ports, visit.actor, shown.account.id)
    names = {credential.id: credential.description for credential in everyone}
    happenings = [_of_record(visit, record) for record in found.audit]
    happenings += [_of_login(login, names) for login in found.logins]
    happenings.sort(key=lambda happening: happening.at, reverse=True)
    return visit.page("activity.html", whose=shown, days=_by_day(happenings[:_SHOWN]), dropped=found.dropped)


def _by_day(happenings: list[Happening]) -> dict[str, list[Happening]]:
    days: dict[str, list[Happening]] = {}
    for happening in happenings:
        days.setdefault(words.day(happening.at), []).append(happening)
    return days


def _of_record(visit: Visit, record: AuditRecord) -> Happening:
    by = {visit.account.id: "by you", "operator": "by an administrator", "system": "by Valetkey"}
    who = by.get(record.actor, "by another owner")
    said = str(describe(record.event))
    place = record.actor_address
    behind = who + (f", from {place}" if place and place not in said else "")
    if isinstance(record.event, event.SignedIn):
        behind = words.browser(record.event.client)
    if isinstance(record.event, event.SignInRefused):  # whoever it was, the actor is only who they said they are
        behind = "the main password was right; if this was not you, change it"
    refused = isinstance(record.event, event.SignInRefused | event.CodeEntryDisabled)
    link = f"/app-passwords/{record.credential_id}" if record.credential_id else ""
    return Happening(record.at, "bad" if refused else "new", said, behind, link)


def _of_login(login: LoginEvent, names: dict[str, str]) -> Happening:
    name = names.get(login.credential_id or "")
    secret = f"“{name}”" if name else ("An app password" if login.credential_id else "A password")
    through = f"through {words.PROTOCOLS[login.protocol]}"
    since = "" if login.first_at.date() == login.last_at.date() else f" since {words.day(login.first_at)}"
    times = f", {login.count} times{since}" if login.count > 1 else ""
    if login.result == "allowed":
        what = f"{secret} logged in {through}{times}"
    else:
        what = f"{secret} was refused {through}{times}: {words.reason(login.result)}"
    behind = f"from {login.network}" + (f", {login.client}" if login.client else "")
    link = f"/app-passwords/{login.credential_id}" if name else ""
    return Happening(login.last_at, "good" if login.result == "allowed" else "bad", what, behind, link)
