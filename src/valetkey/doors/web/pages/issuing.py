"""Making an app password, and changing one."""

from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from valetkey.core.app_password import AppPassword
from valetkey.core.errors import Conflict, InvalidInput, PolicyForbids, ProveAgain, Refused
from valetkey.core.scope import MailProtocol, Permission, Scope
from valetkey.core.sentence import Sentence, say
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK, FullVisit, Visit
from valetkey.doors.web.limit_wishes import FIELDS
from valetkey.doors.web.notices import see_other_with
from valetkey.doors.web.pages.app_passwords import Whose, one_of, whose
from valetkey.doors.web.pages.issued import show_issued
from valetkey.doors.web.pages.sign_in import prove_again
from valetkey.doors.web.purposes import OTHER, Purpose, purpose_of, purposes_for
from valetkey.doors.web.wishes import (
    Ground,
    Wishes,
    first_wishes,
    idle_times,
    lifetimes,
    posted_wishes,
    present_wishes,
    read_wishes,
)
from valetkey.service import app_passwords, sign_in
from valetkey.service.app_passwords import Wanted

router = APIRouter()
PROVE = "prove"  # the field of errors that brings the fields for proving identity into the form
_PROVE_AGAIN = say("Some minutes have passed. Enter your main password and a code, then send the form again.")


@dataclass(frozen=True, slots=True)
class Proved:
    """A visit whose proof is as fresh as it could be made, and the token of its new session if it has one."""

    visit: Visit
    new_token: str | None = None
    error: Sentence | str = ""

    def keep(self, response: Response) -> Response:
        """Give the browser the new session."""
        if self.new_token is not None:
            cookies.set_session(response, self.new_token)
        return response


async def prove_here(visit: Visit) -> Proved:
    """Prove identity with the fields of this very form, if it has them, so that its other fields are not lost."""
    if not visit.form.has("prove_password"):
        return Proved(visit)
    try:
        started = await prove_again(visit)
    except Refused as refusal:
        return Proved(visit, error=refusal.sentence)
    signed_in = await sign_in.current(visit.ports, started.token)
    if signed_in is None:
        return Proved(visit, error=say("The sign-in could not be renewed. Try again."))
    return Proved(visit.with_session(started.token, signed_in), started.token)


@router.api_route("/app-passwords/new", methods=LOOK)
async def ask(visit: FullVisit, account: str = "", purpose: str = "") -> Response:
    """Ask what it is for, then for the rest."""
    visit.need_recent_proof()
    shown = await whose(visit, account)
    choices = _purposes(visit, shown)
    chosen = purpose_of(purpose, choices)
    if chosen is None:
        return visit.page("purpose.html", whose=shown, purposes=choices, others=purpose == OTHER)
    return _new_page(visit, shown, chosen, first_wishes(chosen, shown.account.rights, visit.ports.policy))


@router.post("/app-passwords/new")
async def make(visit: FullVisit) -> Response:
    """Make the app password and show its secret, once, in the answer itself; or only say what it could do."""
    shown, purpose = await _asked(visit)
    wishes = posted_wishes(visit.form)
    read = read_wishes(wishes, _ground(visit, shown, purpose))
    if visit.form.has("preview"):
        return _new_page(visit, shown, purpose, wishes, _without_name(read.errors), opened=True)
    if read.errors:
        return _new_page(visit, shown, purpose, wishes, read.errors)
    proved = await prove_here(visit)
    if proved.error:
        return _new_page(visit, shown, purpose, wishes, Errors({PROVE: proved.error}))
    if not visit.portal.sent.is_first(visit.account.id, visit.form.one("once", 64)):
        raise Conflict("This form was sent already, and its app password was shown. It is in your list.")
    wanted = Wanted(read.description, read.scope, read.restrictions, read.format)
    response = await _issue(proved.visit, shown, purpose, wishes, wanted)
    return proved.keep(response)


@router.post("/app-passwords/new/summary")
async def summarise(visit: FullVisit) -> Response:
    """Say what an app password of this form could do, as the ticks change; plain text, for the script."""
    shown, purpose = await _asked(visit)
    read = read_wishes(posted_wishes(visit.form), _ground(visit, shown, purpose))
    words = visit.words
    problems = _without_name(read.errors).values()
    sentences = problems or words.summary(read.scope, shown.account.rights, read.restrictions)
    return PlainTextResponse(" ".join(words.said(one) for one in sentences))


async def _asked(visit: Visit) -> tuple[Whose, Purpose]:
    shown = await whose(visit, visit.form.one("account"))
    purpose = purpose_of(visit.form.one("purpose"), _purposes(visit, shown))
    if purpose is None:
        raise InvalidInput("purpose", "Choose first what the app password is for.")
    return shown, purpose


def _purposes(visit: Visit, shown: Whose) -> tuple[Purpose, ...]:
    return purposes_for(shown.account.rights, visit.portal.settings.client_settings)


def _ground(visit: Visit, shown: Whose, purpose: Purpose) -> Ground:
    return Ground(
        purpose.scope,
        None,
        shown.account.rights,
        visit.ports.policy,
        visit.ports.networks,
        visit.now,
        visit.language.zone,
        purpose,
    )


