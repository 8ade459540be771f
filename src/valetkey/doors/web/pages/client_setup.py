"""What mail programs fetch to set themselves up: autoconfig, autodiscover, a profile without a password.

Anybody may ask, nobody is looked up, nothing changes: so none of these passes the gate, and a POST of Outlook, which comes
from no page, needs no token.
"""

import json
from urllib.parse import quote

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from valetkey.core.account import canonical_domain, canonical_login_name
from valetkey.core.errors import InvalidInput
from valetkey.core.sentence import say
from valetkey.doors.web import apple_profile, autoconfig
from valetkey.doors.web.apple_profile import MailProfile
from valetkey.doors.web.autoconfig import Site
from valetkey.doors.web.forms import read_body
from valetkey.doors.web.gate import LOOK, Portal
from valetkey.doors.web.settings import WebSettings

router = APIRouter()
_XML = "application/xml; charset=utf-8"
_AN_HOUR = {"Cache-Control": "public, max-age=3600"}
_OUTLOOK_PATH = "/autodiscover/autodiscover.xml"
_ITS_SPELLING = "/Autodiscover/Autodiscover.xml"
_ANOTHER_SPELLING = "/AutoDiscover/AutoDiscover.xml"
_UNREADABLE, _NOT_HERE = 600, 500  # error codes of autodiscover


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal


def _site(settings: WebSettings) -> Site:
    return Site(settings.site_name, settings.base_url, settings.client_settings)


@router.api_route("/mail/config-v1.1.xml", methods=LOOK)
@router.api_route("/.well-known/autoconfig/mail/config-v1.1.xml", methods=LOOK)
async def mozilla(request: Request, emailaddress: str = "") -> Response:
    """Tell Thunderbird, K-9 Mail and FairEmail where to connect."""
    settings = _portal(request).settings
    domains = _domains_asked(settings, emailaddress, request.headers.get("host", ""))
    return Response(autoconfig.mozilla(_site(settings), domains), media_type=_XML, headers=_AN_HOUR)


def _domains_asked(settings: WebSettings, address: str, host: str) -> tuple[str, ...]:
    """Give the domains that an answer is about: the address's, else the one whose host was asked, else all."""
    own = tuple(domain for domain in settings.mail_domains if domain != "*")
    if address:
        return (_domain_of(settings, address),)
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    try:
        asked = canonical_domain(name.lower().removeprefix("autoconfig."))
    except InvalidInput:
        asked = ""
    if asked in own:
        return (asked,)
    if own:
        return own
    if not asked:
        raise HTTPException(404)
    return (asked,)


def _domain_of(settings: WebSettings, address: str) -> str:
    try:
        domain = canonical_domain(address.rpartition("@")[2][:255])
    except InvalidInput:
        raise HTTPException(404) from None
    if not settings.serves(domain):
        raise HTTPException(404)
    return domain


@router.api_route(_OUTLOOK_PATH, methods=LOOK)
@router.api_route(_ITS_SPELLING, methods=LOOK)
@router.api_route(_ANOTHER_SPELLING, methods=LOOK)
async def outlook_look(request: Request, emailaddress: str = "", email: str = "") -> Response:
    """Tell a program that only looks where to connect."""
    return _outlook(request, emailaddress or email, _AN_HOUR)


@router.post(_OUTLOOK_PATH)
@router.post(_ITS_SPELLING)
@router.post(_ANOTHER_SPELLING)
async def outlook_post(request: Request) -> Response:
    """Tell Outlook where to connect."""
    body = await read_body(request, autoconfig.MAX_REQUEST)
    try:
        address = autoconfig.read_outlook_request(body)
    except InvalidInput as problem:
        return _outlook_error(request, _UNREADABLE, str(problem))
    return _outlook(request, address, {})


def _outlook(request: Request, address: str, headers: dict[str, str]) -> Response:
    settings = _portal(request).settings
    try:
        canonical = canonical_login_name(address) if address else ""
    except InvalidInput:
        return _outlook_error(request, _UNREADABLE, "This is not a mail address.")
    if canonical and not settings.serves(canonical.rpartition("@")[2]):
        return _outlook_error(request, _NOT_HERE, "Mail of this domain is not served here.")
    return Response(autoconfig.outlook(_site(settings), canonical), media_type=_XML, headers=headers)


def _outlook_error(request: Request, code: int, words: str) -> Response:
    # Outlook reads its errors from answers that went well.
    stamp = f"{_portal(request).ports.clock.now():%H:%M:%S}"
    return Response(autoconfig.outlook_error(stamp, code, words), media_type=_XML)


@router.api_route("/autodiscover/autodiscover.json", methods=LOOK)
@router.api_route("/autodiscover/autodiscover.json/v1.0/{address}", methods=LOOK)
async def outlook_json(request: Request) -> Response:
    """Send a program that asks for autodiscover version 2 on to version 1."""
    asked = {name.lower(): value for name, value in request.query_params.items()}.get("protocol", "")
    if asked.lower() != "autodiscoverv1":
        said = {"ErrorCode": "InvalidProtocol", "ErrorMessage": "The only protocol here is AutodiscoverV1."}
        return Response(json.dumps(said), 400, media_type="application/json")
    url = _portal(request).settings.https_url + _OUTLOOK_PATH
    said = {"Protocol": "AutodiscoverV1", "Url": url}
    return Response(json.dumps(said), media_type="application/json", headers=_AN_HOUR)


@router.api_route("/mail/apple.mobileconfig", methods=LOOK)
async def apple(request: Request, address: str = "") -> Response:
    """Give a profile for Apple's devices without a password, which the device then asks for.

    Raises:
        InvalidInput: Not a mail address.
    """
    portal = _portal(request)
    settings = portal.settings
    canonical = canonical_login_name(address[:400])
    _domain_of(settings, canonical)
    incoming = apple_profile.incoming_of(settings.client_settings)
    outgoing = apple_profile.outgoing_of(settings.client_settings)
    if incoming is None or outgoing is None:
        raise HTTPException(404)
    language = portal.language(request)
    made = apple_profile.profile(
        MailProfile(
            key=quote(canonical, safe="").replace("%", "-"),
            address=canonical,
            site_name=settings.site_name,
            site=settings.base_url,
            title=canonical,
            words=language.translated(
                say(
                    "Sets up Mail for {address}. The device asks for the password: give it an app password.",
                    address=canonical,
                )
            ),
            incoming=incoming,
            outgoing=outgoing,
        )
    )
    return profile_answer(settings.signer.sign(made))


def profile_answer(made: bytes) -> Response:
    """Give a profile to a browser, as a file."""
    disposition = {"Content-Disposition": 'attachment; filename="mail.mobileconfig"'}
    return Response(made, media_type=apple_profile.MEDIA_TYPE, headers=disposition)
