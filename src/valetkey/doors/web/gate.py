"""The one gate in front of every page: who is it, how far signed in, and is the form ours?

A route says which stage it needs; there is no other way to a `Visit`. A half-finished sign-in is no sign-in: it opens
the page for the code and nothing else.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Annotated, Any

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from valetkey.core.account import Account
from valetkey.doors.http.visitor_address import address_of
from valetkey.doors.web import cookies
from valetkey.doors.web.forms import Errors, Form, read_form
from valetkey.doors.web.language import Language
from valetkey.doors.web.languages import Languages
from valetkey.doors.web.relying_party import relying_party
from valetkey.doors.web.rendering import Templates
from valetkey.doors.web.security import check_origin, check_token, local_path
from valetkey.doors.web.settings import WebSettings
from valetkey.doors.web.streams import Streams
from valetkey.doors.web.words import Words
from valetkey.service import passkey_ceremonies, sign_in
from valetkey.service.passkey_ceremonies import Answer, Ceremony, Purpose
from valetkey.service.ports import Actor, Ports
from valetkey.service.sign_in import SignedIn
from valetkey.service.sign_in_parts import RelyingParty

LOOK = ["GET", "HEAD"]  # the methods of pages that change nothing
_MAX_USER_AGENT = 200
_MAX_SENT = 10_000
_MAX_ANSWER = 16 * 1024  # characters of what a passkey answers
# A little shorter than the verbs demand, so that there is time to fill in a form.
_PROOF_LASTS = timedelta(minutes=4)


class Stage(IntEnum):
    """How far somebody is signed in; also what a page demands."""

    NOBODY = 0
    HALF = 1  # main password given, second factor not yet
    NO_SECOND_FACTOR = 2  # signed in to an account that has none yet
    FULL = 3


class SendTo(Exception):  # noqa: N818  (it is an answer, not a fault)
    """The visitor belongs on another page first."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class SentForms:
    """Remembers which forms were sent, so that loading an answer again does not do it again. Bounded."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_first(self, account_id: str, once: str) -> bool:
        """Take note of a form; False if it was sent before."""
        key = (account_id, once)
        if key in self._sent:
            return False
        if once:
            self._sent[key] = None
        if len(self._sent) > _MAX_SENT:
            self._sent.popitem(last=False)
        return True


@dataclass(frozen=True, slots=True)
class Portal:
    """What all pages share."""

    ports: Ports
    settings: WebSettings
    templates: Templates
    sent: SentForms
    languages: Languages
    streams: Streams = field(default_factory=Streams)

    def language(self, request: Request) -> Language:
        """Give the language that a request shall be answered in."""
        accepted = request.headers.get("accept-language", "")
        return self.languages.choose(cookies.language(request), accepted, cookies.zone(request))


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, after the gate."""

    request: Request
    portal: Portal
    address: str  # the visitor's, or "" if unknown
    stage: Stage
    token: str = field(repr=False)
    signed_in: SignedIn | None
    form: Form
    form_token: str = field(repr=False)
    language: Language

    @property
    def ports(self) -> Ports:
        """What the verbs need."""
        return self.portal.ports

    @property
    def client(self) -> str:
        """What the browser calls itself."""
        return self.request.headers.get("user-agent", "")[:_MAX_USER_AGENT]

    @property
    def account(self) -> Account:
        """The account that is signed in."""
        return self._session.account

    @property
    def actor(self) -> Actor:
        """Who acts, for the verbs."""
        return sign_in.actor_of(self._session, self.address)

    @property
    def now(self) -> datetime:
        """The time."""
        return self.ports.clock.now()

    @property
    def csrf(self) -> str:
        """The token that forms of this page carry."""
        return self.signed_in.session.csrf if self.signed_in else self.form_token

    @property
    def words(self) -> Words:
        """What this visitor's pages say about facts."""
        return Words(self.language)

    @property
    def proof_is_old(self) -> bool:
        """Whether a sensitive form would probably be refused for want of a recent proof."""
        proven_at = self._session.session.proven_at
        return proven_at is None or self.now - proven_at > _PROOF_LASTS

    @property
    def party(self) -> RelyingParty | None:
        """Where passkeys belong, or None if browsers permit none under this address."""
        return relying_party(self.portal.settings, self.request.headers.get("host", ""))

    @property
    def passkey_to_prove(self) -> Ceremony | None:
        """What a form carries so that a passkey can prove identity again; None without passkeys."""
        return self.passkey_for(Purpose.PROVE_AGAIN)

    def passkey_for(self, purpose: Purpose) -> Ceremony | None:
        """Ask for one of the account's passkeys; None if it has none, or browsers permit none here."""
        session, party = self._session, self.party
        if party is None or not session.passkeys:
            return None
        return passkey_ceremonies.offer_use(
            self.ports,
            party,
            purpose,
            account_id=session.account.id,
            binding=session.session.csrf,
            passkeys=session.passkeys,
        )

    def passkey_answer(self, prefix: str = "") -> Answer | None:
        """Give what a passkey answered in the posted form, or None."""
        text, party = self.form.one(f"{prefix}answer", _MAX_ANSWER), self.party
        return Answer(party, self.form.one(f"{prefix}sealed"), text) if text and party is not None else None

    @property
    def console_home(self) -> str:
        """Where the console is, for who has a role in it; "" for everybody else."""
        has_role = self.signed_in is not None and self.stage is Stage.FULL and self.account.role is not None
        return "/console" if has_role else ""

    @property
    def _session(self) -> SignedIn:
        if self.signed_in is None:
            raise SendTo("/sign-in")
        return self.signed_in

    def need_recent_proof(self) -> None:
        """Send the visitor to prove it again, and back here, if the last proof is old.

        Raises:
            SendTo: It is.
        """
        if self.proof_is_old:
            url = self.request.url
            here = url.path + (f"?{url.query}" if url.query else "")
            raise SendTo(f"/prove?next={local_path(here)}")

    def page(self, template: str, status: int = 200, *, errors: Errors | None = None, **facts: Any) -> Response:
        """Render a page for this visitor."""
        shown = cookies.notice(self.request)
        everything = {
            "visit": self,
            "now": self.now,
            "path": self.request.url.path,
            "notice": shown,
            "errors": errors or Errors(),
            "languages": self.portal.languages,
            "console_home": self.console_home,
            **facts,
        }
        response = self.portal.templates.html(template, everything, self.language, 422 if errors else status)
        if shown:
            cookies.forget_notice(response)
        if self.signed_in is None and self.form_token != cookies.form_token(self.request):
            cookies.set_form_token(response, self.form_token)
        return response

    def with_session(self, token: str, signed_in: SignedIn) -> "Visit":
        """Go on under a new session, after identity was proven again."""
        return replace(self, token=token, signed_in=signed_in)