def _without_name(errors: Errors) -> Errors:
    """Give what is wrong with all but the name, which says nothing of what an app password can do."""
    return Errors({field: sentence for field, sentence in errors.items() if field != "description"})


async def _issue(visit: Visit, shown: Whose, purpose: Purpose, wishes: Wishes, wanted: Wanted) -> Response:
    try:
        issued = await app_passwords.issue(visit.ports, visit.actor, shown.account.id, wanted)
    except (ProveAgain, InvalidInput, PolicyForbids) as refusal:
        return _new_page(visit, shown, purpose, wishes, errors_of(refusal))
    return show_issued(visit, shown, issued, purpose)


def errors_of(refusal: Refused) -> Errors:
    """Say beside which field of the form a refusal of the verb is shown."""
    match refusal:
        case ProveAgain():
            return Errors({PROVE: _PROVE_AGAIN})
        case InvalidInput(field=field):
            return Errors({field: refusal.sentence})
        case _:
            return Errors({"": refusal.sentence})


def _new_page(
    visit: Visit,
    shown: Whose,
    purpose: Purpose,
    wishes: Wishes,
    errors: Errors | None = None,
    *,
    opened: bool = False,
) -> Response:
    policy = visit.ports.policy
    read = read_wishes(wishes, _ground(visit, shown, purpose))
    # Without the folders that it is for, it would be said to see all of them.
    unnamed = (read.errors["folders"],) if "folders" in read.errors else ()
    return visit.page(
        "new.html",
        errors=errors,
        summary=unnamed or visit.words.summary(read.scope, shown.account.rights, read.restrictions),
        opened=opened,
        whose=shown,
        purpose=purpose,
        wishes=wishes,
        proving=errors is not None and PROVE in errors,
        once=visit.ports.entropy.octets(12).hex(),
        lifetimes=lifetimes(policy, visit.now, visit.words),
        idle_times=idle_times(policy),
        **_choices(visit, shown.account.rights, purpose.scope),
    )


@router.api_route("/app-passwords/{credential_id}/change", methods=LOOK)
async def ask_change(visit: FullVisit, credential_id: str) -> Response:
    """Show what an app password is, to be renamed, narrowed or widened."""
    credential, shown = await one_of(visit, credential_id)
    _must_live(credential)
    return _change_page(visit, shown, credential, present_wishes(credential, shown.account, visit.ports.networks))


@router.post("/app-passwords/{credential_id}/change")
async def change(visit: FullVisit, credential_id: str) -> Response:
    """Change an app password; connections that no longer pass are closed."""
    credential, shown = await one_of(visit, credential_id)
    _must_live(credential)
    wishes = replace(posted_wishes(visit.form), format=credential.format.value)
    ground = Ground(
        credential.scope,
        credential.restrictions,
        shown.account.rights,
        visit.ports.policy,
        visit.ports.networks,
        visit.now,
        visit.language.zone,
    )
    read = read_wishes(wishes, ground)
    if read.errors:
        return _change_page(visit, shown, credential, wishes, read.errors)
    proved = await prove_here(visit)
    if proved.error:
        return _change_page(visit, shown, credential, wishes, Errors({PROVE: proved.error}))
    wanted = Wanted(read.description, read.scope, read.restrictions, credential.format)
    return proved.keep(await _change(proved.visit, shown, credential, wishes, wanted))


async def _change(visit: Visit, shown: Whose, old: AppPassword, wishes: Wishes, wanted: Wanted) -> Response:
    try:
        changed = await app_passwords.change(
            visit.ports,
            visit.actor,
            old.id,
            description=wanted.description if wanted.description != old.description else None,
            scope=wanted.scope if wanted.scope != old.scope else None,
            restrictions=wanted.restrictions if wanted.restrictions != old.restrictions else None,
        )
    except (ProveAgain, InvalidInput, PolicyForbids) as refusal:
        return _change_page(visit, shown, old, wishes, errors_of(refusal))
    return see_other_with(f"/app-passwords/{old.id}", "narrowed", changed.closed)


def _change_page(
    visit: Visit,
    shown: Whose,
    credential: AppPassword,
    wishes: Wishes,
    errors: Errors | None = None,
) -> Response:
    policy = visit.ports.policy
    return visit.page(
        "change.html",
        errors=errors,
        whose=shown,
        credential=credential,
        wishes=wishes,
        proving=errors is not None and PROVE in errors,
        lifetimes=lifetimes(policy, visit.now, visit.words, credential),
        idle_times=idle_times(policy, credential),
        **_choices(visit, shown.account.rights, credential.scope),
    )


def _must_live(credential: AppPassword) -> None:
    if not credential.is_live:
        raise Conflict("This app password is no longer in use; make a new one.")


def _choices(visit: Visit, rights: frozenset[Permission], scope: Scope) -> dict[str, Any]:
    served = {endpoint.protocol for endpoint in visit.portal.settings.client_settings} or set(MailProtocol)
    return {
        "longest": visit.ports.policy.max_lifetime.days if visit.ports.policy.max_lifetime else 0,
        "rights": [permission for permission in Permission if permission in rights],
        "protocols": [protocol for protocol in MailProtocol if protocol in served or protocol in scope.protocols],
        "named_networks": visit.ports.networks.by_name,
        "limited": FIELDS,
    }
