"""Setting up an authenticator app, the first one or another."""

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from valetkey.core.errors import Conflict, InvalidInput
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, SignedInVisit, Stage, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.moving_over import programs_to_move
from valetkey.service import second_factors, sign_in
from valetkey.service.second_factors import TotpOffer

router = APIRouter()


@router.api_route("/set-up", methods=LOOK)
async def offer(visit: SignedInVisit) -> Response:
    """Show a fresh seed as QR code and text; nothing is stored until a code of it was given."""
    if visit.stage is Stage.FULL:
        visit.need_recent_proof()
    return await _page(visit, _new_offer(visit))


@router.post("/set-up")
async def confirm(visit: SignedInVisit) -> Response:
    """Take the code that proves that the authenticator holds the seed; the first one brings recovery codes."""
    sealed = visit.form.one("sealed")
    name = visit.form.one("name", 200)
    try:
        confirmed = await second_factors.confirm_totp(
            visit.ports, visit.actor, sealed, visit.form.one("code", 200), name
        )
    except InvalidInput as problem:
        if problem.field == "sealed":
            return await _page(visit, _new_offer(visit), name, Errors({"": problem.sentence}))
        return await _page(visit, _same_offer(visit, sealed), name, Errors({problem.field: problem.sentence}))
    except Conflict as refusal:
        return await _page(visit, _same_offer(visit, sealed), name, Errors({"": refusal.sentence}))
    if confirmed.recovery_codes:
        return await first_factor_page(visit, confirmed.token, confirmed.recovery_codes)
    return see_other_with("/account", "authenticator-added")


async def first_factor_page(visit: Visit, token: str, codes: tuple[str, ...]) -> Response:
    """Show the recovery codes, once, to the session that has just become one with a second factor.

    Args:
        visit: The visit that set the factor up.
        token: Of that session from now on.
        codes: The recovery codes.
    """
    renewed = await sign_in.current(visit.ports, token)
    shown = visit.with_session(token, renewed) if renewed else visit
    leads_on = "/set-up/programs" if await programs_to_move(shown) else "/"
    response = shown.page("recovery_codes.html", codes=codes, first=True, leads_on=leads_on, languages=())
    cookies.set_session(response, token)
    return response


def _new_offer(visit: Visit) -> TotpOffer:
    return second_factors.offer_totp(visit.ports, visit.actor, visit.account.address)


def _same_offer(visit: Visit, sealed: str) -> TotpOffer:
    return second_factors.same_offer(visit.ports, visit.actor, sealed, visit.account.address)


async def _page(visit: Visit, offered: TotpOffer, name: str = "", errors: Errors | None = None) -> Response:
    is_first = visit.stage is not Stage.FULL
    programs = await programs_to_move(visit) if is_first else ()
    return visit.page(
        "set_up.html",
        errors=errors,
        offered=offered,
        qr=_qr(offered.uri),
        name=name,
        first=is_first,
        programs=tuple(dict.fromkeys(one.client for one in programs if one.client)),
    )


def _qr(uri: str) -> Markup:
    # The markup is segno's own; the address in the URI is percent-encoded and ends up as modules, not as text.
    drawn = segno.make(uri, error="m", micro=False)
    return Markup(drawn.svg_inline(scale=4, border=3, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704
