"""The cookies of the portal, each with the `__Host-` prefix (RFC 6265bis section 4.1.3.2).

The prefix makes browsers insist on Secure, on Path=/ and on no Domain, so no neighbouring host can plant one.
Browsers take Secure cookies from http://localhost too, so nothing is relaxed for a trial.
"""

from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

_SESSION = "__Host-valetkey"
_FORM = "__Host-valetkey-form"  # proves that a form before sign-in was ours
_NOTICE = "__Host-valetkey-notice"  # one sentence, carried over a redirect, shown once
_LANGUAGE = "__Host-valetkey-language"  # the visitor's choice
_ZONE = "__Host-valetkey-zone"  # the browser's time zone, set by portal.js
_LINK = "__Host-valetkey-link"  # the token of a one-time link, from its address to the page that asks
_MAX_TOKEN = 200
_LINK_SECONDS = 3600
_YEAR_SECONDS = 365 * 86400
_NOTICE_SECONDS = 60


def session_token(request: Request) -> str | None:
    """Give the session token that the browser sent, or None."""
    return _bounded(request.cookies.get(_SESSION))


def form_token(request: Request) -> str | None:
    """Give the token for forms before sign-in that the browser sent, or None."""
    return _bounded(request.cookies.get(_FORM))


def notice(request: Request) -> str | None:
    """Give the notice that the page before left, or None."""
    return _bounded(request.cookies.get(_NOTICE))


def language(request: Request) -> str:
    """Give the code of the language that the visitor chose, or ""."""
    return _bounded(request.cookies.get(_LANGUAGE)) or ""


def zone(request: Request) -> str:
    """Give the name of the time zone that the browser said it is in, or ""."""
    return unquote(_bounded(request.cookies.get(_ZONE)) or "")


def link(request: Request, purpose: str) -> str:
    """Give the token of the one-time link for this purpose that the browser opened, or ""."""
    opened_for, _, token = (_bounded(request.cookies.get(_LINK)) or "").partition(".")
    return token if opened_for == purpose else ""


def set_link(response: Response, purpose: str, token: str) -> None:
    """Keep the token of a one-time link for the page that asks before the link is used."""
    _set(response, _LINK, f"{purpose}.{token}", max_age=_LINK_SECONDS)


def forget_link(response: Response) -> None:
    """Have the browser drop the token of a one-time link."""
    _forget(response, _LINK)


def set_language(response: Response, code: str) -> None:
    """Remember the language that the visitor chose."""
    _set(response, _LANGUAGE, code, max_age=_YEAR_SECONDS)


def set_session(response: Response, token: str) -> None:
    """Give the browser its session token, until it is closed; the store limits its age."""
    _set(response, _SESSION, token)


def set_form_token(response: Response, token: str) -> None:
    """Give the browser the token that forms before sign-in are held against."""
    _set(response, _FORM, token)


def set_notice(response: Response, text: str) -> None:
    """Leave a notice for the next page."""
    _set(response, _NOTICE, text, max_age=_NOTICE_SECONDS)


def forget_session(response: Response) -> None:
    """Have the browser drop its session token."""
    _forget(response, _SESSION)


def forget_notice(response: Response) -> None:
    """Have the browser drop the notice, since it was shown."""
    _forget(response, _NOTICE)


def _bounded(value: str | None) -> str | None:
    return value if value and len(value) <= _MAX_TOKEN else None


def _set(response: Response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")


def _forget(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
