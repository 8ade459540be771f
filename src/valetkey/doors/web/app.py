"""The portal: the pages where people make, see and revoke app passwords."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response

from valetkey.doors.web.catalogues import installed_catalogues
from valetkey.doors.web.console.routes import ROUTERS as CONSOLE
from valetkey.doors.web.errors import LastResort, add_handlers
from valetkey.doors.web.gate import Portal, SentForms
from valetkey.doors.web.languages import Languages
from valetkey.doors.web.pages import (
    account,
    activity,
    app_password,
    app_passwords,
    client_setup,
    connections,
    factor_names,
    issued,
    issuing,
    language,
    moving_over,
    notice_address,
    passkeys,
    recover,
    recovery,
    rotating,
    set_up,
    shared,
    sign_in,
    tokens,
    welcome,
)
from valetkey.doors.web.rendering import Templates, load_static
from valetkey.doors.web.security import SecurityHeaders
from valetkey.doors.web.settings import WebSettings, wants_strict_transport
from valetkey.doors.web.streams import Bounds, Streams
from valetkey.service.ports import Ports


def create_portal(ports: Ports, settings: WebSettings) -> FastAPI:
    """Make the portal as an ASGI application.

    Run it without the server's own handling of X-Forwarded-For: the portal reads it itself, from
    `settings.trusted_proxies` only.

    Args:
        ports: What the verbs need.
        settings: The portal's own settings.
    """
    static = load_static()
    app = FastAPI(title=settings.site_name, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    languages = Languages(installed_catalogues())
    streams = Streams(Bounds(in_all=settings.live_pages))
    portal = Portal(ports, settings, Templates(settings.site_name, static), SentForms(), languages, streams)
    app.state.portal = portal

    @app.api_route("/static/{name}", methods=["GET", "HEAD"])
    async def static_file(name: str) -> Response:
        if name not in static:
            raise HTTPException(404)
        return static[name].answer()

    # issuing before app_passwords: /app-passwords/new is no id
    for area in (
        sign_in,
        set_up,
        moving_over,
        issuing,
        issued,
        rotating,
        app_passwords,
        app_password,
        connections,
        shared,
        account,
        passkeys,
        factor_names,
        notice_address,
        tokens,
        recover,
        recovery,
        welcome,
        activity,
        language,
        client_setup,
    ):
        app.include_router(area.router)
    for router in CONSOLE:
        app.include_router(router)
    add_handlers(app, portal)
    app.add_middleware(LastResort, portal=portal)
    app.add_middleware(SecurityHeaders, strict_transport=wants_strict_transport(settings.base_url))
    return app
