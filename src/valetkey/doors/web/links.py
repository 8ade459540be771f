"""One-time links that people open: the token goes from the address into a cookie, so that looking uses nothing up.

Programs that look into mail open links before people do, and addresses end up in histories. So the address itself does
nothing but lead on; only the form of the page behind it uses the link.
"""

import re

from starlette.responses import Response

from valetkey.core.sentence import Sentence
from valetkey.doors.web import cookies
from valetkey.doors.web.gate import Visit
from valetkey.doors.web.rendering import see_other

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,128}")


def lead_on(path: str, purpose: str, token: str) -> Response:
    """Take the token out of the address and lead to the page that asks.

    Args:
        path: Of that page.
        purpose: What the page wants the token for; another page does not get it.
        token: As it stood in the address.
    """
    response = see_other(path)
    if _TOKEN.fullmatch(token):
        cookies.set_link(response, purpose, token)
    else:
        cookies.forget_link(response)
    return response


def gone(visit: Visit, what_to_do: Sentence) -> Response:
    """Say that a link opens nothing: unknown, used and expired ones alike."""
    response = visit.page("link_gone.html", 404, what_to_do=what_to_do)
    cookies.forget_link(response)
    return response
