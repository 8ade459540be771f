"""Forms of the console: identity is proven in the form itself, and what a verb refuses is said in the form."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from valetkey.core.errors import InvalidInput, NotFound, ProveAgain, Refused
from valetkey.core.sentence import say
from valetkey.doors.web.console.gate import ConsoleVisit
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.pages.issuing import prove_here

PROVE = "prove"  # the field of errors that brings the fields for proving identity into the form
_PROVE_AGAIN = say("Some minutes have passed. Enter your main password and a code, then send the form again.")


async def act(
    visit: ConsoleVisit,
    do: Callable[[ConsoleVisit], Awaitable[Response]],
    again: Callable[[ConsoleVisit, Errors], Awaitable[Response]],
) -> Response:
    """Run what a form asks for; what is refused is shown in the form again.

    Args:
        visit: The request.
        do: Runs the verb and answers.
        again: Shows the form with what is wrong. Errors of the verb stand under the field that it names.

    Raises:
        core.errors.NotFound, core.errors.Unavailable: From the verb.
    """
    proved = await prove_here(visit)
    here = ConsoleVisit.of(proved.visit)
    if proved.error:
        return await again(here, Errors({PROVE: proved.error}))
    try:
        response = await do(here)
    except NotFound:
        raise
    except ProveAgain:
        response = await again(here, Errors({PROVE: _PROVE_AGAIN}))
    except InvalidInput as refusal:
        response = await again(here, Errors({refusal.field: refusal.sentence}))
    except Refused as refusal:
        response = await again(here, Errors({"": refusal.sentence}))
    return proved.keep(response)
