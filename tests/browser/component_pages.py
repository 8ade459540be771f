"""Two pages that show every component of the design system, in the frame for people and in the console's.

They are added to a portal of the tests only. They are in English: no catalogue holds their texts.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import segno
from fastapi import FastAPI
from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import Markup
from starlette.responses import Response, StreamingResponse

from valetkey.doors.web import charts
from valetkey.doors.web.charts import Row, Series
from valetkey.doors.web.gate import SignedInVisit

FOLDER = Path(__file__).parent / "templates"
NAV = (
    "Overview", "Accounts", "Domains", "Second factors", "App passwords", "Connections", "Logins", "Policy", "Networks",
    "Audit log", "API tokens", "Mail servers", "Proposals",
)  # fmt: skip
LOGINS = (
    31,
    28,
    40,
    44,
    12,
    9,
    35,
    38,
    41,
    37,
    52,
    14,
    8,
    39,
    44,
    46,
    41,
    38,
    11,
    7,
    42,
    47,
    45,
    40,
    36,
    13,
    10,
    48,
    51,
    22,
)
REFUSALS = (0, 1, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 26, 31, 4, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0)
LINES = """ssl_cert = </etc/ssl/mail.pem
passdb lua {
  lua_file = /etc/dovecot/valetkey.lua # a line that is so long that it does not fit on a telephone
}"""


def add_component_pages(app: FastAPI) -> None:
    """Add /components, /components/console and what the first one shows live."""
    environment = app.state.portal.templates._environment
    environment.loader = ChoiceLoader([environment.loader, FileSystemLoader(FOLDER)])

    @app.get("/components")
    async def components(visit: SignedInVisit, asked: str = "") -> Response:
        errors = {"colour": "Choose a colour.", "size": "That is no size: use a number from 1 to 9."}
        qr = segno.make("https://example.org/profile", error="m").svg_inline(
            scale=4, border=3, omitsize=True, svgclass="qr"
        )
        return visit.page(
            "components.html",
            wrong=errors if asked == "wrong" else {},
            qr=Markup(qr),
            lines=LINES,
            soon=visit.now + timedelta(days=3),
        )

    @app.get("/components/console")
    async def console(visit: SignedInVisit) -> Response:
        nav = [("/components/console" if name == "Logins" else "/components", name, name == "Logins") for name in NAV]
        return visit.page("components_console.html", console_nav=nav, daily=daily(), share=share())

    @app.get("/components/live")
    async def live(visit: SignedInVisit) -> Response:
        return StreamingResponse(_first_login(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def daily() -> charts.Chart:
    """Logins and refusals of a month."""
    rows = [
        Row(f"{day} March 2026", counts, f"{day} March")
        for day, counts in enumerate(zip(LOGINS, REFUSALS, strict=True), 1)
    ]
    return charts.bars((Series("logins", "a"), Series("refusals", "b")), rows, "Day")


def share() -> charts.Chart:
    """How many have a second factor, over a year."""
    rows = [Row(f"Week {week}", (min(100, 22 + week * week // 30), min(100, week))) for week in range(1, 53)]
    series = (Series("with a second factor", "a"), Series("with a passkey", "c"))
    return charts.lines(series, rows, "Week", percent=True)


async def _first_login() -> AsyncIterator[bytes]:
    yield b'data: <div class="waiting"><span class="spinner" aria-hidden="true"></span><p data-say>Still waiting</p></div>\n\n'
    await asyncio.sleep(0.2)
    yield b'data: <div class="waiting done"><p data-say>iPhone Mail signed in from 203.0.113.7.</p></div>\n\n'
    yield b"event: end\ndata:\n\n"
