"""Accounts, their names and owners, their second factors to look at, invitations, domains, recoveries."""

from valetkey.core.role import Action
from valetkey.doors.api.operation import Answer, AnyOperation, Call, Operation
from valetkey.doors.api.paging import Paged, page, place_from, place_of, position
from valetkey.doors.api.shapes import accounts as shapes
from valetkey.doors.api.shapes.accounts import AccountShape, AccountWithNames, account_shape, details_shape
from valetkey.doors.api.shapes.closed import Closed, closed_facts
from valetkey.doors.api.shapes.fields import Nothing
from valetkey.service import accounts, calling_off, console, invitations
from valetkey.service.ports import Ports, Reader
from valetkey.service.store_parts import AccountFilter

_TAG = "accounts"
_SEE = (Action.OWN_READ, Action.SEE_ACCOUNTS)
_CHANGE = (Action.CHANGE_ACCOUNTS,)


async def _list(call: Call[shapes.AccountsAsked, Nothing]) -> Answer:
    asked, begin = call.query, position(call)
    wanted = AccountFilter(
        search=asked.search,
        kind=asked.kind,
        state=asked.state,
        domain=asked.domain,
        role=asked.role,
        second_factor=asked.second_factor,
    )
    after = "" if begin is None else begin[0]
    found = await accounts.listed(call.ports, call.actor, wanted, after=after, limit=asked.limit + 1)
    return page(call, shapes.AccountPage, found, account_shape, lambda account: [account.address])


async def _create(call: Call[Nothing, shapes.NewAccount]) -> Answer:
    asked = call.body
    made = await accounts.create(call.ports, call.actor, asked.address, kind=asked.kind, rights=frozenset(asked.rights))
    return Answer(account_shape(made), 201)


async def _get(call: Call[Nothing, Nothing]) -> Answer:
    found = await accounts.details(call.ports, call.actor, call.account_id)
    return Answer(details_shape(found), has_etag=True)


async def _set_rights(call: Call[Nothing, shapes.RightsWanted]) -> Answer:
    account_id = call.account_id

    def current(reader: Reader, _ports: Ports) -> AccountWithNames | None:
        account = reader.account(account_id)
        return None if account is None else details_shape(accounts.details_in(reader, account))

    closed = await accounts.set_rights(call.guarded(current), call.actor, account_id, frozenset(call.body.rights))
    return Answer(Closed(**closed_facts(closed)))


async def _disable(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Closed(**closed_facts(await accounts.disable(call.ports, call.actor, call.account_id))))


async def _enable(call: Call[Nothing, Nothing]) -> Answer:
    await accounts.enable(call.ports, call.actor, call.account_id)
    return Answer()


async def _add_alias(call: Call[Nothing, shapes.AliasWanted]) -> Answer:
    await accounts.add_alias(call.ports, call.actor, call.account_id, call.body.address)
    return Answer()


async def _remove_alias(call: Call[Nothing, Nothing]) -> Answer:
    await accounts.remove_alias(call.ports, call.actor, call.account_id, call.path["address"])
    return Answer()


async def _add_owner(call: Call[Nothing, shapes.OwnerWanted]) -> Answer:
    await accounts.add_owner(call.ports, call.actor, call.account_id, call.body.owner_id)
    return Answer()


async def _remove_owner(call: Call[Nothing, Nothing]) -> Answer:
    await accounts.remove_owner(call.ports, call.actor, call.account_id, call.path["owner_id"])
    return Answer()


async def _invite(call: Call[Nothing, Nothing]) -> Answer:
    made = await invitations.invite(call.ports, call.actor, call.account_id)
    invitation = shapes.InvitationMade(
        link=f"{call.settings.base_url.rstrip('/')}{invitations.PATH}{made.token}",
        address=made.address,
        expires_at=made.expires_at,
        mailed_to=made.mailed_to,
    )
    return Answer(invitation, 201)


async def _list_second_factors(call: Call[Nothing, Nothing]) -> Answer:
    found = await accounts.details(call.ports, call.actor, call.account_id)
    return Answer(shapes.factors_shape(found))


async def _list_domains(call: Call[Paged, Nothing]) -> Answer:
    begin, limit = position(call), call.query.limit
    found = await console.domains(call.ports, call.actor, after=begin[0] if begin else "", limit=limit + 1)
    return page(call, shapes.Domains, found, shapes.domain_shape, lambda one: [one.domain])


