"""What a page says once about what was just done: a word in a cookie, a sentence on the next page."""

from starlette.responses import RedirectResponse, Response

from valetkey.doors.web import cookies
from valetkey.doors.web.words import count

_SENTENCES = {
    "signed-out": "You are signed out.",
    "too-late": "That took too long, or this sign-in has ended elsewhere. Sign in again.",
    "authenticator-added": "The authenticator is set up. From now on either one signs you in.",
    "authenticator-removed": "The authenticator is removed.",
    "password-changed": "Your main password is changed. Other browsers were signed out.",
}
_COUNTED = {
    "revoked": "Revoked. It opens nothing any more.",
    "revoked-all": "All app passwords are revoked. They open nothing any more.",
    "narrowed": "Saved.",
    "others-out": "",
}


def see_other_with(path: str, notice: str, number: int | None = None) -> Response:
    """Send the browser to a page that will say this notice."""
    response = RedirectResponse(path, status_code=303)
    cookies.set_notice(response, notice if number is None else f"{notice}.{number}")
    return response


def sentence(notice: str) -> str:
    """Give the sentence of a notice, or nothing for one that is not ours."""
    word, _, digits = notice.partition(".")
    if not digits:
        return _SENTENCES.get(word, "")
    if word not in _COUNTED or not digits.isascii() or not digits.isdecimal():
        return ""
    number = int(digits[:9])
    if word == "others-out":
        return f"{count(number, 'other browser')} {'was' if number == 1 else 'were'} signed out."
    closed = f"{count(number, 'connection')} closed." if number or word != "narrowed" else ""
    return f"{_COUNTED[word]} {closed}".strip()
