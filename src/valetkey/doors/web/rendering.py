"""Templates into answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from valetkey.doors.web import words
from valetkey.doors.web.notices import sentence

_STATIC = files("valetkey.doors.web").joinpath("static")
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that browsers may keep for ever, since its address changes with its content."""

    content: bytes
    media_type: str
    fingerprint: str

    def answer(self) -> Response:
        """Give it to a browser."""
        return Response(self.content, media_type=self.media_type, headers={"Cache-Control": _FOREVER})


def load_static() -> dict[str, StaticFile]:
    """Read the static files into memory; there are few and they are small."""
    found = {}
    for entry in _STATIC.iterdir():
        media_type = _TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            content = entry.read_bytes()
            found[entry.name] = StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:12])
    return found


class Templates:
    """The portal's templates with everything that all of them use."""

    def __init__(self, site_name: str, static: Mapping[str, StaticFile]) -> None:
        self._environment = Environment(
            loader=PackageLoader("valetkey.doors.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalize,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # added by the extension
        self._environment.globals.update(
            site_name=site_name,
            words=words,
            notice_sentence=lambda notice: sentence(notice or ""),
            static=lambda name: f"/static/{name}?v={static[name].fingerprint}",
        )

    def html(self, template: str, facts: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """Render a page.

        Args:
            template: Its file name.
            facts: What it shows; a fact that it asks for and does not get is an error.
            status: The HTTP status.
        """
        return HTMLResponse(self._environment.get_template(template).render(facts), status_code=status)


def see_other(path: str) -> RedirectResponse:
    """Send the browser to a page after a form (RFC 9110 section 15.4.4)."""
    return RedirectResponse(path, status_code=303)


def _finalize(value: object) -> object:
    # Every piece of text that anybody else wrote passes here on its way into a page, before it is escaped.
    return words.harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value
