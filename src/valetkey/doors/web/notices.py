"""What a page says once about what was just done: a word in a cookie, a sentence on the next page."""

import re
from collections.abc import Callable

from starlette.responses import RedirectResponse, Response

from valetkey.core.password_strength import guessing_time
from valetkey.core.sentence import Sentence, counted, say
from valetkey.doors.web import cookies
from valetkey.doors.web.console import saying
from valetkey.service.closing import Closed

_MOST = 180  # characters of what is carried; what has no room is not said
_AT_SERVER = re.compile(r"([a-z0-9][a-z0-9._-]{0,62}):([0-9]{0,9})")  # a mail server's name, what it closed or nothing

_SENTENCES = {
    "signed-out": say("You are signed out."),
    "too-late": say("That took too long, or this sign-in has ended elsewhere. Sign in again."),
    "authenticator-added": say("The authenticator is set up. From now on either one signs you in."),
    "passkey-added": say("The passkey is set up. From now on it signs you in."),
    "passkey-removed": say("The passkey is removed here. Remove it from your device as well."),
    "factor-renamed": say("Renamed. It works as before."),
    "one-out": say("That browser is signed out."),
    "renamed": say("Renamed. The password itself stays the same."),
    "authenticator-removed": say("The authenticator is removed."),
    "link-mailed": say("The link is on its way. Look into the mail at your notice address."),
    "recovered": say("Your old second factors are taken away. Set up a new one now."),
    "recovery-called-off": say("The recovery is called off. If it was not you, change your main password now."),
    "confirm-mailed": say("The link is on its way. Open it, and notices go there too."),
    "notice-address-confirmed": say("Confirmed. Notices go there from now on."),
    "notice-address-removed": say("The notice address is removed. We have told it so."),
}


def _revoked(closed: int) -> Sentence:
    return counted(
        "Revoked. It opens nothing any more. {number} connection closed.",
        "Revoked. It opens nothing any more. {number} connections closed.",
        closed,
    )


def _revoked_all(closed: int) -> Sentence:
    return counted(
        "All app passwords are revoked. They open nothing any more. {number} connection closed.",
        "All app passwords are revoked. They open nothing any more. {number} connections closed.",
        closed,
    )


def _narrowed(closed: int) -> Sentence:
    return (
        counted("Saved. {number} connection closed.", "Saved. {number} connections closed.", closed)
        if closed
        else say("Saved.")
    )


def _closed(number: int) -> Sentence:
    return counted(
        "{number} connection closed. The program may log in again; to keep it out, revoke its app password.",
        "{number} connections closed. The programs may log in again; to keep them out, revoke the app password.",
        number,
    )


def _others_out(ended: int) -> Sentence:
    return counted("{number} other browser was signed out.", "{number} other browsers were signed out.", ended)


def _password_changed(log_guesses: int) -> Sentence:
    return say(
        "Your main password is changed. Other browsers were signed out. "
        "Somebody who stole the database would need {time} to guess it.",
        time=guessing_time(log_guesses),
    )


_COUNTED: dict[str, Callable[[int], Sentence]] = {
    "revoked": _revoked,
    "revoked-all": _revoked_all,
    "narrowed": _narrowed,
    "closed": _closed,
    "others-out": _others_out,
    "password-changed": _password_changed,
}


def see_other_with(path: str, notice: str, number: int | Closed | None = None) -> Response:
    """Send the browser to a page that will say this notice; of what was closed it also says where."""
    response = RedirectResponse(path, status_code=303)
    cookies.set_notice(response, notice if number is None else f"{notice}.{_carried(number)}")
    return response


def _carried(number: int | Closed) -> str:
    if isinstance(number, int):
        return str(number)
    told = [f"{each.server}:{each.closed}" for each in number.servers if each.closed]
    missed = [f"{server}:" for server in number.not_told]
    carried = str(number.total)
    for part in (*missed, *told):
        if len(carried) + len(part) < _MOST:
            carried = f"{carried}~{part}"
    return carried


def sentence(notice: str) -> Sentence | str:
    """Give the sentence of a notice, or nothing for one that is not ours."""
    word, _, digits = notice.partition("~")[0].partition(".")
    if not digits:
        return {**saying.DONE, **_SENTENCES}.get(word, "")
    count = _COUNTED.get(word) or saying.COUNTED.get(word)
    if count is None or not digits.isascii() or not digits.isdecimal():
        return ""
    return count(int(digits[:9]))


def at_servers(notice: str) -> tuple[Sentence, ...]:
    """Say what a notice tells of mail servers beside its sentence: what they closed, and who could not be told."""
    said: list[Sentence] = []
    for part in notice.split("~")[1:]:
        found = _AT_SERVER.fullmatch(part)
        if found is None:
            return ()
        server, digits = found.groups()
        if digits:
            number = int(digits)
            said.append(
                counted(
                    "{number} of them was at {server}.", "{number} of them were at {server}.", number, server=server
                )
            )
        else:
            said.append(say("{server} could not be reached; Valetkey goes on trying.", server=server))
    return tuple(said)
