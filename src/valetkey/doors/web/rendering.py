"""Templates into answers, each in the visitor's language."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from valetkey.core.errors import ValetkeyError
from valetkey.core.sentence import Sentence
from valetkey.doors.web.harmless import harmless
from valetkey.doors.web.language import Language
from valetkey.doors.web.lean import lean_css, lean_js
from valetkey.doors.web.notices import at_servers, sentence
from valetkey.doors.web.words import Words

_STATIC = files("valetkey.doors.web").joinpath("static")
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_SHORTENERS = {"css": lean_css, "js": lean_js}
_FOREVER = "public, max-age=31536000, immutable"
_EVERYWHERE = ("language", "words")  # of each render; imported templates see them too


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
            shorten = _SHORTENERS.get(entry.name.rpartition(".")[2], str)
            content = shorten(entry.read_text("utf-8")).encode()
            found[entry.name] = StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:12])
    return found


class _PageContext(Context):
    """A context whose language reaches the macros of templates that are imported without context."""

    def __init__(self, environment: Environment, parent: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(environment, parent, *args, **kwargs)
        self.globals_keys |= {name for name in _EVERYWHERE if name in parent}


class _PageEnvironment(Environment):
    context_class = _PageContext
    newstyle_gettext = True  # `_("Made %(when)s", when=x)`: values are named, and escaped where they are filled in


class Templates:
    """The portal's templates with everything that all of them use."""

    def __init__(self, site_name: str, static: Mapping[str, StaticFile]) -> None:
        self._environment = _PageEnvironment(
            loader=PackageLoader("valetkey.doors.web"),
            extensions=["jinja2.ext.i18n"],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalize,
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.globals.update(
            site_name=site_name,
            gettext=_gettext,
            ngettext=_ngettext,
            notice_sentence=lambda notice: sentence(notice or ""),
            notice_at_servers=lambda notice: at_servers(notice or ""),
            static=lambda name: f"/static/{name}?v={static[name].fingerprint}",
        )

    def html(self, template: str, facts: Mapping[str, Any], language: Language, status: int = 200) -> HTMLResponse:
        """Render a page.

        Args:
            template: Its file name.
            facts: What it shows; a fact that it asks for and does not get is an error.
            language: What it is shown in. Sentences among the facts are translated where they stand.
            status: The HTTP status.
        """
        everything = {**facts, "language": language, "words": Words(language)}
        text = self._environment.get_template(template).render(everything)
        return HTMLResponse(text, status_code=status, headers={"Content-Language": language.code})


def see_other(path: str) -> RedirectResponse:
    """Send the browser to a page after a form (RFC 9110 section 15.4.4)."""
    return RedirectResponse(path, status_code=303)


@pass_context
def _finalize(context: Context, value: object) -> object:
    # Every piece of text that anybody else wrote passes here on its way into a page, before it is escaped.
    if isinstance(value, Markup):
        return value
    if isinstance(value, Sentence | ValetkeyError):
        value = _language(context).translated(value)
    return harmless(value) if isinstance(value, str) else value


@pass_context
def _gettext(context: Context, message: str, /, **values: object) -> Markup:
    return _filled(_language(context), _language(context).gettext(message), values)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, num: int, /, **values: object) -> Markup:
    language = _language(context)
    return _filled(language, language.ngettext(singular, plural, num), {"num": num, **values})


def _filled(language: Language, template: str, values: Mapping[str, object]) -> Markup:
    # The template is ours; what is put into it is escaped by `%`, and passes `harmless` as it would on its own.
    shown = {k: v if isinstance(v, Markup) else harmless(language.shown(v)) for k, v in values.items()}
    return Markup(template) % shown  # noqa: S704  (the texts of the templates and their translations are markup)


def _language(context: Context) -> Language:
    language: Language = context["language"]
    return language
