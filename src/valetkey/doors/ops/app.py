"""The operator's pages: /healthz, /readyz, /metrics. They hold counts and states, never names or secrets."""

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from valetkey.doors.ops.measuring import exposition
from valetkey.doors.ops.readiness import Watched, reasons_not_ready

_NEVER_KEPT = {"Cache-Control": "no-store"}


def create_ops(watched: Watched) -> FastAPI:
    """Make the operator's pages as an ASGI application."""
    app = FastAPI(title="Valetkey operations", docs_url=None, redoc_url=None, openapi_url=None)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> Response:
        return PlainTextResponse("ok\n", headers=_NEVER_KEPT)

    @app.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> Response:
        reasons = await reasons_not_ready(watched)
        text = "".join(f"{reason}\n" for reason in reasons) or "ready\n"
        return PlainTextResponse(text, status_code=503 if reasons else 200, headers=_NEVER_KEPT)

    @app.api_route("/metrics", methods=["GET", "HEAD"])
    async def metrics() -> Response:
        return Response(await exposition(watched), media_type=CONTENT_TYPE_LATEST, headers=_NEVER_KEPT)

    return app
