"""The page that shows a new secret, once: with settings for each kind of client, a profile, and the wait for its first use."""

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from valetkey.core.app_password import AppPassword
from valetkey.core.sentence import say
from valetkey.doors.web import apple_profile
from valetkey.doors.web.apple_profile import MailProfile
from valetkey.doors.web.client_lines import Login
from valetkey.doors.web.fragments import fragment
from valetkey.doors.web.gate import LOOK, FullVisit, Visit
from valetkey.doors.web.guides import endpoints_of, guides_for
from valetkey.doors.web.live import Update, events
from valetkey.doors.web.pages.app_passwords import Whose, one_of
from valetkey.doors.web.pages.client_setup import profile_answer
from valetkey.doors.web.purposes import Purpose, guides_like
from valetkey.service import app_passwords, shown_secrets
from valetkey.service.app_passwords import Issued

router = APIRouter()
_LOOK_EVERY = 1.0  # seconds; logins are written each second


def show_issued(
    visit: Visit, shown: Whose, issued: Issued, purpose: Purpose | None = None, replaced: AppPassword | None = None
) -> Response:
    """Show a new secret. The answer to a form, never a page with an address of its own.

    Args:
        visit: Whose page it is.
        shown: The account it opens.
        issued: The app password and its secret.
        purpose: What it is for; None: known from its scope alone, as after a rotation.
        replaced: The app password that it takes the place of.
    """
    made, secret = issued.app_password, issued.secret.shown
    settings = visit.portal.settings
    endpoints = endpoints_of(made.scope, shown.account.rights, settings.client_settings)
    guides = guides_for(
        purpose.guides if purpose else guides_like(made.scope, made.format),
        endpoints,
        Login(shown.account.address, secret),
    )
    first = [protocol for protocol in purpose.shows if protocol in endpoints] if purpose else []
    return visit.page(
        "issued.html",
        languages=(),  # choosing another would load the page again, and the secret is shown once
        credential=made,
        replaced=replaced,
        secret=secret,
        qr=_qr(secret),
        whose=shown,
        guides=guides,
        endpoints=[endpoints[protocol] for protocol in first or endpoints],
        sealed=shown_secrets.seal_secret(visit.ports, visit.actor, issued),
        trust=settings.signer.trust.value,
        site_host=settings.base_url.partition("://")[2].partition("/")[0],
    )


def _qr(secret: str) -> Markup:
    # The markup is segno's own; the secret ends up as modules, not as text.
    drawn = segno.make(secret, error="m", micro=False)
    return Markup(drawn.svg_inline(scale=4, border=3, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704


@router.api_route("/app-passwords/{credential_id}/waiting", methods=LOOK)
async def wait_for_first_login(visit: FullVisit, credential_id: str) -> Response:
    """Tell the page that waits for the first login when it comes, or why one was refused."""
    await one_of(visit, credential_id)  # what is not there is no stream

    async def look() -> Update:
        now = await app_passwords.get(visit.ports, visit.actor, credential_id)
        return Update(_waiting(visit, now), is_last=now.last_use is not None or not now.is_live)

    return events(visit, look, every=_LOOK_EVERY)


def _waiting(visit: Visit, credential: AppPassword) -> str:
    return fragment(visit, "_waiting.html", credential=credential)


@router.post("/app-passwords/{credential_id}/profile")
async def profile(visit: FullVisit, credential_id: str) -> Response:
    """Give the profile for Apple's devices with the password in it; only from the page that has just shown it."""
    credential, shown = await one_of(visit, credential_id)
    secret = shown_secrets.open_secret(visit.ports, visit.actor, credential, visit.form.one("sealed"))
    settings = visit.portal.settings
    endpoints = endpoints_of(credential.scope, shown.account.rights, settings.client_settings)
    incoming = apple_profile.incoming_of(tuple(endpoints.values()))
    outgoing = apple_profile.outgoing_of(tuple(endpoints.values()))
    if incoming is None or outgoing is None:
        raise HTTPException(404)
    words = say(
        "Sets up Mail for {address} with the app password “{name}”.",
        address=shown.account.address,
        name=credential.description,
    )
    made = apple_profile.profile(
        MailProfile(
            key=credential.id,
            address=shown.account.address,
            site_name=settings.site_name,
            site=settings.base_url,
            title=shown.account.address,
            words=visit.language.translated(words),
            incoming=incoming,
            outgoing=outgoing,
            password=secret.shown,
        )
    )
    return profile_answer(settings.signer.sign(made))
