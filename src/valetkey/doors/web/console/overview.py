"""What an administrator sees first: what is wrong now, each with the place to act."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.role import Action
from valetkey.core.sentence import Sentence, counted, say
from valetkey.doors.web.console.account import connections_of
from valetkey.doors.web.console.gate import HOME, ConsoleVisit, ToSeeAccounts
from valetkey.doors.web.console.login_charts import DAY, Counted, summed
from valetkey.doors.web.console.machines import servers_now
from valetkey.doors.web.gate import LOOK
from valetkey.service import console
from valetkey.service.console import Overview, Refusals
from valetkey.service.server_parts import MailServer
from valetkey.service.store_parts import AppPasswordFilter

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that wants somebody."""

    tone: str  # bad: now; warn: soon
    what: Sentence
    link: str
    do: Sentence  # the words of the link


@router.api_route(HOME, methods=LOOK)
async def show(visit: ToSeeAccounts) -> Response:
    """Say at a glance how the house stands."""
    seen = await console.overview(visit.ports, visit.actor)
    servers = await servers_now(visit) if visit.may(Action.SEE_SERVERS) else ()
    sessions = await connections_of(visit, None)
    return visit.page(
        "overview.html",
        seen=seen,
        wrong=[*_wrong_now(seen, servers, mail_answers=sessions is not None), *_wrong_soon(seen)],
        connections=None if sessions is None else len(sessions),
        drawn=await _last_day(visit),
    )


async def _last_day(visit: ConsoleVisit) -> Counted:
    counts = await console.logins(visit.ports, visit.actor, DAY.begin(visit.now.astimezone(visit.language.zone)))
    return summed(visit.language, DAY, counts, visit.now)


def _wrong_now(seen: Overview, servers: tuple[MailServer, ...] | None, *, mail_answers: bool) -> list[Wrong]:
    found = []
    if servers is None or not mail_answers:
        what = say("No process of the mail side answers: logins may fail.")
        found.append(Wrong("bad", what, "/console/servers", say("Mail servers")))
    for one in servers or ():
        if one.is_failing:
            what = say("The mail server {host} is not reached.", host=one.host)
            found.append(Wrong("bad", what, "/console/servers", say("See why")))
    if seen.refusals is not None and seen.refusals.is_unusual:
        found.append(Wrong("bad", _many_refusals(seen.refusals), "/console/logins?span=hours", say("See why")))
    if seen.waiting_recoveries:
        what = counted(
            "{number} person recovers a lost second factor; it ends after the waiting time.",
            "{number} people recover a lost second factor; it ends after the waiting time.",
            seen.waiting_recoveries,
        )
        found.append(Wrong("warn", what, "/console/recoveries", say("See who")))
    if seen.open_proposals:
        what = counted(
            "{number} proposal waits for a second administrator.",
            "{number} proposals wait for a second administrator.",
            seen.open_proposals,
        )
        found.append(Wrong("warn", what, "/console/proposals", say("Decide")))
    return found


def _many_refusals(refusals: Refusals) -> Sentence:
    return say(
        "{number} logins were refused in the last hours; usual are {usual}.",
        number=refusals.refusals,
        usual=round(refusals.usual_refusals),
    )


def _wrong_soon(seen: Overview) -> list[Wrong]:
    found = []
    if seen.adoption is not None and seen.adoption.people > seen.adoption.with_second_factor:
        what = counted(
            "{number} active person has no second factor.",
            "{number} active people have no second factor.",
            seen.adoption.people - seen.adoption.with_second_factor,
        )
        found.append(Wrong("warn", what, "/console/second-factors", say("See who")))
    stale = seen.app_passwords.get(AppPasswordFilter.UNUSED_90_DAYS, 0) if seen.app_passwords is not None else 0
    if stale:
        what = counted(
            "{number} app password was not used for 90 days and still works.",
            "{number} app passwords were not used for 90 days and still work.",
            stale,
        )
        found.append(Wrong("warn", what, "/console/app-passwords?show=unused-90-days", say("See and revoke")))
    return found
