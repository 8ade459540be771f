"""The accounts: find them, make one, invite its person."""

from dataclasses import asdict, dataclass

from fastapi import APIRouter
from starlette.responses import Response

from valetkey.core.account import Account, AccountKind, AccountState
from valetkey.core.role import Role
from valetkey.core.sentence import say
from valetkey.doors.web.console import naming
from valetkey.doors.web.console.acting import act
from valetkey.doors.web.console.asking import link, one_of, options, searched
from valetkey.doors.web.console.gate import ConsoleVisit, ToCreateAccounts, ToSeeAccounts
from valetkey.doors.web.forms import Errors
from valetkey.doors.web.gate import LOOK
from valetkey.doors.web.notices import see_other_with
from valetkey.service import accounts, invitations
from valetkey.service.invitations import Invitation
from valetkey.service.store_parts import AccountFilter, SecondFactorFilter

router = APIRouter()
LIST = "/console/accounts"
_SHOWN = 30
_ANY = say("Any")
_KIND_CHOICES = (
    (AccountKind.PERSON, say("A person"), say("Signs in with a main password and a second factor.")),
    (AccountKind.SHARED, say("A shared account"), say("A mailbox such as scanner@ or info@; its owners manage it.")),
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address of the list asks for."""

    q: str = ""
    kind: str = ""
    state: str = ""
    role: str = ""
    factor: str = ""
    domain: str = ""

    @property
    def filter(self) -> AccountFilter:
        """The same for the verb."""
        return AccountFilter(
            search=self.q,
            kind=one_of(AccountKind, self.kind),
            state=one_of(AccountState, self.state),
            domain=self.domain or None,
            role=one_of(Role, self.role),
            second_factor=one_of(SecondFactorFilter, self.factor),
        )


@router.api_route(LIST, methods=LOOK)
async def show_list(visit: ToSeeAccounts, after: str = "") -> Response:
    """List accounts by address."""
    given = visit.request.query_params
    asked = _Asked(*(searched(given.get(name, "")) for name in _Asked.__slots__))
    found = await accounts.listed(visit.ports, visit.actor, asked.filter, after=after, limit=_SHOWN + 1)
    shown = found[:_SHOWN]
    return visit.page(
        "accounts.html",
        asked=asked,
        is_filtered=asked != _Asked(),
        found=shown,
        first=link(LIST, **asdict(asked)) if after else "",
        rest=link(LIST, **asdict(asked), after=shown[-1].address) if len(found) > _SHOWN else "",
        kinds=options(naming.KINDS, _ANY),
        states=options(naming.STATES, _ANY),
        roles=options({role: name for role, (name, _) in naming.ROLES.items()}, _ANY),
        factors=options(naming.SECOND_FACTORS, _ANY),
    )


@dataclass(frozen=True, slots=True)
class _Typed:
    """What the form for a new account holds."""

    address: str = ""
    kind: str = AccountKind.PERSON
    role: str = ""
    invite: bool = True


@router.api_route(f"{LIST}/new", methods=LOOK)
async def ask_new(visit: ToCreateAccounts) -> Response:
    """Ask for a new account."""
    return _new_page(visit, _Typed())


@router.post(f"{LIST}/new")
async def make(visit: ToCreateAccounts) -> Response:
    """Make it, and its invitation if that is wished."""
    form = visit.form
    typed = _Typed(form.one("address"), form.one("kind", 20), form.one("role", 20), form.has("invite"))

    async def do(here: ConsoleVisit) -> Response:
        account = await accounts.create(
            here.ports,
            here.actor,
            typed.address,
            kind=one_of(AccountKind, typed.kind) or AccountKind.PERSON,
            role=one_of(Role, typed.role),
        )
        if typed.invite and account.kind is AccountKind.PERSON:
            return invited_page(here, account, await invitations.invite(here.ports, here.actor, account.id))
        return see_other_with(f"{LIST}/{account.id}", "account-created")

    async def again(here: ConsoleVisit, errors: Errors) -> Response:
        return _new_page(here, typed, errors)

    return await act(visit, do, again)


def _new_page(visit: ConsoleVisit, typed: _Typed, errors: Errors | None = None) -> Response:
    roles = [("", say("No role")), *((role.value, name) for role, (name, _) in naming.ROLES.items())]
    return visit.page("account_new.html", errors=errors, typed=typed, kinds=_KIND_CHOICES, roles=roles)


def invited_page(visit: ConsoleVisit, account: Account, invitation: Invitation) -> Response:
    """Show the link of an invitation, once, in the answer itself."""
    address = f"{visit.portal.settings.base_url.rstrip('/')}{invitations.PATH}{invitation.token}"
    return visit.page("invited.html", account=account, invitation=invitation, link=address)
