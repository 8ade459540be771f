"""Who asks: an API token in the Authorization field (RFC 6750 section 2.1), and nothing else."""

import re
from dataclasses import dataclass

from starlette.requests import Request

from valetkey.core.api_token import looks_like_api_token
from valetkey.core.errors import NotAllowed
from valetkey.core.network import throttle_network
from valetkey.core.role import TOKEN_ACTIONS
from valetkey.doors.api.limits import Standing, Window, rate_headers
from valetkey.doors.api.operation import AnyOperation
from valetkey.doors.api.problem import ProblemError
from valetkey.doors.api.settings import ApiSettings
from valetkey.doors.http.visitor_address import address_of
from valetkey.service.api_tokens import authenticate
from valetkey.service.ports import Actor, Ports
from valetkey.service.whoami import Who, who

_REALM = 'Bearer realm="Valetkey API"'
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+) *")
_NO_TOKEN = "Show an API token: Authorization: Bearer vkt_… A token is made in the portal, under Account."  # noqa: S105  (no secret)
_NOT_A_TOKEN = (
    "This is not an API token. App passwords and main passwords never open the API. "  # noqa: S105  (no secret)
    "Make a token in the portal, under Account."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how much more its token may ask in this minute."""

    actor: Actor
    who: Who
    standing: Standing


class Gate:
    """Lets tokens pass, each so often a minute, and counts refusals by network."""

    def __init__(self, ports: Ports, settings: ApiSettings) -> None:
        self._ports = ports
        self._settings = settings
        self._requests = Window(settings.per_minute)
        self._refusals = Window(settings.failures_per_minute)

    async def enter(self, request: Request, operation: AnyOperation) -> Caller:
        """Tell who asks, before anything else of the request is looked at.

        Raises:
            ProblemError: No token or none that works (401), too many requests (429), or not permitted (403).
            Unavailable: The store or the keys cannot be asked.
        """
        try:
            actor = await self._authenticated(request)
        except NotAllowed as error:
            raise self._refused(request, str(error)) from None
        standing = self._requests.count(actor.token_id or "", self._ports.clock.now())
        if standing.is_over:
            raise _too_many("This token asks too often.", standing, "token")
        caller = Caller(actor, await who(self._ports, actor), standing)
        _require(caller, operation)
        return caller

    async def _authenticated(self, request: Request) -> Actor:
        fields = request.headers.getlist("authorization")
        if not fields:
            raise NotAllowed(_NO_TOKEN)
        found = _BEARER.fullmatch(fields[0]) if len(fields) == 1 else None
        if found is None or not looks_like_api_token(found[1]):
            raise NotAllowed(_NOT_A_TOKEN)
        return await authenticate(self._ports, found[1], address_of(request, self._settings.trusted_proxies))

    def _refused(self, request: Request, why: str) -> ProblemError:
        """Refuse a request, and past the limit of its network without saying why. A token that works always passes."""
        address = address_of(request, self._settings.trusted_proxies)
        network = "" if address is None else str(throttle_network(address))
        standing = self._refusals.count(network, self._ports.clock.now())
        if standing.is_over:
            return _too_many(
                "Too many requests without a token that works came from your network.", standing, "network"
            )
        is_shown = bool(request.headers.getlist("authorization"))
        challenge = f'{_REALM}, error="invalid_token"' if is_shown else _REALM
        return ProblemError(401, "unauthorized", why, headers={"WWW-Authenticate": challenge})


def _require(caller: Caller, operation: AnyOperation) -> None:
    if operation.in_person:
        raise ProblemError(403, "not-permitted", operation.in_person)
    if operation.actions and not caller.who.token.actions & TOKEN_ACTIONS & frozenset(operation.actions):
        scope = " ".join(sorted(operation.actions))
        raise ProblemError(
            403,
            "not-permitted",
            f"This API token does not permit this. It takes one of: {', '.join(sorted(operation.actions))}.",
            headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
        )


def _too_many(detail: str, standing: Standing, name: str) -> ProblemError:
    headers = {"Retry-After": str(standing.resets_in), **rate_headers(standing, name)}
    return ProblemError(429, "too-many", f"{detail} Try again in {standing.resets_in} seconds.", headers=headers)