def entry(needs: Stage, most: Stage = Stage.FULL) -> Callable[[Request], Awaitable[Visit]]:
    """Make the gate of a page.

    Args:
        needs: How far the visitor must be signed in.
        most: How far the visitor may be signed in; who is further is sent on.
    """

    async def gate(request: Request) -> Visit:
        portal: Portal = request.app.state.portal
        posted = request.method == "POST"
        if posted:
            check_origin(request, portal.settings.origins)
        visit = await _identify(request, portal)
        _check_stage(visit, needs, most)
        if posted:
            visit = replace(visit, form=await read_form(request))
            expected = visit.csrf if visit.signed_in else cookies.form_token(request)
            check_token(visit.form.one("csrf"), expected)
        return visit

    return gate


async def _identify(request: Request, portal: Portal) -> Visit:
    token = cookies.session_token(request) or ""
    signed_in = await sign_in.current(portal.ports, token) if token else None
    address = address_of(request, portal.settings.trusted_proxies)
    return Visit(
        request=request,
        portal=portal,
        address=str(address) if address else "",
        stage=_stage_of(signed_in),
        token=token,
        signed_in=signed_in,
        form=Form({}),
        form_token=cookies.form_token(request) or portal.ports.entropy.octets(24).hex(),
        language=portal.language(request),
    )


def _stage_of(signed_in: SignedIn | None) -> Stage:
    if signed_in is None:
        return Stage.NOBODY
    if not signed_in.is_complete:
        return Stage.HALF
    return Stage.FULL if signed_in.account.has_second_factor else Stage.NO_SECOND_FACTOR


def _check_stage(visit: Visit, needs: Stage, most: Stage) -> None:
    if visit.stage > most:
        raise SendTo("/")
    if visit.stage >= needs:
        return
    if visit.stage is Stage.NOBODY:
        here = visit.request.url.path
        behind = f"?next={here}" if visit.request.method == "GET" and here != "/" and local_path(here) == here else ""
        raise SendTo(f"/sign-in{behind}")
    if visit.stage is Stage.HALF:
        if visit.request.method == "POST":
            raise HTTPException(403, "Finish signing in first: enter the code of your second factor.")
        raise SendTo("/sign-in/code")
    raise SendTo("/set-up")


AnyVisit = Annotated[Visit, Depends(entry(Stage.NOBODY))]
SignInVisit = Annotated[Visit, Depends(entry(Stage.NOBODY, Stage.HALF))]
HalfVisit = Annotated[Visit, Depends(entry(Stage.HALF, Stage.HALF))]
LeavingVisit = Annotated[Visit, Depends(entry(Stage.HALF))]
SignedInVisit = Annotated[Visit, Depends(entry(Stage.NO_SECOND_FACTOR))]
FullVisit = Annotated[Visit, Depends(entry(Stage.FULL))]
