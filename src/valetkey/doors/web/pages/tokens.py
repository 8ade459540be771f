"""API tokens: what one's own programs, and those of shared accounts, show to the API."""

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.api_token import ApiToken
from valetkey.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, PolicyForbids, ProveAgain
from valetkey.core.sentence import say
from valetkey.doors.web import token_form
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, SignedInVisit, Visit
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.app_passwords import Whose, whose
from valetkey.doors.web.pages.issuing import PROVE, errors_of, prove_here
from valetkey.doors.web.token_form import TokenWishes
from valetkey.doors.web.token_words import groups_for, labels
from valetkey.service import api_tokens
from valetkey.service.api_tokens import Made

router = APIRouter()
_PAST_SHOWN = 50
_LATER = say("This form was sent already, and its API token was shown. It is in your list.")


@router.api_route("/account/tokens", methods=LOOK)
async def show(visit: SignedInVisit, account: str = "") -> Response:
    """List the API tokens of one account."""
    shown = await whose(visit, account)
    found = await api_tokens.of_account(visit.ports, visit.actor, shown.account.id, live_only=False)
    live = [token for token in found if token.is_live(visit.now)]
    past = [token for token in found if not token.is_live(visit.now)]
    return visit.page("tokens.html", whose=shown, live=live, past=past[:_PAST_SHOWN], labels=labels)


@router.api_route("/account/tokens/new", methods=LOOK)
async def ask(visit: FullVisit, account: str = "") -> Response:
    """Ask what a new API token shall be."""
    visit.need_recent_proof()
    return _new_page(visit, await whose(visit, account), TokenWishes())


@router.post("/account/tokens/new")
async def make(visit: FullVisit) -> Response:
    """Make an API token and show its secret, once, in the answer itself."""
    shown = await whose(visit, visit.form.one("account"))
    wishes = token_form.posted(visit.form)
    read = token_form.read(wishes, visit.ports.networks, visit.now, visit.language.zone)
    if read.errors:
        return _new_page(visit, shown, wishes, read.errors)
    proved = await prove_here(visit)
    if proved.error:
        return _new_page(visit, shown, wishes, Errors({PROVE: proved.error}))
    if not visit.portal.sent.is_first(visit.account.id, visit.form.one("once", 64)):
        raise Conflict(_LATER)
    try:
        made = await api_tokens.make(
            visit.ports,
            proved.visit.actor,
            shown.account.id,
            name=read.name,
            actions=read.actions,
            expires_at=read.expires_at,
            allowed_ips=read.allowed_ips,
        )
    except (ProveAgain, InvalidInput, PolicyForbids, NotAllowed) as refusal:
        return proved.keep(_new_page(proved.visit, shown, wishes, errors_of(refusal)))
    return proved.keep(_made_page(proved.visit, shown, made))


def _new_page(visit: Visit, shown: Whose, wishes: TokenWishes, errors: Errors | None = None) -> Response:
    return visit.page(
        "token_new.html",
        errors=errors,
        whose=shown,
        wishes=wishes,
        groups=groups_for(api_tokens.may_be_given(shown.account)),
        lifetimes=token_form.lifetimes(visit.now, visit.words),
        named_networks=visit.ports.networks.by_name,
        proving=errors is not None and PROVE in errors,
        once=visit.ports.entropy.octets(12).hex(),
    )


def _made_page(visit: Visit, shown: Whose, made: Made) -> Response:
    """Show a new secret: the answer to a form, never a page with an address of its own."""
    return visit.page(
        "token_made.html",
        languages=(),  # choosing another would load the page again, and the secret is shown once
        whose=shown,
        token=made.token,
        secret=made.secret,
        labels=labels,
        site=visit.portal.settings.base_url,
    )


@router.api_route("/account/tokens/{token_id}/revoke", methods=LOOK)
async def ask_revoke(visit: SignedInVisit, token_id: str) -> Response:
    """Ask before an API token is revoked."""
    token, shown = await _one_of(visit, token_id)
    return visit.page("token_revoke.html", token=token, whose=shown)


@router.post("/account/tokens/{token_id}/revoke")
async def revoke(visit: SignedInVisit, token_id: str) -> Response:
    """Revoke an API token."""
    _, shown = await _one_of(visit, token_id)
    await api_tokens.revoke(visit.ports, visit.actor, token_id)
    return see_other_with(f"/account/tokens{shown.query}", "token-revoked")


async def _one_of(visit: Visit, token_id: str) -> tuple[ApiToken, Whose]:
    """Find a token of the visitor's own account or of a shared one."""
    choices = (await whose(visit)).choices
    for account in choices:
        for token in await api_tokens.of_account(visit.ports, visit.actor, account.id, live_only=False):
            if token.id == token_id:
                return token, Whose(account, choices)
    raise NotFound("There is no such API token.")
