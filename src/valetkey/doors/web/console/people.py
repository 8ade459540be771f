"""Domains, and second factors: who has one, who has not, and how that went on."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import AccountKind, AccountState
from valetkey.core.sentence import say
from valetkey.doors.web.charts import Chart, Row, Series, lines
from valetkey.doors.web.console.asking import link, searched
from valetkey.doors.web.console.gate import ConsoleVisit, ToSeeAccounts
from valetkey.doors.web.gate import LOOK
from valetkey.service import accounts, console
from valetkey.service.console import AdoptionShown
from valetkey.service.store_parts import AccountFilter, Adoption, SecondFactorFilter

router = APIRouter()
_SHOWN = 50
_SPANS = {"60": (60, 1), "365": (365, 7)}  # days back, and every how many days a point is drawn
_WITHOUT = AccountFilter(
    kind=AccountKind.PERSON, state=AccountState.ACTIVE, second_factor=SecondFactorFilter.WITHOUT
)  # fmt: skip


@router.api_route("/console/domains", methods=LOOK)
async def show_domains(visit: ToSeeAccounts, q: str = "", after: str = "") -> Response:
    """List the domains with what they hold."""
    q, path = searched(q), "/console/domains"
    found = await console.domains(visit.ports, visit.actor, search=q, after=after, limit=_SHOWN + 1)
    return visit.page(
        "domains.html",
        q=q,
        found=found[:_SHOWN],
        first=link(path, q=q) if after else "",
        rest=link(path, q=q, after=found[_SHOWN - 1].domain) if len(found) > _SHOWN else "",
    )


@router.api_route("/console/second-factors", methods=LOOK)
async def show_second_factors(visit: ToSeeAccounts, span: str = "60", after: str = "") -> Response:
    """Draw how many people have a second factor, and list who has none."""
    days, step = _SPANS.get(span, _SPANS["60"])
    adoption = await console.adoption(visit.ports, visit.actor, days)
    found = await accounts.listed(visit.ports, visit.actor, _WITHOUT, after=after, limit=_SHOWN + 1)
    path = "/console/second-factors"
    return visit.page(
        "second_factors.html",
        adoption=adoption.now,
        chart=_chart(visit, adoption, step),
        is_long=step > 1,
        found=found[:_SHOWN],
        first=link(path, span=span) if after else "",
        rest=link(path, span=span, after=found[_SHOWN - 1].address) if len(found) > _SHOWN else "",
    )


def _chart(visit: ConsoleVisit, adoption: AdoptionShown, step: int) -> Chart:
    earlier = [one for one in adoption.days if one.day < adoption.now.day]
    points = [*reversed(earlier[::-1][step - 1 :: step]), adoption.now]
    said = visit.language.translated
    series = (Series(said(say("With a second factor")), "a"), Series(said(say("With a passkey")), "c"))
    rows = [
        Row(visit.language.shown(one.day), (_share(one.with_second_factor, one), _share(one.with_passkey, one)))
        for one in points
    ]
    return lines(series, rows, said(say("Day")), percent=True)


def _share(number: int, of: Adoption) -> int:
    return round(100 * number / of.people) if of.people else 0