async def _list_recoveries(call: Call[Paged, Nothing]) -> Answer:
    after, limit = place_from(position(call)), call.query.limit
    found = await calling_off.under_way(call.ports, call.actor, after=after, limit=limit + 1)
    return page(
        call,
        shapes.Recoveries,
        found,
        lambda pair: shapes.recovery_shape(*pair),
        lambda pair: place_of(pair[0].opens_at, pair[0].id),
    )


async def _call_off(call: Call[Nothing, Nothing]) -> Answer:
    await calling_off.cancel(call.ports, call.actor, call.account_id)
    return Answer()


_ONE = "/accounts/{account_id}"

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "list_accounts", "GET", "/accounts", _TAG, "Accounts, by address",
        _list, shapes.AccountsAsked, Nothing, shapes.AccountPage, actions=(Action.SEE_ACCOUNTS,),
    ),
    Operation(
        "create_account", "POST", "/accounts", _TAG, "Make an account; its person is then invited",
        _create, Nothing, shapes.NewAccount, AccountShape, 201, (Action.CREATE_ACCOUNTS,),
    ),
    Operation(
        "get_account", "GET", _ONE, _TAG, "One account with everything around it",
        _get, Nothing, Nothing, AccountWithNames, actions=_SEE, has_etag=True,
    ),
    Operation(
        "set_account_rights", "PUT", f"{_ONE}/rights", _TAG, "Set what its app passwords may be given at most",
        _set_rights, Nothing, shapes.RightsWanted, Closed, actions=_CHANGE, needs_if_match=True,
        description="If-Match takes the ETag of the account.",
    ),
    Operation(
        "disable_account", "POST", f"{_ONE}/disable", _TAG, "No login, no portal, no token from now on",
        _disable, Nothing, Nothing, Closed, actions=(Action.DISABLE_ACCOUNTS,),
    ),
    Operation(
        "enable_account", "POST", f"{_ONE}/enable", _TAG, "Let it log in again",
        _enable, Nothing, Nothing, None, 204, (Action.DISABLE_ACCOUNTS,),
    ),
    Operation(
        "add_alias", "POST", f"{_ONE}/aliases", _TAG, "Let it log in with one more address",
        _add_alias, Nothing, shapes.AliasWanted, None, 204, _CHANGE,
    ),
    Operation(
        "remove_alias", "DELETE", f"{_ONE}/aliases/{{address}}", _TAG, "Take an alias away",
        _remove_alias, Nothing, Nothing, None, 204, _CHANGE,
    ),
    Operation(
        "add_owner", "POST", f"{_ONE}/owners", _TAG, "Let a person manage a shared account",
        _add_owner, Nothing, shapes.OwnerWanted, None, 204, _CHANGE,
    ),
    Operation(
        "remove_owner", "DELETE", f"{_ONE}/owners/{{owner_id}}", _TAG, "Take a shared account from a person",
        _remove_owner, Nothing, Nothing, None, 204, _CHANGE,
    ),
    Operation(
        "invite_person", "POST", f"{_ONE}/invitation", _TAG, "Make a one-time link for somebody who is not set up yet",
        _invite, Nothing, Nothing, shapes.InvitationMade, 201, (Action.INVITE,),
    ),
    Operation(
        "list_second_factors", "GET", f"{_ONE}/second-factors", _TAG, "Its second factors; they change in person only",
        _list_second_factors, Nothing, Nothing, shapes.SecondFactors, actions=_SEE,
    ),
    Operation(
        "list_domains", "GET", "/domains", _TAG, "The domains and what they hold",
        _list_domains, Paged, Nothing, shapes.Domains, actions=(Action.SEE_ACCOUNTS,),
    ),
    Operation(
        "list_recoveries", "GET", "/recoveries", _TAG, "The recoveries of lost second factors that are under way",
        _list_recoveries, Paged, Nothing, shapes.Recoveries, actions=(Action.SEE_ACCOUNTS,),
    ),
    Operation(
        "call_off_recovery", "POST", f"{_ONE}/call-off-recovery", _TAG,
        "Call off a recovery; it takes nothing away", _call_off, Nothing, Nothing, None, 204,
        (Action.DISABLE_ACCOUNTS,),
    ),
)  # fmt: skip
